"""Variables as they are written, and names that were meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.rules.variables import in_single_quotes, nearest, uses
from hardener.text import SourceFile, Span, View


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$A", [("A", False, "$A")]),
        ("x${A}y", [("A", False, "${A}")]),
        ("${A:-b}", [("A", True, "${A:-b}")]),
        ("${A+b}c", [("A", True, "${A+b}")]),
        ("${A", [("A", False, "${A")]),
        (r"\$A", []),
        ("`$A", []),
        ("$1 $$ $", []),
        ("$A_b$C", [("A_b", False, "$A_b"), ("C", False, "$C")]),
    ],
)
def test_uses(text: str, found: list[tuple[str, bool, str]]) -> None:
    file = SourceFile("f", text)
    assert [(use.name, use.optional, file.slice(use.span)) for use in uses(View.of(file, Span(0, len(text))))] == found


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("@", False), ("'@'", True), ("'a' @", False), ('"\'" @', False), ('"it\'s @"', False), (r"\' @", False), ("'a\" @", True)],
)
def test_in_single_quotes(text: str, quoted: bool) -> None:
    assert in_single_quotes(text, text.index("@")) is quoted


@pytest.mark.parametrize(
    ("word", "known", "letters", "meant"),
    [
        ("VERSOIN", ["VERSION"], 1, "VERSION"),
        ("VERSIO", ["VERSION"], 1, "VERSION"),
        ("VERSIONS", ["VERSION"], 1, "VERSION"),
        ("version", ["VERSION"], 1, "VERSION"),
        ("PORT2", ["PORT1"], 1, ""),
        ("VERSION", ["VERSION"], 1, ""),
        ("APP_VERSON_", ["APP_VERSION"], 1, ""),
        ("APP_VERSON_", ["APP_VERSION"], 2, "APP_VERSION"),
        ("AB", ["AC"], 1, ""),
        ("NAME", ["GAME", "NAMES"], 1, "GAME"),
    ],
)
def test_nearest(word: str, known: list[str], letters: int, meant: str) -> None:
    assert nearest(word, known, letters=letters) == meant


@given(st.text("ABC_", min_size=3, max_size=12), st.text("ABC_", min_size=3, max_size=12))
def test_both_ways_of_measuring_agree_on_one_letter(word: str, name: str) -> None:
    """Whatever is found with one letter is found with two."""
    if nearest(word, [name], letters=1):
        assert nearest(word, [name], letters=2) == name
