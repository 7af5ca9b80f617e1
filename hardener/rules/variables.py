"""Variables as they are written in instructions, and which declared name a misspelt one was meant to be."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from hardener.record import NamedTuple
from hardener.text import Pattern, Span, View

_USE = Pattern(r"(?<![\\`])\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)([^}\w])?)", re.ASCII)
_QUOTES = Pattern(r"\\.|['\"]", re.DOTALL)
_DIGITS = Pattern(r"\d+")
_MANY: Final = 200  # names that are compared at most


class Use(NamedTuple):
    """One use of a variable; `optional` when an operator such as `:-` says what holds without it."""

    name: str
    optional: bool
    span: Span
    at: int  # offset in the text it was found in


def uses(view: View) -> Iterator[Use]:
    """Yield the variables that a text uses."""
    text = view.text
    if "$" not in text:
        return
    for match in _USE.finditer(text):
        name = match[1]
        end = match.end()
        if name is None:
            name = match[2]
            closing = text.find("}", match.end(2))
            end = match.end(2) if closing < 0 else closing + 1
        yield Use(name, match[3] is not None, view.span(match.start(), end), match.start())


def in_single_quotes(text: str, at: int) -> bool:
    """Whether the character at `at` of a shell text stands between single quotes."""
    quote = ""
    for match in _QUOTES.finditer(text, 0, at):
        mark = match[0]
        if len(mark) == 1 and quote in ("", mark):
            quote = "" if quote else mark
    return quote == "'"


def nearest(word: str, known: Iterable[str], *, letters: int = 2) -> str:
    """Return the name that `word` misspells (one letter off, or `letters` in a long one, and not merely a sibling such as `A1` and
    `A2`), or "".
    """
    best, best_distance = "", 1 + letters if len(word) > 7 else 2
    bare = _DIGITS.sub("", word)
    for count, name in enumerate(known):
        if count == _MANY:
            break
        if name == word or abs(len(name) - len(word)) >= best_distance or len(name) < 3:
            continue
        if _DIGITS.sub("", name) == bare:
            continue
        distance = _distance(word, name) if best_distance > 2 else _one_edit(word, name)
        if distance < best_distance:
            best, best_distance = name, distance
    return best


def _one_edit(left: str, right: str) -> int:
    """Return 1 when one insertion, deletion, replacement or swap of neighbours turns one word into the other, otherwise 2."""
    if left.upper() == right.upper():
        return 1
    shorter = min(len(left), len(right))
    start = 0
    while start < shorter and left[start] == right[start]:
        start += 1
    end = 0
    while end < shorter - start and left[-1 - end] == right[-1 - end]:
        end += 1
    mine, other = left[start : len(left) - end], right[start : len(right) - end]
    return 1 if len(mine) + len(other) <= 1 or len(mine) == len(other) == 1 or (len(mine) == 2 and mine == other[::-1]) else 2


def _distance(left: str, right: str) -> int:
    """Return the number of insertions, deletions, replacements and swaps of neighbours that turn one word into the other."""
    if left.upper() == right.upper():
        return 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for at, char in enumerate(left, 1):
        following = [at]
        for to, other in enumerate(right, 1):
            cost = min(row[to] + 1, following[to - 1] + 1, row[to - 1] + (char != other))
            if before and to > 1 and char == right[to - 2] and left[at - 2] == other:
                cost = min(cost, before[to - 2] + 1)
            following.append(cost)
        before, row = row, following
    return row[-1]
