"""Env files: what they assign and where it stands. The same files through Docker Compose: fixtures 012 to 014."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.sources.compose import dotenv
from hardener.sources.expansion import HOLE
from hardener.sources.service import Binding, Problem
from hardener.text import SourceFile


def _lookup(name: str) -> Binding | None:
    return Binding("outer") if name == "OUTER" else None


def _read(text: str, *, raw: bool = False) -> list[tuple[str, str | None]]:
    return [(item.name, item.text) for item in dotenv.read(SourceFile(".env", text), _lookup, raw=raw)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", [("A", "1")]),
        ("A=1\r\nB=2\r\n", [("A", "1"), ("B", "2")]),
        ("\ufeffA=1", [("A", "1")]),
        ("\n\n # c\nA=1 # c\n#B=2", [("A", "1")]),
        ("A=a#b", [("A", "a#b")]),
        ("A=\nB=x", [("A", ""), ("B", "x")]),
        ("export A=1", [("A", "1")]),
        ("exported=1", [("exported", "1")]),
        ("A : 1", [("A", "1")]),
        ("A = 1 2 ", [("A", "1 2")]),
        ("A='x # y' # c", [("A", "x # y")]),
        ('A="x\\ny"', [("A", "x\ny")]),
        ("A='x\\ny'", [("A", "x\\ny")]),
        ("A='it\\'s'", [("A", "it's")]),
        ('A="say \\"x\\""', [("A", 'say "x"')]),
        ('A="1\n2"\nB=3', [("A", "1\n2"), ("B", "3")]),
        ('A="\\$B \\\\ \\x \\0101 \\01"', [("A", "$B \\ \\x A \\01")]),
        ("A=1\nB=$A${A}", [("A", "1"), ("B", "11")]),
        ("A='$B'", [("A", "$B")]),
        ('B=x\nA="$B $$B"', [("B", "x"), ("A", "x $B")]),
        ("A=$NOPE-x", [("A", f"{HOLE}-x")]),
        ("A=${NOPE:-d}", [("A", "d")]),
        ("OUTER=inner\nA=$OUTER", [("OUTER", "inner"), ("A", "outer")]),
        ("A\nB=1", [("A", None), ("B", "1")]),
        ("OUTER", [("OUTER", "outer")]),
        ("A.b-c[0]=1", [("A.b-c[0]", "1")]),
        ("", []),
        ("#", []),
    ],
)
def test_values(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert _read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('A="q" # c', [("A", '"q" # c')]),
        ("  A= 1 \r\nB", [("A", " 1 "), ("B", None)]),
        ("# c\n\nA=$B\n", [("A", "$B")]),
        ("\ufeffOUTER", [("OUTER", "outer")]),
    ],
)
def test_raw_values(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert _read(text, raw=True) == expected


@pytest.mark.parametrize(
    ("text", "key", "value", "mapped"),
    [
        ("A=1 # c", "A", "1", True),
        ("export A = 'x y'", "A", "x y", True),
        ('A="x\\ny"', "A", "x\\ny", False),
        ("A=$A", "A", "$A", False),
        ("\ufeffA=", "A", "", True),
    ],
)
def test_places(text: str, key: str, value: str, mapped: bool) -> None:
    (item,) = dotenv.read(SourceFile(".env", text), _lookup)
    assert (item.key.text, item.place.text, item.view is not None) == (key, value, mapped)


def test_variables_point_to_their_lines() -> None:
    _, second = dotenv.read(SourceFile(".env", "A=1\nB=$A\n"), _lookup)
    assert [(place.at, note) for place, note in second.history] == [(".env:1:3", "the variable is set here")]


@pytest.mark.parametrize(
    ("text", "raw", "found", "wrong"),
    [
        ('A=1\nB="x\nC=3', False, 1, '"x'),
        ("A=1\nB C=2", False, 1, "B C"),
        ("A=1\n{B}=2", False, 1, "{B}=2"),
        ("A=${B", False, 0, "${B"),
        ("A=1\nB C=2", True, 1, "B C"),
        ("=x", True, 0, ""),
    ],
)
def test_what_cannot_be_read(text: str, raw: bool, found: int, wrong: str) -> None:
    problems: list[Problem] = []
    assert len(dotenv.read(SourceFile(".env", text), _lookup, problems, raw=raw)) == found
    assert [(problem.code, problem.place.text) for problem in problems] == [("invalid-env-file", wrong)]


@given(st.text(alphabet="AB=:\"'\\$ {}#\n\r\t-x\ufeff\0", max_size=60), st.booleans())
def test_never_raises_and_spans_are_inside(text: str, raw: bool) -> None:
    file = SourceFile(".env", text)
    for item in dotenv.read(file, _lookup, raw=raw):
        assert 0 <= item.key.span.start <= item.key.span.end <= len(text)
        assert 0 <= item.place.span.start <= item.place.span.end <= len(text)
        assert item.key.text == item.name
        if item.view is not None:
            assert item.view.text == item.text
