"""Spans as reports show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.finding import locate
from hardener.text import Position, SourceFile, Span


@pytest.mark.parametrize(
    ("text", "span", "start", "end", "lines"),
    [
        ("FROM x\n", (5, 6), (1, 6), (1, 7), "FROM x"),
        ("a\r\nbc\r\n", (3, 5), (2, 1), (2, 3), "bc"),
        ("a\nbc\n", (2, 5), (2, 1), (3, 1), "bc"),
        ("a\nbc\n", (0, 3), (1, 1), (2, 2), "a\nbc"),
        ("a\n", (2, 2), (2, 1), (2, 1), ""),
        ("", (0, 0), (1, 1), (1, 1), ""),
        ("\ufeffa\n", (0, 2), (1, 1), (1, 2), "a"),
        ("\ufeffa\n", (0, 0), (1, 1), (1, 1), "a"),
    ],
)
def test_a_location_has_positions_and_whole_lines(
    text: str, span: tuple[int, int], start: tuple[int, int], end: tuple[int, int], lines: str
) -> None:
    place = locate(SourceFile("f", text), Span(*span))
    assert (place.start, place.end, place.lines) == (Position(*start), Position(*end), lines)


def test_a_byte_order_mark_is_no_part_of_a_location() -> None:
    assert locate(SourceFile("f", "\ufeffa"), Span(0, 2)).span == Span(1, 2)


def test_places_on_one_line_share_its_text() -> None:
    file = SourceFile("f", "x\n" + "y" * 100 + "\n")
    assert locate(file, Span(2, 3)).lines is locate(file, Span(50, 60)).lines


@given(st.text(st.sampled_from("ab\n🐳\t"), max_size=20), st.data())
def test_the_text_of_a_location_is_that_of_its_span(text: str, data: st.DataObject) -> None:
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    file = SourceFile("f", text)
    assert locate(file, Span(start, end)).text == file.slice(Span(start, end))
