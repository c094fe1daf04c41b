"""How fast it goes, by a clock that is moved by hand."""

from __future__ import annotations

import random

import pytest

from trainer.learning.pace import Pace


class Training:
    """Does iterations one after the other, and tells ``pace``."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.now_s = 50_000.0
        self.iteration = 0

    def train(self, iterations: int, iteration_s: float) -> None:
        for _ in range(iterations):
            self.now_s += iteration_s
            self.iteration += 1
            self.pace.count(self.iteration, self.now_s)

    def restart(self, iteration: int, after_s: float) -> None:
        self.pace.begin()
        self.now_s += after_s
        self.iteration = iteration


@pytest.fixture
def training() -> Training:
    return Training()


@pytest.mark.parametrize("iteration_s", [0.01, 0.4, 2.0, 7.5, 240.0])
def test_what_goes_evenly(iteration_s: float, training: Training) -> None:
    training.train(1, iteration_s)
    assert training.pace.per_minute is training.pace.left_s(10) is training.pace.iteration_s is None
    training.train(int(600 / iteration_s) + 3, iteration_s)
    assert training.pace.per_minute == pytest.approx(60.0 / iteration_s, rel=0.01)
    assert training.pace.left_s(1000) == pytest.approx(1000 * iteration_s, rel=0.01)
    assert training.pace.left_s(-1) == 0.0


def test_it_follows_within_minutes(training: Training) -> None:
    training.train(3600, 1.0)
    training.train(150, 2.0)
    assert training.pace.iteration_s == pytest.approx(2.0, rel=0.01)


def test_saves_count(training: Training) -> None:
    """One second after every 25 s: that is no pause but a part of the pace."""
    for _ in range(40):
        training.train(100, 0.25)
        training.now_s += 1.0
    assert training.pace.iteration_s == pytest.approx(26.0 / 100.0, rel=0.02)


def test_map_passes_count_and_make_nothing_jump(training: Training) -> None:
    """Three minutes after each half hour: what is foretold is within a twentieth of the truth, whenever it is asked."""
    for _ in range(3):
        training.train(1800, 1.0)
        training.now_s += 180.0
    truth_s = (1800 + 180) / 1800
    told = []
    for _ in range(3):
        for _ in range(1800):
            training.train(1, 1.0)
            told.append(training.pace.iteration_s or 0.0)
        training.now_s += 180.0
    assert max(told) <= 1.05 * truth_s
    assert min(told) >= 0.95 * truth_s


def test_images_of_many_sizes_are_averaged(training: Training) -> None:
    """With ``random=1`` ten iterations each have another size, of which the largest takes four times the smallest."""
    dice = random.Random(1)
    sizes = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    for _ in range(100):
        training.train(10, dice.choice(sizes))
    assert training.pace.iteration_s == pytest.approx(1.25, rel=0.15)


def test_a_restart_is_no_sign_of_how_fast_it_goes_on(training: Training) -> None:
    training.train(600, 0.5)
    before_s = training.pace.iteration_s
    for _ in range(5):
        training.restart(500, after_s=300.0)
        assert training.pace.iteration_s == before_s
        training.train(100, 0.5)
    assert training.pace.iteration_s == pytest.approx(0.5, rel=0.01)


def test_iterations_that_are_taken_back_are_not_counted_without_a_word(training: Training) -> None:
    training.train(100, 1.0)
    training.iteration = 20
    training.train(100, 1.0)
    assert training.pace.iteration_s == pytest.approx(1.0, rel=0.01)


def test_a_machine_that_has_become_slow_is_believed(training: Training) -> None:
    training.train(1200, 0.5)
    training.train(300, 5.0)
    assert training.pace.iteration_s == pytest.approx(5.0, rel=0.15)


def test_a_long_training_is_not_remembered_whole(training: Training) -> None:
    training.train(40_000, 0.5)
    assert len(training.pace._stretches) <= 300 / 2 + 1
