"""Where an option stands, as darknet reads it."""

from __future__ import annotations

from trainer.checking.rows import Option, find_line, read_options, read_rows

TEXT = "# a comment\n[net]\nbatch = 4\n\n[yolo]\n;mask=9\n mask = 0, 1\nmask=2\nrandom\n"


def test_empty_lines_and_comments_count_as_lines_and_say_nothing() -> None:
    assert list(read_rows(TEXT)) == [
        (2, "[net]"), (3, "batch = 4"), (5, "[yolo]"), (7, "mask = 0, 1"), (8, "mask=2"), (9, "random")
    ]  # fmt: skip


def test_the_options_of_a_section_end_with_it() -> None:
    assert list(read_options(TEXT, 2)) == [Option(3, "batch", "4", "4")]
    assert list(read_options(TEXT, 5)) == [Option(7, "mask", "0,1", "0, 1"), Option(8, "mask", "2", "2")]
    assert list(read_options("a=1\n")) == [Option(1, "a", "1", "1")]
    assert list(read_options(TEXT)) == []


def test_of_two_the_first_counts_and_of_none_the_section() -> None:
    assert find_line(TEXT, 5, "mask") == 7
    assert find_line(TEXT, 5, "anchors") == 5
