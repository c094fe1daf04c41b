"""How a fault strikes one request: whether it means anything for that one, and what becomes of the bytes it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivesync.testing.faults import (
    CorruptDownload,
    CorruptUpload,
    CutUpload,
    Delay,
    Effect,
    ExpiredUpload,
    OmittedParent,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from drivesync.testing.calls import Call
    from drivesync.testing.exchange import Exchange

_CONTENT_UPLOADS: Final = (".media", ".multipart", ".chunk", ".final")


def applies(effect: Effect, exchange: Exchange, call: Call) -> bool:
    """Whether an effect means something for this request; delays and omissions are drawn elsewhere."""
    if isinstance(effect, (Delay, OmittedParent)):
        return False
    if isinstance(effect, ExpiredUpload):
        return call.kind.startswith("upload.")
    if isinstance(effect, CutUpload):
        return exchange.has_body and "x-http-method-override" not in exchange.headers
    if isinstance(effect, CorruptUpload):
        return exchange.has_body and call.kind.endswith(_CONTENT_UPLOADS)
    if isinstance(effect, CorruptDownload):
        # Damage that no client could notice would only hide what is tested.
        return call.kind.endswith(".get.media")
    return True


def make_spoiler(effect: Effect | None, chance: random.Random) -> Callable[[bytes], bytes]:
    """What to do to the bytes that are uploaded: nothing, or, for ``CorruptUpload``, to flip some.

    Args:
        effect: what strikes the request; None leaves it alone.
        chance: says which bytes.
    """
    if not isinstance(effect, CorruptUpload):
        return bytes
    flips = effect.flips

    def spoil(data: bytes) -> bytes:
        damaged = bytearray(data)
        for _ in range(flips if data else 0):
            damaged[chance.randrange(len(damaged))] ^= 0xFF
        return bytes(damaged)

    return spoil
