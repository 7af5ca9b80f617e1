"""The distribution of an image. Source: os-release(5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hardener.images.packages.gather import Whole
from hardener.images.packages.model import Distribution, Package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.packages.gather import Gatherer
    from hardener.images.packages.scanner import Document, Documents
    from hardener.images.tar import Entry

PATHS: Final = ("etc/os-release", "usr/lib/os-release")  # the first is most often a link to the second
NAMES: Final = ("os-release",)
SUFFIXES: Final = ()
FOLDERS: Final = ()
LIMIT: Final = 1 << 16  # bytes

_LINE: Final = re.compile(r"""^(ID|VERSION_ID|NAME|VERSION_CODENAME)=(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([^\s"']*))\s*$""", re.MULTILINE)


def wants(entry: Entry) -> int:
    """Return how much of a file is read."""
    return LIMIT if entry.name in PATHS else 0


def gather(_: Entry) -> Gatherer:
    """Return what collects a file."""
    return Whole()


def read(_: Documents, __: Iterable[Document]) -> Iterator[Package]:
    """Yield nothing: a distribution is no package."""
    return iter(())


def owned(_: Document) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield nothing."""
    return iter(())


def parse(text: str) -> Distribution:
    """Return what a text of os-release says; what it says twice counts as the last says."""
    found: dict[str, str] = {}
    for match in _LINE.finditer(text):
        found[match[1]] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3] or match[4] or ""
    return Distribution(found.get("ID", "").lower(), found.get("VERSION_ID", ""), found.get("NAME", ""), found.get("VERSION_CODENAME", ""))
