"""The store as who writes to it sees it: several commands at once, any of which may be killed at any moment.

    DATA/images/lock               held while index.json is read, changed and replaced
    DATA/images/users              shared by who puts blobs in or reads them; alone for who removes what nobody names
    DATA/images/partial/ALG-HEX    a blob on its way: locked by who fetches it, and continued where it ends after a kill

The kernel takes locks back when their holder dies, however it dies. A blob gets its name when all of it is there, with the right digest,
and on the disk; a document after everything it names; a name in index.json last of all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images import image, layout
from hardener.images.limits import LIMITS
from hardener.images.receiving import PIECE, fill, write_all
from hardener.images.store import LIMIT, Store, name_of, written_name
from hardener.oci import json_text, reference
from hardener.oci.image import INDEXES, MANIFESTS, REF_NAME, Descriptor, ImageConfig, Index, Manifest, split_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.images.receiving import Fetch, Told

PATIENCE_S: Final = 20.0  # for what takes milliseconds
STALLED_S: Final = 60.0  # for a download of somebody else that does not get further
OLD_S: Final = 24 * 3600.0  # after which nobody comes back for half a blob
_STEP_S: Final = 0.02
_ROOM: Final = "make room on the disk (df), or: harden prune"


class Stock(Store):
    """A store that can be written to. Its folder is there, and belongs to us alone: who makes one has seen to that."""

    __slots__ = ()

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        with told(folder):
            for path in ("blobs", "blobs/sha256", "partial"):
                _make(f"{folder}/{path}")
            if not layout.is_layout(folder):
                _replace(f"{folder}/oci-layout", f'{{"imageLayoutVersion": "{layout.VERSION}"}}')
                with self._alone():
                    if not os.path.exists(f"{folder}/index.json"):
                        self._write([])

    # --- blobs -------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def using(self) -> Iterator[None]:
        """Keep what nobody names yet from being collected."""
        with locked(f"{self.folder}/users", fcntl.LOCK_SH, "another command is tidying the store up"):
            yield

    def put(self, descriptor: Descriptor, content: bytes) -> None:
        """Put a document in, which is what its descriptor says."""
        image.check(content, descriptor, f"{descriptor.digest} of {self.folder}")
        with told(self.folder):
            if not self.holds(descriptor):
                _make(os.path.dirname(self.path(descriptor)))
                _replace(self.path(descriptor), content)

    def holds(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there and is what its digest says."""
        if not self.has(descriptor):
            return False
        algorithm, digits = split_digest(descriptor.digest)
        found = hashlib.new(algorithm)
        with self.open(descriptor) as file:
            while piece := file.read(PIECE):
                found.update(piece)
        return found.hexdigest() == digits

    def take(self, descriptor: Descriptor, fetch: Fetch, heard: Told = lambda _: None) -> bool:
        """Put a blob in, from where an earlier command was cut off; False when it was there already, whole and right.

        Several commands that want the same blob fetch it once: the others wait. What is not what its digest and size say is refused.
        """
        if self.holds(descriptor):
            return False
        path = f"{self.folder}/partial/" + "-".join(split_digest(descriptor.digest))
        with told(self.folder):
            fd = self._wait(path, descriptor, heard)
            if fd is None:
                return False
            try:
                _make(os.path.dirname(self.path(descriptor)))  # sha512 is rare
                if not fill(fd, descriptor, fetch, heard):  # what was there may have been damaged: once more, from the start
                    os.ftruncate(fd, 0)
                    if not fill(fd, descriptor, fetch, heard):
                        os.unlink(path)
                        how = "somebody has changed it on its way, or where it lies: try again, or take another image"
                        raise HardenError("a blob is not what its digest says", where=f"{descriptor.digest} of {self.folder}", how=how)
                os.fsync(fd)
                os.rename(path, self.path(descriptor))
            finally:
                os.close(fd)
        return True

    def partial(self, descriptor: Descriptor) -> int:
        """Return how many bytes of a blob an earlier command has left."""
        try:
            return os.stat(f"{self.folder}/partial/" + "-".join(split_digest(descriptor.digest))).st_size
        except FileNotFoundError:
            return 0

    def _wait(self, path: str, descriptor: Descriptor, heard: Told) -> int | None:
        """Return the file of a download as soon as it is ours; None when another command has finished it."""
        seen, deadline = -1, 0.0
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is(fd, path):
                    if not self.has(descriptor) or not self.holds(descriptor):
                        return fd
                    os.unlink(path)
                    os.close(fd)
                    return None
            except BlockingIOError:
                heard(0)  # who waits may be told to stop
                size, now = os.fstat(fd).st_size, time.monotonic()
                if size != seen:
                    seen, deadline = size, now + STALLED_S
                elif now >= deadline:
                    os.close(fd)
                    raise HardenError(
                        f"another command fetches this, and has not got further for {STALLED_S:.0f} s",
                        where=path,
                        how="end it (`fuser` names it), and try again",
                    ) from None
                time.sleep(_STEP_S)
            os.close(fd)

    # --- names -------------------------------------------------------------------------------------------------------------------

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Give an image a name in full; the image that had it stays, without one."""
        made = Descriptor(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size, platform=descriptor.platform)
        made.annotations = {REF_NAME: name} if name else None
        with self._alone():
            rows = self.rows()
            kept = [row for row in rows if not name or written_name(row) != name]
            lost = [row for row in rows if name and written_name(row) == name and row.get("digest") != descriptor.digest]
            named = {row.get("digest") for row in kept} | {descriptor.digest}
            kept += [_nameless(row) for row in lost if row.get("digest") not in named]
            # What has a name needs no row without one.
            kept = [row for row in kept if written_name(row) or row.get("digest") != descriptor.digest]
            if name or not any(row.get("digest") == descriptor.digest for row in kept):
                kept.append(made.dump())
            self._write(kept)

    def untag(self, name: str, digest: str) -> bool:
        """Take a name away from an image, or with "" all of it out of the index; tell whether the image is still there."""
        with self._alone():
            kept = [row for row in self.rows() if row.get("digest") != digest or (name and written_name(row) != name)]
            self._write(kept)
        return any(row.get("digest") == digest for row in kept)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with locked(f"{self.folder}/lock", fcntl.LOCK_EX, "another command is changing the names of images"):
            yield

    def _write(self, rows: list[dict[str, object]]) -> None:
        text = json_text.write({"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": rows})
        if len(text.encode("utf-8", "surrogateescape")) > LIMIT:  # it could not be read any more
            raise HardenError("the store has too many names of images", where=self.folder, how="harden rmi, or harden prune, removes some")
        with told(self.folder):
            _replace(f"{self.folder}/index.json", text)

    # --- tidying up --------------------------------------------------------------------------------------------------------------

    def needed(self) -> Needed:
        """Return what the images of the index consist of, as far as it is there."""
        found = Needed()
        for row in self.images():
            self._follow(row, found, LIMITS.indexes)
        return found

    def _follow(self, descriptor: Descriptor, found: Needed, depth: int) -> None:
        """Note a document and what it names. One that is damaged names nothing: its image cannot be used any more."""
        found.blobs.add(descriptor.digest)
        if not depth or not self.has(descriptor):
            return
        try:
            if descriptor.media_type in INDEXES:
                for one in image.document(self, descriptor, Index).manifests:
                    if self.has(one):
                        self._follow(one, found, depth - 1)
            elif descriptor.media_type in MANIFESTS:
                manifest = image.document(self, descriptor, Manifest)
                found.blobs.update(one.digest for one in (manifest.config, *manifest.layers))
                found.diff_ids.update(image.document(self, manifest.config, ImageConfig).rootfs.diff_ids)
        except HardenError:
            return

    def collect(self, *, now: bool = False) -> int:
        """Remove blobs that no image needs, and old downloads that nobody works on (`now`: all such); return the bytes that are free now.

        While others put blobs in, nothing is removed, for what they have put in has no name yet: it raises `Busy`, `now` after a while.
        """
        freed = 0
        busy = "other commands put images into the store, or read them"
        alone = locked(f"{self.folder}/users", fcntl.LOCK_EX, busy, None if now else 0.0)
        with told(self.folder), alone, self._alone():
            blobs = self.needed().blobs
            for algorithm in os.listdir(f"{self.folder}/blobs"):
                folder = f"{self.folder}/blobs/{algorithm}"
                for name in os.listdir(folder):
                    if _is_orphan(name) if name.startswith(".") else f"{algorithm}:{name}" not in blobs:
                        freed += _remove(f"{folder}/{name}")
            for name in os.listdir(self.folder):
                if name.startswith(".") and _is_orphan(name):
                    freed += _remove(f"{self.folder}/{name}")
            freed += self.sweep(0.0 if now else OLD_S)
        return freed

    def sweep(self, age_s: float = OLD_S) -> int:
        """Remove downloads that nobody works on and nobody has for so long; return their bytes."""
        freed = 0
        for name in os.listdir(f"{self.folder}/partial"):
            path = f"{self.folder}/partial/{name}"
            try:
                fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:  # finished meanwhile
                continue
            try:
                if time.time() - os.fstat(fd).st_mtime >= age_s:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _is(fd, path):
                        freed += _remove(path)
            except BlockingIOError:
                continue
            finally:
                os.close(fd)
        return freed


class Needed:
    """Digests of the blobs that images need, and of what is in their layers."""

    __slots__ = ("blobs", "diff_ids")

    def __init__(self) -> None:
        self.blobs: set[str] = set()
        self.diff_ids: set[str] = set()


@contextmanager
def told(folder: str) -> Iterator[None]:
    """Tell of errors of the disk as a user can read them."""
    try:
        yield
    except OSError as error:
        full = error.errno in (28, 122)  # ENOSPC, EDQUOT
        how = _ROOM if full else "let yourself write there"
        where = error.filename if isinstance(error.filename, str) else folder
        raise HardenError(f"the store of images cannot be written: {error.strerror}", where=where, how=how) from error


def _replace(path: str, content: bytes | str) -> None:
    """Write a file in one step, so that it is the old one or the new one whatever happens."""
    folder, _, name = path.rpartition("/")
    fresh = f"{folder}/.{os.getpid()}-{os.urandom(4).hex()}-{name}"[:250]
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            write_all(fd, content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise


def _nameless(row: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if key != "annotations"}


def _make(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        return


def _remove(path: str) -> int:
    try:
        size = os.lstat(path).st_blocks * 512
        os.unlink(path)
    except FileNotFoundError:
        return 0
    return size


def _is_orphan(name: str) -> bool:
    """Tell whether who was writing a file is gone."""
    pid = name[1:].partition("-")[0]
    return not pid.isdigit() or not os.path.exists(f"/proc/{pid}")


def _is(fd: int, path: str) -> bool:
    try:
        return os.fstat(fd).st_ino == os.stat(path, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return False


class Busy(HardenError):
    """Somebody else holds a lock, for longer than one is ready to wait."""


@contextmanager
def locked(path: str, kind: int, what: str, patience_s: float | None = None) -> Iterator[None]:
    """Hold the lock of a file, LOCK_SH or LOCK_EX of flock(2). `what` is said of who has it, in the `Busy` that it raises then."""
    with told(os.path.dirname(path)):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + (PATIENCE_S if patience_s is None else patience_s)
        while True:
            try:
                fcntl.flock(fd, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    how = f"wait for it, or end it (`fuser {path}` names it)"
                    raise Busy(what, where=path, how=how) from None
                time.sleep(_STEP_S)
        yield
    finally:
        os.close(fd)


def names(store: Store, digest: str) -> tuple[str, ...]:
    """Return the names in full that an image has."""
    return tuple(name for one in store.images() if one.digest == digest and (name := name_of(one)))


def nameable(text: str, where: str) -> str:
    """Return the name in full that an image can be given; a digest is no name: what it stands for is what has it."""
    why = reference.error(text)
    if why or reference.split(text).digest is not None:
        raise HardenError(f"{text!r} is no name for an image: {why or 'it has a digest'}", where=where, how="write [REGISTRY/]NAME[:TAG]")
    return reference.full(reference.split(text))
