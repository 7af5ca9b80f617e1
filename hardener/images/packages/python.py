"""Python packages: the METADATA of wheels, and the PKG-INFO of eggs.

Source: packaging.python.org, "Core metadata specifications", "Recording installed projects". RECORD, the list of files, is not believed: a
private package has one, too, so it says nothing of whether a file is public; and what it adds for one that is here, the path already says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hardener.images.packages import licenses
from hardener.images.packages.gather import Whole
from hardener.images.packages.model import Package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.packages.gather import Gatherer
    from hardener.images.packages.scanner import Document, Documents
    from hardener.images.tar import Entry

NAMES: Final = ("METADATA", "PKG-INFO")
SUFFIXES: Final = (".egg-info",)
FOLDERS: Final = ()
LIMIT: Final = 1 << 18  # bytes: the headers of the largest known have 60 KiB
_KEPT: Final = ("Name", "Version", "License", "License-Expression", "Classifier", "Author", "Author-email", "Requires-Dist")

_HEADER: Final = re.compile(r"^([A-Za-z][A-Za-z-]*):[ \t]*([^\n]*)", re.MULTILINE)
_CLASSIFIER: Final = re.compile(r"License :: (?:OSI Approved :: )?(?!OSI Approved$)(.+)")
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def wants(entry: Entry) -> int:
    """Return how much of a file is read."""
    folder, _, name = entry.name.rpartition("/")
    if name == "METADATA":
        return LIMIT if folder.endswith(".dist-info") else 0
    if name == "PKG-INFO":
        return LIMIT if folder.endswith((".egg-info", "/EGG-INFO")) else 0
    return LIMIT


def gather(_: Entry) -> Gatherer:
    """Return what collects a file: its headers, without the description."""
    return Whole(_headers)


def read(_: Documents, mine: Iterable[Document]) -> Iterator[Package]:
    """Yield what is installed."""
    for document in mine:
        fields: dict[str, list[str]] = {name: [] for name in _KEPT}
        for match in _HEADER.finditer(document.text):
            if match[1] in fields and match[2].strip():
                fields[match[1]].append(match[2].strip())
        if not fields["Name"] or not fields["Version"]:
            continue
        yield Package(
            kind="pypi",
            name=fields["Name"][0],
            version=fields["Version"][0],
            layer=document.layer,
            path=document.path,
            licenses=_licenses(fields),
            supplier=(fields["Author"] or fields["Author-email"] or [""])[0],
            depends=tuple(dict.fromkeys(filter(None, map(_required, fields["Requires-Dist"])))),
        )


def owned(_: Document) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield nothing: see the page's head."""
    return iter(())


def _headers(content: bytes) -> bytes:
    head = content.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return b"\n".join(line for line in head.split(b"\n") if line.partition(b":")[0].decode("latin-1") in _KEPT)


def _required(text: str) -> str:
    """Return the name in a requirement, unless only an extra requires it."""
    found = _REQUIREMENT.match(text)
    return "" if found is None or "extra" in text.partition(";")[2] else found[0]


def _licenses(fields: dict[str, list[str]]) -> tuple[str, ...]:
    """Return what the newest of three ways to say it says: an expression, classifiers, free text."""
    if fields["License-Expression"]:
        return (licenses.named(fields["License-Expression"][0]),)
    classified = [found[1] for found in map(_CLASSIFIER.fullmatch, fields["Classifier"]) if found]
    said = [one for one in fields["License"] if one.upper() not in ("UNKNOWN", "NONE")]
    if classified and not (classified == ["BSD License"] and said):  # there are several of BSD's
        return tuple(dict.fromkeys(map(licenses.named, classified)))
    return tuple(map(licenses.named, said[:1]))
