"""A compiled darknet that was fetched: it is proven in a private place, and only then put into the tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.building.key import BuildKey
    from trainer.building.manifest import Product


@dataclass(frozen=True, slots=True)
class Fetched:
    """Files that lie in ``folder`` as they are to lie in the tree, each equal to what its manifest says.

    Attributes:
        key: what they were compiled from and with.
        folder: private, within the tree; ``folder / product.path``.
        products: sorted by path.
        built_at_s: when they were compiled, Unix time.
    """

    key: BuildKey
    folder: Path
    products: tuple[Product, ...]
    built_at_s: float


def allow_run(fetched: Fetched) -> None:
    """Give those the run bit that are to have it: from here on they may be executed, to prove them."""
    raise NotImplementedError


def place(fetched: Fetched, tree: Path) -> None:
    """Put all of it into the tree, each file at once; to be called once it is proven."""
    raise NotImplementedError


def discard(fetched: Fetched) -> None:
    """Remove it: it was not what it had to be."""
    raise NotImplementedError
