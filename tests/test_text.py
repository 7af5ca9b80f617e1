"""Positions, views, and patterns that are compiled late."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import HardenError, suggest
from hardener.text import Pattern, Position, SourceFile, Span, View, ViewBuilder


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("", 0, (1, 1)),
        ("ab\ncd", 0, (1, 1)),
        ("ab\ncd", 2, (1, 3)),
        ("ab\ncd", 3, (2, 1)),
        ("ab\r\ncd", 4, (2, 1)),
        ("a\rb", 2, (1, 3)),  # a lone CR ends no line
        ("a\x0cb\u2028c", 4, (1, 5)),  # nor does a form feed or a line separator
        ("\ufeffab", 1, (1, 1)),  # a byte order mark takes no column
        ("\ufeffa\nb", 3, (2, 1)),
        ("é😀x", 2, (1, 3)),  # columns are code points
        ("a\n", 2, (2, 1)),
    ],
)
def test_position(text: str, offset: int, expected: tuple[int, int]) -> None:
    assert SourceFile("f", text).position(offset) == Position(*expected)


@pytest.mark.parametrize(
    ("text", "span", "lines"),
    [
        ("ab\ncd\nef", (3, 5), "cd"),
        ("ab\r\ncd\r\n", (0, 5), "ab\ncd"),
        ("\ufeffab\n", (1, 2), "ab"),
        ("ab\n", (0, 3), "ab"),
        ("ab", (2, 2), "ab"),
    ],
)
def test_excerpt(text: str, span: tuple[int, int], lines: str) -> None:
    assert SourceFile("f", text).excerpt(Span(*span)) == lines


@given(st.text(alphabet="a\r\n", max_size=30))
def test_lines_are_those_of_a_split_at_newlines(text: str) -> None:
    file = SourceFile("f", text)
    lines = text.split("\n")
    assert len(file.line_starts) == len(lines)
    for number, line in enumerate(lines, start=1):
        span = file.line_span(number)
        assert text[span.start : span.end] == (line[:-1] if line.endswith("\r") and number < len(lines) else line)


@pytest.mark.parametrize(
    ("data", "what", "where"),
    [(b"a\0b", "binary", "f"), (b"a\nb\xff", "not valid UTF-8", "f:2")],
)
def test_what_cannot_be_decoded_says_where(data: bytes, what: str, where: str) -> None:
    with pytest.raises(HardenError) as caught:
        SourceFile.decode("f", data)
    assert what in caught.value.what
    assert caught.value.where == where
    assert caught.value.how


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=6), st.integers(0, 60), st.integers(0, 60))
def test_a_view_maps_every_character_to_where_it_came_from(pieces: list[tuple[int, int]], start: int, end: int) -> None:
    text = "".join(chr(ord("a") + index % 26) for index in range(40))
    builder = ViewBuilder()
    offsets: list[int] = []
    for at, length in pieces:
        builder.add(text[at : at + length], at)
        offsets += range(at, min(at + length, len(text)))
    view = builder.build()
    assert view.text == "".join(text[offset] for offset in offsets)
    assert [view.offset(index) for index in range(len(view.text))] == offsets
    start, end = sorted((min(start, len(offsets)), min(end, len(offsets))))
    part = view.sub(start, end)
    assert part.text == view.text[start:end]
    assert [part.offset(index) for index in range(len(part.text))] == offsets[start:end]
    if start < end:
        assert view.span(start, end) == (offsets[start], offsets[end - 1] + 1)


def test_an_empty_view_has_a_place() -> None:
    assert View("", [0], [7], 7).span(0, 0) == (7, 7)
    assert View.of(SourceFile("f", "abc"), Span(1, 3)).text == "bc"


def test_a_pattern_is_compiled_once_and_late() -> None:
    with pytest.raises(re.error):
        assert Pattern("(").compiled
    pattern = Pattern("B+", re.IGNORECASE)
    assert pattern.compiled is pattern.compiled
    assert pattern.search("abbc") is not None
    assert pattern.match("abbc") is None
    assert pattern.match("abbc", 1) is not None
    assert pattern.fullmatch("abbc", 1, 3) is not None
    assert pattern.findall("abbcb") == ["bb", "b"]
    assert [match.span() for match in pattern.finditer("abbcb")] == [(1, 3), (4, 5)]
    assert pattern.split("abbc") == ["a", "c"]
    assert pattern.sub("-", "abbcb") == "a-c-"


def test_suggest() -> None:
    assert suggest("lnit", ["lint", "rules"]) == "did you mean 'lint'?"
    assert suggest("xyz", ["lint", "rules"]) == ""
