"""Texts as bytes: what each darknet stumbles over, and in which line."""

from __future__ import annotations

import pytest

from trainer.checking.files import TextKind, check_text
from trainer.checking.findings import Severity
from trainer.darknet.program import Flavour

E, W = Severity.ERROR, Severity.WARNING
PJ, AX, HK = Flavour.PJ, Flavour.AX, Flavour.HK


@pytest.mark.parametrize(
    ("raw", "kind", "flavour", "found"),
    [
        pytest.param(b"a=1\nb=2", TextKind.DATA, PJ, [], id="clean, without a last line end"),
        pytest.param("é=1\n".encode(), TextKind.CFG, PJ, [], id="UTF-8"),
        pytest.param(b"a\nb\r\nc\r\n", TextKind.CFG, PJ, [(E, "carriage-returns", 2, True)], id="CRLF, PJ"),
        pytest.param(b"a\r\n", TextKind.LIST, AX, [(W, "carriage-returns", 1, True)], id="CRLF, AX"),
        pytest.param(b"a\r\n", TextKind.DATA, HK, [(W, "carriage-returns", 1, True)], id="CRLF, HK"),
        pytest.param(b"a\r\n", TextKind.NAMES, PJ, [(W, "carriage-returns", 1, True)], id="CRLF, names"),
        pytest.param(b"a\rb", TextKind.NAMES, AX, [(E, "carriage-returns", 1, False)], id="CR alone"),
        pytest.param(b"a\rb\r\n", TextKind.DATA, AX, [(E, "carriage-returns", 1, False)], id="both of them"),
        pytest.param(
            b"a\rb\n", TextKind.LIST, AX, [(E, "carriage-returns", 1, True)], id="CR alone in a list"
        ),
        pytest.param(
            b"a\r\r\nb\r", TextKind.LIST, AX, [(W, "carriage-returns", 1, True)], id="two CR, and last"
        ),
        pytest.param(b"\xef\xbb\xbfa", TextKind.CFG, AX, [(E, "byte-order-mark", 1, True)], id="BOM"),
        pytest.param(
            b"\xef\xbb\xbfa", TextKind.NAMES, AX, [(W, "byte-order-mark", 1, True)], id="BOM of names"
        ),
        pytest.param("a=1".encode("utf-16"), TextKind.CFG, AX, [(E, "utf-16", 1, False)], id="UTF-16"),
        pytest.param(b"a\nb\0c\n", TextKind.LIST, AX, [(E, "zero-byte", 2, False)], id="NUL"),
        pytest.param(b"a\n\n\xe9\n", TextKind.LIST, AX, [(W, "not-utf-8", 3, False)], id="Latin-1"),
        pytest.param(
            b"\xef\xbb\xbfa\r\n",
            TextKind.LIST,
            PJ,
            [(E, "byte-order-mark", 1, True), (E, "carriage-returns", 1, True)],
            id="both",
        ),
    ],
)
def test_a_text(
    raw: bytes, kind: TextKind, flavour: Flavour, found: list[tuple[Severity, str, int, bool]]
) -> None:
    findings = list(check_text("x", raw, kind, flavour=flavour))
    assert [(one.severity, one.code, one.line, one.mendable) for one in findings] == found
    assert all(one.path == "x" and one.what and one.effect and one.fix for one in findings)
