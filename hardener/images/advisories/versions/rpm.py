"""Versions of RPM packages: [epoch:]version[-release], compared as rpm does.

The release takes part only when both have one: an advisory may name a version alone. Source: rpm-version(7).
"""

import re
from typing import Final

_ALLOWED: Final = re.compile(r"[A-Za-z0-9._+~^:-]+", re.ASCII)
_SEGMENTS: Final = re.compile(r"[0-9]+|[A-Za-z]+|~|\^", re.ASCII)


def compare(one: str, other: str) -> int | None:
    """Return how `one` compares with `other`; None when one of them is no version of an RPM package."""
    left, right = _split(one), _split(other)
    if left is None or right is None:
        return None
    if left[0] != right[0]:
        return -1 if left[0] < right[0] else 1
    found = part(left[1], right[1])
    return found if found or not left[2] or not right[2] else part(left[2], right[2])


def _split(text: str) -> tuple[int, str, str] | None:
    """Return epoch, version and release."""
    if not _ALLOWED.fullmatch(text) or len(text) > 1000:
        return None
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    version, hyphen, release = rest.partition("-")
    if not epoch.isdecimal() or len(epoch) > 10 or not version or (hyphen and not release):
        return None
    return int(epoch), version, release


def part(one: str, other: str) -> int:
    """Return how two versions without epoch and release, or two releases, compare: what rpm calls vercmp."""
    if one == other:
        return 0
    left, right = _SEGMENTS.findall(one), _SEGMENTS.findall(other)
    for index in range(max(len(left), len(right))):
        a = left[index] if index < len(left) else ""
        b = right[index] if index < len(right) else ""
        if a == b:
            continue
        if "~" in (a, b):
            return -1 if a == "~" else 1
        if "^" in (a, b):
            if not a or not b:  # what goes on with a caret is above what ends
                return -1 if not a else 1
            return -1 if a == "^" else 1
        if not a or not b:
            return -1 if not a else 1
        a_number, b_number = a.isdigit(), b.isdigit()
        if a_number != b_number:  # numbers are above letters
            return 1 if a_number else -1
        if a_number:
            a, b = a.lstrip("0"), b.lstrip("0")
            if len(a) != len(b):
                return -1 if len(a) < len(b) else 1
        if a != b:
            return -1 if a < b else 1
    return 0
