"""Generates a small darknet tree on the command line."""

from __future__ import annotations

from pathlib import Path

import click

from trainer.testing.tree import SHAPES, make_tree


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--images",
    default=24,
    show_default=True,
    help="Training images; a quarter as many test images come on top.",
)
@click.option(
    "--negatives", default=4, show_default=True, help="How many of the training images show nothing."
)
@click.option(
    "--classes",
    default="circle,square",
    show_default=True,
    help=f"What is drawn, out of {', '.join(SHAPES)}.",
)
@click.option(
    "--size-px", default=64, show_default=True, help="Side of images and network, a multiple of 32."
)
@click.option(
    "--batch", default=4, show_default=True, help="Images per iteration; more of them train more slowly."
)
@click.option(
    "--filters",
    default=8,
    show_default=True,
    help="Width of the network's first layer; weights grow with its square.",
)
@click.option("--max-batches", default=300, show_default=True, help="Iterations to train.")
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same tree.")
def main(directory: Path, classes: str, **numbers: int) -> None:
    """Generate a small tree in the tutorial's layout in DIRECTORY."""
    try:
        tree = make_tree(directory, classes=tuple(classes.split(",")), **numbers)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(
        f"{tree.root}: {len(tree.train)} images of {', '.join(tree.classes)}, {tree.max_batches} iterations"
    )


if __name__ == "__main__":
    main()
