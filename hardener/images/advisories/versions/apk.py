"""Versions of Alpine packages: digits{.digits}{letter}{_suffix{digits}}{~hash}{-r#}, compared as apk does.

Source: "Package versions" in apk-package(5) of apk-tools, and how Gentoo, whose scheme it takes up, compares parts with a leading zero.
"""

import re
from typing import Final

_WHOLE: Final = re.compile(r"([0-9]+)((?:\.[0-9]+)*)([a-z]?)((?:_[a-z]+[0-9]*)*)(?:~([0-9a-f]+))?(?:-r([0-9]+))?", re.ASCII)
_SUFFIX: Final = re.compile(r"_([a-z]+)([0-9]*)", re.ASCII)
_SUFFIXES: Final = ("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p")  # lowest first; "" is none
_NONE: Final = _SUFFIXES.index("")
_LONGEST: Final = 18  # digits that apk takes in one number
# What may stand at a place of a version, in the order in which a version that goes on with it is the higher one.
_DIGITS, _LETTER, _SUFFIX_NAME, _SUFFIX_NUMBER, _HASH, _REVISION, _END = range(7)

Token = tuple[int, int, str]  # what it is, its number, its text


def compare(one: str, other: str) -> int | None:
    """Return how `one` compares with `other`; None when one of them is no version of an Alpine package."""
    left, right = _tokens(one), _tokens(other)
    if left is None or right is None:
        return None
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a[0] != b[0]:
            return _unlike(a, b)
        if a[0] == _END:
            break
        # A part behind a point that begins with a zero is a decimal fraction: 1.05 is below 1.1.
        textual = a[0] == _HASH or (a[0] == _DIGITS and index and "0" in (a[2][:1], b[2][:1]))
        if textual and a[2] != b[2]:
            return -1 if a[2] < b[2] else 1
        if not textual and a[1] != b[1]:
            return -1 if a[1] < b[1] else 1
    return 0


def _unlike(a: Token, b: Token) -> int:
    if a[0] == _SUFFIX_NAME and a[1] < _NONE:
        return -1
    if b[0] == _SUFFIX_NAME and b[1] < _NONE:
        return 1
    return 1 if a[0] < b[0] else -1


def _tokens(text: str) -> list[Token] | None:
    found = _WHOLE.fullmatch(text)
    if found is None:
        return None
    first, more, letter, suffixes, commit, revision = found.groups()
    tokens: list[Token] = [(_DIGITS, int(first) if len(first) <= _LONGEST else -1, first)]
    tokens += [(_DIGITS, int(part) if len(part) <= _LONGEST else -1, part) for part in more.split(".")[1:]]
    if letter:
        tokens.append((_LETTER, ord(letter), letter))
    for name, number in _SUFFIX.findall(suffixes):
        if name not in _SUFFIXES:
            return None
        tokens.append((_SUFFIX_NAME, _SUFFIXES.index(name), name))
        if number:
            tokens.append((_SUFFIX_NUMBER, int(number) if len(number) <= _LONGEST else -1, number))
    if commit:
        tokens.append((_HASH, 0, commit))
    if revision:
        tokens.append((_REVISION, int(revision) if len(revision) <= _LONGEST else -1, revision))
    if any(token[1] < 0 for token in tokens):
        return None
    return [*tokens, (_END, 0, "")]
