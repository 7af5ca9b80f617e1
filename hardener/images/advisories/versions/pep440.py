"""Versions of Python packages, compared as PEP 440 says: the package of the same people who wrote it decides."""

from functools import lru_cache

from packaging.version import InvalidVersion, Version


def compare(one: str, other: str) -> int | None:
    """Return how `one` compares with `other`; None when one of them is no version by PEP 440."""
    left, right = _version(one), _version(other)
    if left is None or right is None:
        return None
    return (left > right) - (left < right)


@lru_cache(4096)  # a version is compared with every bound of every advisory
def _version(text: str) -> Version | None:
    try:
        return Version(text) if len(text) <= 1000 else None
    except (InvalidVersion, ValueError):  # the latter: more digits than the interpreter turns into a number
        return None
