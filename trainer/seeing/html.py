"""The card as one piece of static HTML that needs nothing else."""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from drivesync.progress import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.seeing.card import Card, Notice, Row

_LIGHT = (
    "--ground:#fff;--ink:#1c2026;--faint:#5b6470;--line:#dfe3e8;--trough:#e9ecf0;"
    "--good:#116b36;--waiting:#8a5300;--trouble:#b3261e;--over:#1f5fa8"
)
_DARK = (
    "--ground:#1b1e23;--ink:#e8eaed;--faint:#a3abb5;--line:#3a4048;--trough:#333941;"
    "--good:#6fd394;--waiting:#f0b656;--trouble:#ff8a80;--over:#86b9f5"
)
_STYLE = """
.tc{background:var(--ground);color:var(--ink);border:1px solid var(--line);border-left:6px solid var(--tone);
border-radius:8px;padding:14px 16px;box-sizing:border-box;max-width:1160px;overflow-wrap:anywhere;
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;text-align:left}
.tc *{box-sizing:border-box}
.tc .safety{font-size:18px;font-weight:650;line-height:1.3;color:var(--tone)}
.tc .standing{margin-top:4px;font-weight:600;color:var(--tone)}
.tc .bar{display:flex;align-items:center;gap:10px;margin-top:8px;font-variant-numeric:tabular-nums}
.tc .trough{flex:1;height:10px;border-radius:5px;background:var(--trough);overflow:hidden}
.tc .full{height:100%;border-radius:5px;background:var(--tone)}
.tc .notice{margin-top:10px;padding:8px 12px;border-radius:6px;border:1px solid var(--tone)}
.tc .notice.trouble{color:var(--tone)}
.tc .remedy{margin-top:4px;font-weight:600;color:var(--ink)}
.tc code{font:.92em ui-monospace,"DejaVu Sans Mono",monospace;background:var(--trough);color:var(--ink);
border-radius:4px;padding:1px 5px}
.tc dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:2px 28px;margin:12px 0 0}
.tc .row{display:grid;grid-template-columns:84px minmax(0,1fr);gap:0 10px;padding:4px 0;
border-top:1px solid var(--line)}
.tc .row.wide{grid-column:1/-1}
.tc dt{color:var(--faint);font-weight:400;margin:0;padding:0}
.tc dd{margin:0;padding:0;color:var(--tone);font-variant-numeric:tabular-nums}
.tc dd div+div,.tc .life li+li{margin-top:4px}
.tc .life{margin:12px 0 0;padding:8px 0 0;border-top:1px solid var(--line);list-style:none;font-size:13px;
color:var(--faint)}
.tc .life li{margin-left:0;padding:0}
.tc img{display:block;width:100%;height:auto;margin-top:12px;border-radius:6px}
.tc .plain{--tone:var(--ink)}.tc .good{--tone:var(--good)}.tc .waiting{--tone:var(--waiting)}
.tc .trouble{--tone:var(--trouble)}.tc .over{--tone:var(--over)}
"""
_OWN_TONES = "".join(
    f".tc.is-{tone}{{--tone:var(--{tone})}}" for tone in ("good", "waiting", "trouble", "over")
)


_CODE = re.compile("`([^`]+)`")


def to_html(card: Card, *, chart: bytes | None = None, dark: bool | None = None) -> str:
    """The card as a fragment of HTML, for a page, a notebook's cell or a file.

    Args:
        card: what is shown.
        chart: a PNG that is shown below it; None for none.
        dark: light letters on dark ground; None asks the reader's system.
    """
    return "\n".join(["<div>", f"<style>{_style(dark)}</style>", *_parts(card, chart), "</div></div>"])


def _style(dark: bool | None) -> str:  # noqa: FBT001 - three answers to one question
    colours = f".tc{{{_DARK if dark else _LIGHT}}}"
    if dark is None:
        colours += f"@media(prefers-color-scheme:dark){{.tc{{{_DARK}}}}}"
    return f"{_STYLE}{_OWN_TONES}{colours}"


def _parts(card: Card, chart: bytes | None) -> Iterator[str]:
    yield f'<div class="tc is-{card.tone}" data-tone="{card.tone}">'
    yield f'<div class="safety {card.safety}">{_say(card.headline)}</div>'
    yield f'<div class="standing {card.tone}">{_say(card.standing)}</div>'
    if card.progress is not None:
        percent = int(card.progress * 1000) / 10
        yield (
            f'<div class="bar {card.tone}"><div class="trough" role="progressbar" aria-valuemin="0" '
            f'aria-valuemax="100" aria-valuenow="{percent:.1f}"><div class="full" style="width:{percent:.1f}%">'
            f"</div></div><span>{percent:.1f} %</span></div>"
        )
    yield from map(_notice, card.notices)
    if card.rows:
        yield f"<dl>{''.join(map(_row, card.rows))}</dl>"
    if card.life:
        yield f'<ul class="life">{"".join(f"<li>{_say(line)}</li>" for line in card.life)}</ul>'
    if chart is not None:
        yield f'<img alt="The curves of the training" src="data:image/png;base64,{b64encode(chart).decode()}">'


def _say(text: str) -> str:
    """Words of whoever it may be, as nothing but words."""
    return escape(printable(text))


def _notice(notice: Notice) -> str:
    todo = _CODE.sub(r"<code>\1</code>", _say(notice.remedy))
    remedy = f'<div class="remedy">{todo}</div>' if todo else ""
    return f'<div class="notice {notice.tone}">{_say(notice.text)}{remedy}</div>'


def _row(row: Row) -> str:
    more = "".join(f"<div>{_say(line)}</div>" for line in row.more)
    wide = " wide" if row.more else ""
    return (
        f'<div class="row{wide}"><dt>{_say(row.label)}</dt>'
        f'<dd class="{row.tone}"><div>{_say(row.text)}</div>{more}</dd></div>'
    )
