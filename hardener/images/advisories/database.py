"""The mirror of OSV that a user provides: which files it has, what each knows, and the advisories on a package.

It is laid out as the public bucket is, <ecosystem>/all.zip, also with a folder around it as osv-scanner keeps it, or as folders of
records that have been unpacked, or as an index of ours. Of each file an index is made once and kept in the user's cache, under a name
that changes with the file. Files of ecosystems that nobody asks for are not read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.advisories import index, zipped
from hardener.images.advisories.index import Built, Coverage, Index
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from hardener.images.advisories.osv import Advisory

DEPTH: Final = 3  # folders below the one that the user names
_RECORD_BYTES: Final = zipped.MEMBER_BYTES


class Source(NamedTuple):
    """One part of a mirror: `kind` is "zip", "records" (a folder of them) or "index"."""

    path: str
    kind: str
    ecosystem: str  # what its folder is called; "" when that says nothing


class Part(NamedTuple):
    """A source that has been opened."""

    source: Source
    held: Index
    built: Built
    coverage: tuple[Coverage, ...]


def sources(path: str) -> list[Source]:
    """Return the parts of a mirror, by path. Raises `HardenError` when there are none."""
    if os.path.isdir(path):
        found = sorted(_below(path, DEPTH, ""))
        if found:
            return found
        raise HardenError(
            "there are no advisories in this folder",
            where=path,
            how="it should hold <ecosystem>/all.zip, as https://osv-vulnerabilities.storage.googleapis.com/ has them, or records in JSON",
        )
    try:
        with open(path, "rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise HardenError(f"the advisories cannot be read: {error.strerror}", where=path, how="name the folder of an OSV mirror") from None
    if head.startswith(b"SQLite format 3\0"):
        return [Source(path, "index", "")]
    if head.startswith(b"PK"):
        return [Source(path, "zip", os.path.basename(os.path.dirname(os.path.abspath(path))))]
    raise HardenError("this is neither a ZIP file, nor an index of advisories", where=path, how="name the folder of an OSV mirror")


def _below(folder: str, depth: int, name: str) -> Iterator[Source]:
    records = False
    folders = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry)
                elif entry.name.lower() == "all.zip" and entry.is_file():
                    yield Source(entry.path, "zip", name)
                    return
                elif not records and entry.name.endswith(".json"):
                    records = entry.is_file()
    except OSError as error:
        raise HardenError(f"the advisories cannot be read: {error.strerror}", where=folder, how="check its permissions") from None
    if records:
        yield Source(folder, "records", name)
    if depth:
        for entry in sorted(folders, key=lambda each: each.name):
            yield from _below(entry.path, depth - 1, entry.name)


class Database:
    """What has been opened of a mirror: use it as a context manager."""

    __slots__ = ("parts", "path")

    def __init__(self, path: str, parts: list[Part]) -> None:
        self.path = path
        self.parts = parts

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for part in self.parts:
            part.held.close()

    def ecosystems(self) -> dict[str, Coverage]:
        """Return what is known of each ecosystem and release."""
        known: dict[str, Coverage] = {}
        for part in self.parts:
            for each in part.coverage:
                old = known.get(each.ecosystem, Coverage(each.ecosystem, 0, ""))
                known[each.ecosystem] = Coverage(each.ecosystem, old.records + each.records, max(old.newest, each.newest))
        return known

    def find(self, ecosystem: str, name: str) -> Iterator[Advisory]:
        """Yield the advisories on a package in an ecosystem. One that several parts have comes several times."""
        for part in self.parts:
            if any(each.ecosystem == ecosystem for each in part.coverage):
                yield from part.held.find(ecosystem, name)


def open_database(path: str, wanted: Callable[[str], bool], cache: str, *, tell: Callable[[str], None]) -> Database:
    """Open the parts of a mirror whose ecosystem is wanted, making the indexes that are not there yet. Raises `HardenError`.

    `wanted` is asked with the name of a part's folder, which is an ecosystem or "". `cache` is the folder for indexes; "" for none, and
    then they are made in the temporary folder and removed when we have opened them. `tell` is told what takes long.
    """
    parts: list[Part] = []
    try:
        for source in sources(path):
            if source.ecosystem and not wanted(source.ecosystem):
                continue
            found = Index(source.path) if source.kind == "index" else _indexed(source, cache, tell)
            try:
                parts.append(Part(source, found, found.built(), tuple(found.coverage())))
            except HardenError:
                found.close()
                raise
    except BaseException:
        Database(path, parts).__exit__(None, None, None)
        raise
    return Database(path, parts)


def write_index(path: str, target: str) -> Built:
    """Write one index of a whole mirror to a file, as `--db` takes it. Raises `HardenError`."""
    found = sources(path)
    if any(source.kind == "index" for source in found):
        raise HardenError("this is an index already", where=path, how="copy the file")
    return index.build((record for source in found for record in _records(source)), target, source=path)


def _indexed(source: Source, cache: str, tell: Callable[[str], None]) -> Index:
    if not cache:
        return _passing(source, tell)
    folder = os.path.join(cache, "advisories")
    prefix, suffix = _name(source)
    path = os.path.join(folder, f"{prefix}-{suffix}.sqlite")
    if os.path.exists(path):
        found = _sound(path)
        if found is not None:
            return found
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError:  # a home that cannot be written to keeps nobody from an answer
        return _passing(source, tell)
    tell(f"making an index of {source.path}: once, until it changes")
    index.build(_records(source), path, source=source.path)
    for name in os.listdir(folder):  # those of what the file was before
        if name.startswith(f"{prefix}-") and name.endswith(".sqlite") and name != os.path.basename(path):
            try:
                os.unlink(os.path.join(folder, name))
            except FileNotFoundError:  # another process was faster
                continue
    return Index(path)


def _sound(path: str) -> Index | None:
    """Return an index that can be read; None for one of another version of ours, or a damaged one: it is made anew."""
    try:
        found = Index(path)
    except HardenError:
        return None
    try:
        found.built()
        found.coverage()
    except HardenError:
        found.close()
        return None
    return found


def _passing(source: Source, tell: Callable[[str], None]) -> Index:
    from tempfile import mkdtemp

    tell(f"making an index of {source.path}: it is not kept, for want of a cache")
    folder = mkdtemp(prefix="hardener-")
    path = os.path.join(folder, "index.sqlite")
    try:
        index.build(_records(source), path, source=source.path)
        return Index(path)
    finally:  # what is open can still be read
        if os.path.exists(path):
            os.unlink(path)
        os.rmdir(folder)


def _name(source: Source) -> tuple[str, str]:
    """Return what names the index of a source: by its path, and by what it is now. A file that changes, changes its ctime."""
    from hashlib import sha256

    path = os.path.realpath(source.path)
    state = sha256(f"{index.FORMAT}".encode())
    try:
        if source.kind == "zip":
            about = os.stat(path)
            state.update(f" {about.st_size} {about.st_mtime_ns} {about.st_ctime_ns} {about.st_ino}".encode())
        else:
            with os.scandir(path) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(".json"))
            for name in names:
                about = os.stat(os.path.join(path, name))
                state.update(f"{name}\0{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise HardenError(f"the advisories cannot be read: {error.strerror}", where=source.path, how="check its permissions") from None
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16], state.hexdigest()[:16]


def _records(source: Source) -> Iterator[tuple[str, bytes]]:
    if source.kind == "zip":
        yield from zipped.members(source.path)
        return
    with os.scandir(source.path) as entries:
        names = sorted(entry.name for entry in entries if entry.name.endswith(".json") and entry.is_file())
    for name in names:
        path = os.path.join(source.path, name)
        try:
            with open(path, "rb") as stream:
                data = stream.read(_RECORD_BYTES + 1)
        except OSError as error:
            raise HardenError(f"the advisories cannot be read: {error.strerror}", where=path, how="check its permissions") from None
        yield name, data if len(data) <= _RECORD_BYTES else b""  # what is too long is as unreadable as what is empty
