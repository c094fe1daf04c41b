"""What nvcc is told for each GPU and each CUDA."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivesync.errors import SettingsError
from trainer.building.arch import (
    NATIVE,
    Target,
    Version,
    capabilities_of,
    choose_arch,
    choose_target,
    gencode,
    parse_arch,
    read_gencode,
)
from trainer.machine.parts import Cuda, Gpu


def gpu(name: str, capability: Version | None) -> Gpu:
    return Gpu(name, capability, memory_bytes=16 << 30, driver="570.86.15", cuda=(13, 0))


def cuda(*version: int, capabilities: tuple[Version, ...] = ()) -> Cuda:
    root = Path("/usr/local/cuda")
    return Cuda((version[0], version[1]), root / "bin" / "nvcc", root, capabilities)


T4 = gpu("Tesla T4", (7, 5))
L4 = gpu("NVIDIA L4", (8, 9))
A100 = gpu("NVIDIA A100-SXM4-40GB", (8, 0))
H100 = gpu("NVIDIA H100 80GB HBM3", (9, 0))
B200 = gpu("NVIDIA B200", (10, 0))
K80 = gpu("Tesla K80", (3, 7))
P100 = gpu("Tesla P100-PCIE-16GB", (6, 0))


@pytest.mark.parametrize(
    ("version", "oldest", "newest"),
    [
        pytest.param((10, 0), (3, 0), (7, 5), id="10.0"),
        pytest.param((10, 2), (3, 0), (7, 5), id="10.2"),
        pytest.param((11, 0), (3, 5), (8, 0), id="11.0: A100"),
        pytest.param((11, 1), (3, 5), (8, 6), id="11.1"),
        pytest.param((11, 4), (3, 5), (8, 7), id="11.4"),
        pytest.param((11, 8), (3, 5), (9, 0), id="11.8: L4 and H100"),
        pytest.param((12, 0), (5, 0), (9, 0), id="12.0: Kepler is gone"),
        pytest.param((12, 7), (5, 0), (9, 0), id="12.7"),
        pytest.param((12, 8), (5, 0), (12, 0), id="12.8: Blackwell"),
        pytest.param((12, 9), (5, 0), (12, 1), id="12.9"),
        pytest.param((13, 0), (7, 5), (12, 1), id="13.0: all before Turing is gone"),
        pytest.param((13, 2), (7, 5), (12, 1), id="one that is not out yet"),
    ],
)
def test_a_cuda_knows_what_its_release_notes_say(version: Version, oldest: Version, newest: Version) -> None:
    known = capabilities_of(version)
    assert (known[0], known[-1]) == (oldest, newest)
    assert list(known) == sorted(known)


def test_cuda_13_knows_what_its_nvcc_lists() -> None:
    listed = "75 80 86 87 88 89 90 100 110 103 120 121"
    assert set(capabilities_of((13, 0))) == {
        (int(word[:-1]), int(word[-1])) for word in listed.split()
    }  # nvcc --list-gpu-arch of 13.0.88


@pytest.mark.parametrize(
    ("gpus", "version", "options"),
    [
        pytest.param([T4], (12, 8), "-gencode arch=compute_75,code=[sm_75,compute_75]", id="T4"),
        pytest.param([L4], (12, 8), "-gencode arch=compute_89,code=[sm_89,compute_89]", id="L4"),
        pytest.param([A100], (11, 0), "-gencode arch=compute_80,code=[sm_80,compute_80]", id="A100"),
        pytest.param([H100], (13, 0), "-gencode arch=compute_90,code=[sm_90,compute_90]", id="H100"),
        pytest.param(
            [B200], (12, 8), "-gencode arch=compute_100,code=[sm_100,compute_100]", id="three digits"
        ),
        pytest.param([T4, T4], (12, 8), "-gencode arch=compute_75,code=[sm_75,compute_75]", id="two alike"),
        pytest.param(
            [L4, T4],
            (12, 8),
            "-gencode arch=compute_75,code=[sm_75,compute_75] -gencode arch=compute_89,code=[sm_89,compute_89]",
            id="two that differ: one for each, the lesser first",
        ),
        pytest.param([L4], (11, 7), "-gencode arch=compute_87,code=compute_87", id="too new: PTX only"),
        pytest.param([H100], (11, 0), "-gencode arch=compute_80,code=compute_80", id="too new by far"),
        pytest.param(
            [gpu("NVIDIA B300", (10, 3))], (12, 8), "-gencode arch=compute_101,code=compute_101", id="a gap"
        ),
        pytest.param(
            [A100, H100],
            (11, 0),
            "-gencode arch=compute_80,code=[sm_80,compute_80]",
            id="the PTX of the one serves the other",
        ),
    ],
)
def test_nvcc_compiles_for_exactly_these_gpus(gpus: list[Gpu], version: Version, options: str) -> None:
    chosen = choose_arch(gpus, cuda(*version))
    assert chosen.options == options
    assert not chosen.problem


def test_what_nvcc_says_that_it_knows_counts_more_than_the_table() -> None:
    chosen = choose_arch([H100], cuda(12, 8, capabilities=((7, 5), (8, 0))))
    assert chosen.options == "-gencode arch=compute_80,code=compute_80"


def test_a_gpu_that_is_too_new_is_named_in_a_note() -> None:
    chosen = choose_arch([L4], cuda(11, 7))
    assert len(chosen.notes) == 1
    assert "NVIDIA L4" in chosen.notes[0]
    assert "8.9" in chosen.notes[0]


@pytest.mark.parametrize(
    ("old", "version", "last"),
    [
        pytest.param(K80, (12, 8), "11.8", id="K80, CUDA 12"),
        pytest.param(P100, (13, 0), "12.9", id="P100, CUDA 13"),
    ],
)
def test_a_gpu_that_is_too_old_is_a_problem_that_names_the_last_cuda_for_it(
    old: Gpu, version: Version, last: str
) -> None:
    chosen = choose_arch([old], cuda(*version))
    assert chosen.options == ""
    assert old.name in chosen.problem
    assert f"CUDA {last} is the last that does" in chosen.problem


def test_one_that_is_older_than_all_tables_is_a_problem_without_advice() -> None:
    chosen = choose_arch([gpu("GeForce GTX 580", (2, 0))], cuda(12, 8))
    assert chosen.problem.endswith("compiles for 5.0 and newer.")


def test_of_two_gpus_the_one_that_is_too_old_is_left_out() -> None:
    chosen = choose_arch([K80, T4], cuda(12, 8))
    assert chosen.options == "-gencode arch=compute_75,code=[sm_75,compute_75]"
    assert chosen.oldest == (7, 5)
    assert "Tesla K80" in chosen.notes[0]


@pytest.mark.parametrize(
    ("version", "options"),
    [
        pytest.param((12, 8), NATIVE, id="nvcc asks the GPU"),
        pytest.param((11, 4), "", id="this nvcc cannot: the Makefile's own"),
    ],
)
def test_a_gpu_that_does_not_say_what_it_is(version: Version, options: str) -> None:
    chosen = choose_arch([gpu("NVIDIA Graphics Device", None)], cuda(*version))
    assert (chosen.options, chosen.oldest, chosen.problem) == (options, None, "")
    assert chosen.notes


@pytest.mark.parametrize(
    ("text", "options"),
    [
        pytest.param("7.5", "-gencode arch=compute_75,code=[sm_75,compute_75]", id="as NVIDIA writes it"),
        pytest.param("sm_75", "-gencode arch=compute_75,code=[sm_75,compute_75]", id="as nvcc writes it"),
        pytest.param(
            "90; 75",
            "-gencode arch=compute_75,code=[sm_75,compute_75] -gencode arch=compute_90,code=[sm_90,compute_90]",
            id="two",
        ),
        pytest.param(
            "12.0", "-gencode arch=compute_120,code=[sm_120,compute_120]", id="two digits before the dot"
        ),
        pytest.param("-arch=sm_75", "-arch=sm_75", id="nvcc's own options"),
    ],
)
def test_what_the_user_asks_for_is_understood(text: str, options: str) -> None:
    assert parse_arch(text, cuda(12, 8)).options == options


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("turing", "'turing' is no compute capability", id="a word"),
        pytest.param("", "'' is no compute capability", id="nothing"),
        pytest.param("7.5,3.5", "not for 3.5", id="one that this CUDA does not know"),
        pytest.param("7.55", "'7.55' is no compute capability", id="a digit too many"),
    ],
)
def test_what_is_no_capability_is_refused(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_arch(text, cuda(12, 8))


@pytest.mark.parametrize("version", [(10, 2), (11, 8), (12, 9), (13, 0)])
def test_what_is_put_into_options_is_read_from_them(version: Version) -> None:
    targets = tuple(Target(each, exact=exact) for each in capabilities_of(version) for exact in (True, False))
    assert read_gencode(gencode(targets)) == targets


def test_options_of_other_kinds_hold_no_targets() -> None:
    assert read_gencode("-arch=native") == ()
    assert read_gencode("-gencode arch=compute_90a,code=sm_90a") == (Target((9, 0), exact=False),)


def test_a_gpu_before_all_that_nvcc_knows_has_no_target() -> None:
    assert choose_target((7, 0), ((7, 5), (8, 0))) is None
