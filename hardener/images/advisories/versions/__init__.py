"""Versions compared as those compare them who number them: one module for each way, one table that lists them.

Each module offers `compare(one, other)`: negative when `one` is lower, zero when they are equal, positive when it is higher, None when
that cannot be told because a text is no version there. None is never a guess: what asks must say that it could not decide.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMES: Final["Mapping[str, str]"] = MappingProxyType(
    {
        "dpkg": "hardener.images.advisories.versions.dpkg",
        "apk": "hardener.images.advisories.versions.apk",
        "rpm": "hardener.images.advisories.versions.rpm",
        "pep440": "hardener.images.advisories.versions.pep440",
        "semver": "hardener.images.advisories.versions.semver",
        "golang": "hardener.images.advisories.versions.golang",
    }
)


class Scheme(Protocol):
    """What a module of this package offers."""

    def compare(self, one: str, other: str) -> int | None:
        """Return how `one` compares with `other`; None when it cannot be told."""


if TYPE_CHECKING:  # the type checker sees every module of the table
    from hardener.images.advisories.versions import apk, dpkg, golang, pep440, rpm, semver

    CHECKED: tuple[Scheme, ...] = (dpkg, apk, rpm, pep440, semver, golang)


def comparison(scheme: str) -> "Callable[[str, str], int | None]":
    """Return the comparison of a scheme of `SCHEMES`, importing its module now."""
    compare: Callable[[str, str], int | None] = import_module(SCHEMES[scheme]).compare
    return compare
