"""Versions of npm packages, and of whatever else an advisory numbers by semver.org.

Missing parts count as zero ("1.2" is 1.2.0), as those who compare advisories do; build metadata takes no part.
Source: Semantic Versioning 2.0.0, section 11.
"""

import re
from typing import Final

_WHOLE: Final = re.compile(
    r"[v=]?(0|[1-9][0-9]*)(?:\.(0|[1-9][0-9]*))?(?:\.(0|[1-9][0-9]*))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)

Version = tuple[tuple[int, ...], tuple[str, ...]]


def compare(one: str, other: str) -> int | None:
    """Return how `one` compares with `other`; None when one of them is no semantic version."""
    left, right = version(one), version(other)
    return None if left is None or right is None else order(left, right)


def version(text: str) -> Version | None:
    """Return the numbers of a version and the identifiers of its pre-release; None when the text is no version."""
    found = _WHOLE.fullmatch(text) if len(text) <= 256 else None
    if found is None:
        return None
    before = tuple(found[4].split(".")) if found[4] else ()
    if any(not word or (_is_number(word) and len(word) > 1 and word[0] == "0") for word in before):
        return None
    return tuple(int(found[index] or 0) for index in (1, 2, 3)), before


def order(left: Version, right: Version) -> int:
    """Return how two versions compare."""
    if left[0] != right[0]:
        return -1 if left[0] < right[0] else 1
    if not left[1] or not right[1]:  # a pre-release is below its release
        return bool(right[1]) - bool(left[1])
    for a, b in zip(left[1], right[1], strict=False):
        if a == b:
            continue
        a_number, b_number = _is_number(a), _is_number(b)
        if a_number and b_number:
            return -1 if int(a) < int(b) else 1
        if a_number != b_number:
            return -1 if a_number else 1
        return -1 if a < b else 1
    return (len(left[1]) > len(right[1])) - (len(left[1]) < len(right[1]))


def _is_number(word: str) -> bool:
    return word.isdecimal() and word.isascii()
