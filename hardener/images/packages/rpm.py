"""Packages of Fedora, Red Hat, SUSE and their kin: the headers in rpm's SQLite database.

The databases of before, Berkeley DB (RHEL 8 and older) and ndb (SUSE), are named aloud, and not read. Source: rpm.org, "RPM V4 Package
format"; rpm, rpmtag.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.images.packages import licenses, sqlite
from hardener.images.packages.gather import Whole
from hardener.images.packages.model import Package
from hardener.images.scan import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.packages.gather import Gatherer
    from hardener.images.packages.scanner import Document, Documents
    from hardener.images.tar import Entry

_LOG: Final = "-wal"
NAMES: Final = ("rpmdb.sqlite", f"rpmdb.sqlite{_LOG}", "Packages", "Packages.db")
SUFFIXES: Final = ()
FOLDERS: Final = ()
LIMIT: Final = 80 << 20  # bytes: 500 packages have 30 MiB
_FOLDERS: Final = ("usr/lib/sysimage/rpm", "var/lib/rpm")  # the second is most often a link to the first
_OTHERS: Final = {"Packages": "a Berkeley DB", "Packages.db": "an ndb"}

_NAME, _VERSION, _RELEASE, _EPOCH, _VENDOR, _LICENSE, _ARCH = 1000, 1001, 1002, 1003, 1011, 1014, 1022
_DIGESTS, _SOURCE, _PROVIDES, _REQUIRES, _DIR_INDEXES, _BASENAMES, _DIRNAMES, _ALGORITHM = 1035, 1044, 1047, 1049, 1116, 1117, 1118, 5011
_INT32, _STRING, _STRINGS, _I18N = 4, 6, 8, 9
# As OpenPGP numbers them (RFC 4880, 9.4); without a number it is MD5.
_ALGORITHMS: Final = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
_MOST_TAGS: Final = 65_536
_MOST_VALUES: Final = 1_000_000


def wants(entry: Entry) -> int:
    """Return how much of a file is read."""
    folder, _, name = entry.name.rpartition("/")
    if folder not in _FOLDERS:
        return 0
    return 16 if name in _OTHERS else WHOLE


def gather(_: Entry) -> Gatherer:
    """Return what collects a file."""
    return Whole()


def read(documents: Documents, mine: Iterable[Document]) -> Iterator[Package]:
    """Yield what is installed."""
    for document in mine:
        name = document.path.rpartition("/")[2]
        if name in _OTHERS:
            documents.notes.append(f"{document.path} is not read: it is {_OTHERS[name]} of rpm; only its SQLite database is known")
        elif name == NAMES[0]:
            log = documents.find(document.path + _LOG)
            try:
                for header in _headers(document.content, log.content if log else b""):
                    yield from _package(header, document, documents)
            except ValueError as error:
                documents.notes.append(f"{document.path} is damaged: {error}")


def owned(document: Document) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield the files of each package, with their digests."""
    if document.path.endswith(f"/{NAMES[0]}"):
        try:
            for header in _headers(document.content, b""):
                name = _text(header, _NAME)
                for file in _files(header):
                    yield name, file
        except ValueError:
            pass  # `read` says so


class Header:
    """One package: values by tag. Raises ValueError when it is none."""

    __slots__ = ("_content", "_index", "_start")

    def __init__(self, content: bytes) -> None:
        tags, size = int.from_bytes(content[:4], "big"), int.from_bytes(content[4:8], "big")
        if len(content) < 8 or tags > _MOST_TAGS or 8 + 16 * tags + size > len(content):
            raise ValueError("a header is cut")
        self._content = content
        self._start = 8 + 16 * tags
        self._index: dict[int, tuple[int, int, int]] = {}
        for at in range(8, self._start, 16):
            tag, kind, offset, count = (int.from_bytes(content[each : each + 4], "big") for each in range(at, at + 16, 4))
            self._index[tag] = (kind, offset, count)

    def strings(self, tag: int) -> list[str]:
        """Return the texts of a tag."""
        kind, offset, count = self._index.get(tag, (0, 0, 0))
        if kind not in (_STRING, _STRINGS, _I18N):
            return []
        if count > _MOST_VALUES:
            raise ValueError("a header has more texts than there can be")
        found = self._content[self._start + offset :].split(b"\0", count)[:count] if count > 1 else [self._one(offset)]
        return [text.decode("utf-8", "surrogateescape") for text in found]

    def _one(self, offset: int) -> bytes:
        start = self._start + offset
        end = self._content.find(b"\0", start)
        return self._content[start : end if end >= 0 else len(self._content)]

    def numbers(self, tag: int) -> list[int]:
        """Return the numbers of a tag."""
        kind, offset, count = self._index.get(tag, (0, 0, 0))
        if kind != _INT32:
            return []
        if count > _MOST_VALUES:
            raise ValueError("a header has more numbers than there can be")
        start = self._start + offset
        part = memoryview(self._content)[start : start + 4 * count]
        return [int.from_bytes(part[at : at + 4], "big") for at in range(0, len(part) - 3, 4)]


def _headers(content: bytes | bytearray, log: bytes | bytearray) -> Iterator[Header]:
    for _, values in sqlite.Database(content, log).rows("Packages"):
        blob = values[1] if len(values) > 1 else None
        if isinstance(blob, bytes):
            yield Header(blob)


def _text(header: Header, tag: int) -> str:
    found = header.strings(tag)
    return found[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip() if found else ""


def _package(header: Header, document: Document, documents: Documents) -> Iterator[Package]:
    name, version, release = _text(header, _NAME), _text(header, _VERSION), _text(header, _RELEASE)
    if not name or not version or name == "gpg-pubkey":  # keys that rpm trusts stand among its packages
        return
    epoch = "".join(f"{number}:" for number in header.numbers(_EPOCH)[:1])
    source, _, built = _text(header, _SOURCE).removesuffix(".rpm").rpartition(".")[0].rpartition("-")
    source, _, version_of_source = source.rpartition("-")
    license_ = _text(header, _LICENSE)
    yield Package(
        kind="rpm",
        name=name,
        version=f"{epoch}{version}-{release}" if release else f"{epoch}{version}",
        layer=documents.layer((path for path, _, digits in _files(header) if digits), document.layer),
        path=document.path,
        arch=_text(header, _ARCH),
        source=source or name,
        source_version=f"{epoch}{version_of_source}-{built}" if source else "",
        licenses=(licenses.joined(license_),) if license_ else (),
        supplier=_text(header, _VENDOR),
        depends=tuple(dict.fromkeys(one for one in header.strings(_REQUIRES) if not one.startswith("rpmlib("))),
        provides=tuple(dict.fromkeys(header.strings(_PROVIDES))),
        distribution=documents.distribution,
    )


def _files(header: Header) -> Iterator[tuple[str, str, str]]:
    folders = header.strings(_DIRNAMES)
    algorithm = _ALGORITHMS.get((header.numbers(_ALGORITHM) or [1])[0], "")
    for index, name, digits in zip(header.numbers(_DIR_INDEXES), header.strings(_BASENAMES), header.strings(_DIGESTS), strict=False):
        if index < len(folders) and name:
            yield f"{folders[index]}{name}".lstrip("/"), algorithm, digits if algorithm else ""
