"""Modules of Go that are linked into programs: what the linker writes down of how it was called.

The program is not kept: windows of it pass by, and the information is taken out of them. Since Go 1.18 it stands in one place; before, a
header points to two texts that stand before it. Source: pkg.go.dev/debug/buildinfo; go/src/debug/buildinfo/buildinfo.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from hardener.images.packages.model import Package
from hardener.images.scan import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.packages.gather import Gatherer
    from hardener.images.packages.scanner import Document, Documents
    from hardener.images.tar import Entry

NAMES: Final = ()
SUFFIXES: Final = ()
FOLDERS: Final = ()
LIMIT: Final = 2 << 30  # bytes of a program: it passes by
SMALLEST: Final = 1 << 17  # bytes: a program of Go that does nothing has 1 MiB

MAGIC: Final = b"\xff Go buildinf:"
_HEADER: Final = 32
# The runtime finds the list of modules by these.
BEGIN: Final = bytes.fromhex("3077af0c9274080241e1c107e6d618e6")
END: Final = bytes.fromhex("f932433186182072008242104116d8f2")
_INLINE, _BIG_ENDIAN = 2, 1
_MOST: Final = 4 << 20  # bytes of a list of modules: the largest known has 200 KiB
_SEGMENTS: Final = 128
_GO: Final = re.compile(rb"go1\.[0-9]{1,3}(?:\.[0-9]{1,3})?(?:(?:rc|beta)[0-9]{1,2})?")
_CANDIDATES: Final = 4096
_TRIES: Final = 64  # what only looks like a header: programs that read such information have one or two
_LISTS: Final = 4
_NOTE: Final = b"Go\0\0"  # the name in the note that holds Go's own id of a build; it stands near the beginning

_NUMBERS: Final = re.compile(r"go([0-9]+(?:\.[0-9]+)*(?:(?:rc|beta)[0-9]+)?)")
_LINKED: Final = re.compile(r"-X[ =]['\"]?[^\s=]*\.version=v?([0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*)", re.IGNORECASE)
_PIECE: Final = re.compile(r"[0-9A-Za-z]+")


def wants(entry: Entry) -> int:
    """Return how much of a file is read: all of a program, to let it pass by."""
    return WHOLE if entry.mode & 0o111 and entry.size >= SMALLEST else 0


def gather(_: Entry) -> Gatherer:
    """Return what watches a program pass by."""
    return Program()


class Program:
    """What is known of a program while it passes by; `kept` is the version of Go, and below it the list of modules."""

    __slots__ = ("_found", "_is_elf", "_is_go", "_list", "_lists", "_rest", "_rest_at", "_seen", "_segments", "_tries", "_versions")

    def __init__(self) -> None:
        self._found = b""
        self._is_elf = self._is_go = False
        self._segments: tuple[tuple[int, int, int], ...] = ()
        self._seen = 0  # bytes
        self._tries = _TRIES
        self._rest: bytearray | None = None  # from a header on, while it is not sure what it is,
        self._rest_at = 0  # and where in the file it began
        self._list: tuple[int, bytearray] | None = None  # of modules, whose end has not come yet, and where it began
        self._lists: dict[int, bytes] = {}
        self._versions: dict[int, bytes] = {}

    def kept(self) -> bytes:
        """Return what was found; nothing when it is no program of Go, or does not say what is in it."""
        return self._found

    def add(self, content: bytes, offset: int) -> None:
        """Look at a window of it."""
        if offset == 0:
            self._is_elf = content.startswith(b"\x7fELF")
            self._segments = _segments(content) if self._is_elf else ()
            self._is_go = self._is_elf and _NOTE in content[: 1 << 16]
        if self._found or not self._is_elf:
            return
        new = content[self._seen - offset :] if offset else content
        self._seen = offset + len(content)
        if self._rest is not None:
            self._rest += new
            if not self._settled(self._rest, 0, self._rest_at, last=len(self._rest) > _MOST):
                return
            self._rest = None
        if self._is_go:
            self._remember(content, new, offset)
        at = content.find(MAGIC)
        while at >= 0 and not self._found and self._tries:
            if (offset + at) % 16 == 0:
                self._tries -= 1
                if not self._settled(content, at, offset, last=False):
                    self._rest, self._rest_at = bytearray(content[at:]), offset + at
                    return
            at = content.find(MAGIC, at + 16)

    def _settled(self, content: bytes | bytearray, at: int, offset: int, *, last: bool) -> bool:
        """Read what begins as a header does; tell whether it is known what it is, or more of it is needed. `last`: no more will come."""
        if len(content) - at < _HEADER:
            return last
        found = _inline(content, at) if content[at + 15] & _INLINE else self._pointed(content, at, offset)
        self._found = found or b""
        return found is not None or last

    def _pointed(self, window: bytes | bytearray, header: int, offset: int) -> bytes:
        """Return what a header of Go 1.13 to 1.17 points to: strings, which themselves are pointers with a length."""
        width = window[header + 14]
        order: Literal["big", "little"] = "big" if window[header + 15] & _BIG_ENDIAN else "little"
        if width not in (4, 8):
            return b""
        texts = []
        for at, known in ((header + 16, self._versions), (header + 16 + width, self._lists)):
            place = self._place(int.from_bytes(window[at : at + width], order)) - offset
            string = window[place : place + 2 * width] if place >= 0 else b""
            start, size = self._place(int.from_bytes(string[:width], order)), int.from_bytes(string[width:], order)
            here = bytes(window[start - offset : start - offset + size]) if start >= offset and size < _MOST else b""
            texts.append(here or known.get(start, b"")[:size])
        return _joined(*texts) if texts[0].startswith((b"go", b"devel")) else b""

    def _place(self, address: int) -> int:
        """Return where in the file an address is; -1 when it is nowhere."""
        for start, place, size in self._segments:
            if start <= address < start + size:
                return address - start + place
        return -1

    def _remember(self, content: bytes, new: bytes, offset: int) -> None:
        """Keep what a header may point back to, when it comes in a later window."""
        for found in _GO.finditer(content):
            if len(self._versions) >= _CANDIDATES:
                break
            self._versions[offset + found.start()] = found[0]
        if self._list is not None:
            self._list[1].extend(new)
        else:
            at = content.find(BEGIN)
            if at >= 0:
                self._list = (offset + at, bytearray(content[at:]))
        if self._list is not None:
            end = self._list[1].find(END)
            if end >= 0 and len(self._lists) < _LISTS:
                self._lists[self._list[0]] = bytes(self._list[1][: end + len(END)])
            if end >= 0 or len(self._list[1]) > _MOST:
                self._list = None


def _segments(content: bytes) -> tuple[tuple[int, int, int], ...]:
    """Return (address, place in the file, bytes) of what a program has the kernel load. Source: elf(5)."""
    wide = content[4:5] == b"\2"
    order: Literal["big", "little"] = "little" if content[5:6] == b"\1" else "big"
    at, size, count, width = (32, 54, 56, 8) if wide else (28, 42, 44, 4)

    def number(start: int, bytes_: int) -> int:
        return int.from_bytes(content[start : start + bytes_], order)

    table, each = number(at, width), number(size, 2)
    found = []
    for start in range(table, table + each * min(number(count, 2), _SEGMENTS), each or 1):
        if number(start, 4) == 1:  # PT_LOAD
            fields = (16, 8, 32) if wide else (8, 4, 16)
            found.append(tuple(number(start + field, width) for field in fields))
    return tuple((address, place, length) for address, place, length in found)


def _inline(header: bytes | bytearray, at: int) -> bytes | None:
    """Return what stands behind a header of Go 1.18 and later; nothing when it is no header, None when more of it is needed."""
    at += _HEADER
    texts = []
    for most in (200, _MOST):
        size = shift = 0
        while True:
            if at >= len(header):
                return None
            byte = header[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 28:
                return b""
        if size > most:
            return b""
        if at + size > len(header):
            return None
        texts.append(bytes(header[at : at + size]))
        at += size
    return _joined(*texts) if texts[0].startswith((b"go", b"devel")) else b""


def _joined(version: bytes, modules: bytes) -> bytes:
    text = modules[16:-16] if len(modules) >= 33 and modules[-17:-16] == b"\n" else b""
    return version.replace(b"\n", b" ") + b"\n" + text


def read(_: Documents, mine: Iterable[Document]) -> Iterator[Package]:
    """Yield what is linked into each program: the standard library, the main module, and those that it needs."""
    for document in mine:
        version, _nl, modules = document.text.partition("\n")
        numbers = _NUMBERS.match(version)
        if numbers:
            yield Package("golang", "stdlib", numbers[1], document.layer, document.path, licenses=("BSD-3-Clause",))
        yield from _modules(modules, document)


def _modules(text: str, document: Document) -> Iterator[Package]:
    settings: dict[str, str] = {}
    listed: list[list[str]] = []  # the first is the main module
    replaced: dict[int, list[str]] = {}
    for line in text.split("\n"):
        word, _, rest = line.partition("\t")
        fields = [*rest.split("\t"), "", ""]
        if word in ("mod", "dep"):
            listed.append([word, *fields])
        elif word == "=>" and listed:
            replaced[len(listed) - 1] = fields
        elif word == "build":
            key, _, value = rest.partition("=")
            settings[key] = value
    found = []
    for index, (word, name, version, *_rest) in enumerate(listed):
        notes: tuple[str, ...] = ()
        if index in replaced:
            other, other_version = replaced[index][:2]
            if other_version:
                notes = (f"replaces {name}@{version}",)
                name, version = other, other_version
            else:
                notes = (f"replaced by {other}",)
        if word == "mod" and version in ("", "(devel)"):
            version = _stamped(settings)
        if name:
            found.append((word, name, version, notes))
    needed = tuple(dict.fromkeys(name for word, name, *_rest in found if word == "dep"))
    for word, name, version, notes in found:
        yield Package("golang", name, version, document.layer, document.path, depends=needed if word == "mod" else (), notes=notes)


def _stamped(settings: dict[str, str]) -> str:
    """Return the version of a main module that has none: what its linker was told, or else what Go would call its commit."""
    told = _LINKED.search(settings.get("-ldflags", ""))
    if told:
        return f"v{told[1]}"
    revision = settings.get("vcs.revision", "")
    time = "".join(_PIECE.findall(settings.get("vcs.time", "").replace("T", "").replace("Z", "")))
    return f"v0.0.0-{time}-{revision[:12]}" if revision and time else ""


def owned(_: Document) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield nothing: programs own no files."""
    return iter(())
