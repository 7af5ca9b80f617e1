"""What takes long to make and may be made again, kept in files that count only when nobody else can have written them.

What comes back from here becomes walls: a filter of system calls, the settings of a policy. So a file is read only if it is a regular one,
of ours or of root, that nobody else can write to, and if it says itself what it holds, with a hash. Anything else, and any error, is the
same as no file: what it would hold is made anew, which is slow and safe. A cache that cannot be written is no error either.
"""

from __future__ import annotations

import posix
from _blake2 import blake2b

from hardener.errors import HardenError
from hardener.runtime import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

LARGEST: Final = 1 << 20
MOST: Final = 64
"""With so many files in the cache all are removed before the next is written: kernels, policies and versions come and go."""

_FILE_TYPE, _REGULAR, _OTHERS_WRITE = 0o170000, 0o100000, 0o022


def folder(uid: int, environment: Mapping[str, str]) -> str:
    """Return the folder of a user; "" for one who has nowhere to keep anything."""
    try:
        return places.places(uid, environment).cache
    except HardenError:
        return ""


def key(parts: Iterable[bytes | memoryview | str]) -> str:
    """Return a name for what is made of some parts: equal only where all of them are."""
    digest = blake2b(digest_size=20)
    for part in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def makers(package: Iterable[str], *modules: str) -> str:
    """Say what the source of some modules of a package is: another version of them may make something else of the same.

    `package` is its `__path__`. Raises OSError where there are no such files, as in a zip: then nothing can be kept.
    """
    home = next(iter(package))
    found = [posix.stat(f"{home}/{module}.py") for module in modules]
    return " ".join([f"{each.st_mtime_ns} {each.st_size}" for each in found])


def read(folder: str, kind: str, name: str) -> bytes | None:
    """Return what is kept in a folder under a kind and a `key`; None when nothing is that can be trusted."""
    content = view(folder, kind, name)
    return None if content is None else bytes(content)


def view(folder: str, kind: str, name: str) -> memoryview | None:
    """Do as `read` does without a copy: the first touch of each page of memory costs as much as ten system calls."""
    try:
        # Without O_NONBLOCK a planted FIFO would hold us for ever.
        fd = posix.open(f"{folder}/{kind}-{name}", posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = posix.fstat(fd)
        if (
            found.st_mode & _FILE_TYPE != _REGULAR
            or found.st_mode & _OTHERS_WRITE
            or found.st_uid not in (0, posix.geteuid())
            or found.st_size > LARGEST
        ):
            return None
        text = posix.read(fd, found.st_size)
    except OSError:
        return None
    finally:
        posix.close(fd)
    end = text.find(b"\n")
    content = memoryview(text)[end + 1 :]
    return content if text[: max(end, 0)] == _head(kind, name, content) else None


def write(folder: str, kind: str, name: str, content: bytes) -> bool:
    """Keep something, all of it or nothing; tell whether that was possible."""
    part = f"{folder}/.{kind}-{name}.{posix.getpid()}"
    try:
        places.ensure(folder)
        _make_room(folder)
        fd = posix.open(part, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
    except (HardenError, OSError):
        return False
    text = _head(kind, name, content) + b"\n" + content
    try:
        try:
            whole = posix.write(fd, text) == len(text)
        finally:
            posix.close(fd)
        if whole:
            posix.rename(part, f"{folder}/{kind}-{name}")
            return True
    except OSError:
        whole = False
    _remove(part)
    return whole


def _head(kind: str, name: str, content: bytes | memoryview) -> bytes:
    return f"hardener {kind} {name} {key((kind, name, content))}".encode()


def _make_room(folder: str) -> None:
    names = posix.listdir(folder)
    if len(names) >= MOST:
        for name in names:
            _remove(f"{folder}/{name}")


def _remove(path: str) -> None:
    try:
        posix.unlink(path)
    except OSError:
        return  # somebody else was faster, or it is no file of ours
