"""Packages of Alpine and its kin: the text database of apk. Source: wiki.alpinelinux.org, "Apk spec"; apk-tools, database.c."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

from hardener.images.packages import licenses, stanzas
from hardener.images.packages.gather import Whole
from hardener.images.packages.model import Package
from hardener.images.scan import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.packages.gather import Gatherer
    from hardener.images.packages.scanner import Document, Documents
    from hardener.images.tar import Entry

NAMES: Final = ("installed",)
SUFFIXES: Final = ()
FOLDERS: Final = ()
LIMIT: Final = 16 << 20  # bytes: it lists each file of each package; 200 packages have 5 MiB
_PATHS: Final = ("lib/apk/db/installed", "usr/lib/apk/db/installed")

_FIELD: Final = re.compile(r"^([A-Za-z]):([^\n]*)", re.MULTILINE)
_NAME: Final = re.compile(r"^P:([^\n]*)", re.MULTILINE)
# Names in dependencies: name, name>=1, so:libc.musl-x86_64.so.1, !conflict, ~ for any of a version.
_RELATION: Final = re.compile(r"(?<!\S)([^\s!<>=~][^\s<>=~]*)")
_DIGESTS: Final = {"Q1": "sha1", "Q2": "sha256"}  # Q2: the first 160 bits


def wants(entry: Entry) -> int:
    """Return how much of a file is read."""
    return WHOLE if entry.name in _PATHS else 0


def gather(_: Entry) -> Gatherer:
    """Return what collects a file."""
    return Whole()


def read(documents: Documents, mine: Iterable[Document]) -> Iterator[Package]:
    """Yield what is installed."""
    for document in mine:
        for stanza in stanzas.split(document.text):
            head = stanza.partition("\nF:")[0]
            fields = {match[1]: match[2].strip() for match in _FIELD.finditer(head)}
            name, version = fields.get("P", ""), fields.get("V", "")
            if not name or not version:
                continue
            files = (path for path, digits in _files(stanza) if digits)
            yield Package(
                kind="apk",
                name=name,
                version=version,
                layer=documents.layer(files, document.layer),
                path=document.path,
                arch=fields.get("A", ""),
                source=fields.get("o", "") or name,
                source_version=version,
                licenses=tuple([licenses.named(fields["L"])] if fields.get("L") else []),
                supplier=fields.get("m", ""),
                depends=tuple(dict.fromkeys(_RELATION.findall(fields.get("D", "")))),
                provides=tuple(dict.fromkeys(_RELATION.findall(fields.get("p", "")))),
                distribution=documents.distribution,
            )


def owned(document: Document) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield the files of each package, with their digests."""
    for stanza in stanzas.split(document.raw):
        found = _NAME.search(stanza)
        name = found[1].strip() if found else ""
        for path, listed in _files(stanza) if name else ():
            algorithm = _DIGESTS.get(listed[:2], "")
            try:
                digits = binascii.a2b_base64(listed[2:]).hex() if algorithm else ""
            except ValueError:
                digits = ""
            yield name, (path, algorithm, digits)


def _files(stanza: str) -> Iterator[tuple[str, str]]:
    """Yield path and digest of each file of a package."""
    folder = name = ""
    for match in _FIELD.finditer(stanza):
        key, value = match[1], match[2]
        if key == "F":
            if name:
                yield name, ""
            folder, name = value.strip("/"), ""
        elif key == "R":
            if name:
                yield name, ""
            name = f"{folder}/{value}" if folder else value
        elif key == "Z" and name:
            yield name, value.strip()
            name = ""
    if name:
        yield name, ""
