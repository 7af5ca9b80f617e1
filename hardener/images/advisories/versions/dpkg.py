"""Versions of Debian packages: [epoch:]upstream[-revision], compared as dpkg does.

Source: deb-version(7), and "Version" in the Debian Policy Manual: letters sort before all else, a tilde before even the end.
"""

import re
from itertools import zip_longest
from typing import Final

_ALLOWED: Final = re.compile(r"[A-Za-z0-9.+~:-]+", re.ASCII)
_PARTS: Final = re.compile(r"([^0-9]*)([0-9]*)", re.ASCII)


def compare(one: str, other: str) -> int | None:
    """Return how `one` compares with `other`; None when one of them is no version of a Debian package."""
    left, right = _split(one), _split(other)
    if left is None or right is None:
        return None
    if left[0] != right[0]:
        return -1 if left[0] < right[0] else 1
    return _order(left[1], right[1]) or _order(left[2], right[2])


def _split(text: str) -> tuple[int, str, str] | None:
    """Return epoch, upstream version and revision."""
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    elif not revision:
        return None
    if not upstream or not epoch.isdecimal() or not epoch.isascii() or len(epoch) > 10 or len(text) > 1000:
        return None
    if not _ALLOWED.fullmatch(upstream) or (revision and not _ALLOWED.fullmatch(revision)):
        return None
    return int(epoch), upstream, revision


def _order(one: str, other: str) -> int:
    for (left, left_number), (right, right_number) in zip_longest(_PARTS.findall(one), _PARTS.findall(other), fillvalue=("", "")):
        for a, b in zip_longest(left, right, fillvalue=""):
            if a != b:
                return -1 if _weight(a) < _weight(b) else 1
        a_value, b_value = int(left_number or 0), int(right_number or 0)
        if a_value != b_value:
            return -1 if a_value < b_value else 1
    return 0


def _weight(character: str) -> int:
    if character == "~":
        return -1
    if not character:
        return 0
    return ord(character) if character.isalpha() else ord(character) + 256
