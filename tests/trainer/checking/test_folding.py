"""Of many findings of a kind the first are listed, and none is lost from the count."""

from __future__ import annotations

from trainer.checking.findings import Finding, Severity
from trainer.checking.folding import FoldedFinding, Folding


def finding(path: str, code: str = "x", *, mendable: bool = True) -> Finding:
    return Finding(Severity.ERROR, code, path, 1, "What.", "Effect.", "Fix.", mendable)


def test_few_are_passed_on() -> None:
    folding = Folding(keep=2)
    few = [finding("a"), finding("b"), finding("c", "y")]
    assert list(folding.sift(few)) == few
    assert list(folding.rest()) == []


def test_one_stands_for_the_rest() -> None:
    folding = Folding(keep=2)
    many = [finding(str(number)) for number in range(5)]
    assert list(folding.sift(many)) == many[:2]
    (rest,) = folding.rest()
    assert (rest.path, rest.count, rest.others) == ("2", 3, ("3", "4"))


def test_paths_are_kept_only_for_mending() -> None:
    folding = Folding(keep=1)
    list(folding.sift([finding(str(number), mendable=False) for number in range(5)]))
    (rest,) = folding.rest()
    assert (rest.count, rest.others) == (4, ())


def test_folded_ones_are_folded_again() -> None:
    inner, outer = Folding(keep=1), Folding(keep=1)
    folded = [*inner.sift([finding(str(number)) for number in range(3)]), *inner.rest()]
    listed = list(outer.sift([*folded, finding("9")]))
    (rest,) = outer.rest()
    assert [one.path for one in listed] == ["0"]
    assert rest == FoldedFinding(
        Severity.ERROR, "x", "1", 1, "What.", "Effect.", "Fix.", mendable=True, count=3, others=("2", "9")
    )
