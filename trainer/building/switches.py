"""PURE: the switches darknet is built with, and which of them a machine allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from trainer.building.recipe import Recipe
    from trainer.machine.parts import Machine


@dataclass(frozen=True, slots=True)
class Switches:
    """What darknet is built with.

    Attributes:
        gpu: with CUDA.
        cudnn: with cuDNN; never without ``gpu``.
        cudnn_half: with half precision on tensor cores; never without ``cudnn``.
        opencv, openmp, avx: with these.
        arch: nvcc's options for the GPU architectures; empty without ``gpu``.
    """

    gpu: bool = False
    cudnn: bool = False
    cudnn_half: bool = False
    opencv: bool = False
    openmp: bool = False
    avx: bool = False
    arch: str = ""

    def settings(self, known: Collection[str]) -> dict[str, str]:
        """The Makefile's variables and their values, of those that it knows; ARCH last, and only with ``gpu``."""
        raise NotImplementedError

    def arguments(self, known: Collection[str]) -> tuple[str, ...]:
        """The same for make's command line: ("GPU=1", "CUDNN=1", ...)."""
        return tuple(f"{name}={value}" for name, value in self.settings(known).items())


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for; None leaves it to the machine.

    Attributes:
        arch: nvcc's options in place of those for the GPUs found; empty leaves it to these.
    """

    gpu: bool | None = None
    cudnn: bool | None = None
    cudnn_half: bool | None = None
    opencv: bool | None = None
    openmp: bool | None = None
    avx: bool | None = None
    arch: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Switches, and why they are what they are.

    Attributes:
        switches: what to build with.
        notes: why something is off that could be on, or may not work; a sentence each.
    """

    switches: Switches
    notes: tuple[str, ...] = field(default=())


def choose_switches(machine: Machine, recipe: Recipe, wishes: Wishes) -> Choice:
    """Choose the switches that a machine and a tree's recipe allow.

    Raises:
        SettingsError: something was asked for that is not to be had here.
    """
    raise NotImplementedError
