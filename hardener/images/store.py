"""The store: the images that a user has pulled, loaded or tagged, as one OCI image layout, which skopeo and others read as well.

    DATA/images/oci-layout, index.json    the images by their names in full; one without a name is what a tag has moved away from
    DATA/images/blobs/ALGORITHM/DIGITS    what they consist of
    DATA/images/partial/…                 what is on its way (see storing.py, which writes all of this)

This is the page that reads, and a launch goes through it: who only looks a name up reads one file. A document is put in after all that
it names, so what a manifest in here names is in here, unless somebody has damaged the store: digests and sizes are for who reads a blob
to check, each time (image.py, blobs.py).
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.oci import json_text, reference
from hardener.oci.image import REF_NAME, Descriptor, split_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Final

LIMIT: Final = 8 << 20  # bytes of a document: registries take 4 MiB
SHORTEST: Final = 6  # digits of a digest that may stand for an image
SHORT: Final = 12  # digits that are shown of one, as docker does
_OTHERS_WRITE, _KIND, _REGULAR = 0o022, 0o170000, 0o100000
_HEX: Final = frozenset("0123456789abcdef")


class Store:
    """The images in a folder, which need not be there yet."""

    __slots__ = ("folder", "where")

    def __init__(self, folder: str) -> None:
        self.where = self.folder = folder

    # --- names -------------------------------------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, object]]:
        """Return the descriptors of index.json as they are written; none where there is no store yet."""
        path = f"{self.folder}/index.json"
        try:
            fd = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise HardenError(f"it cannot be read: {posix.strerror(error.errno or 0)}", where=path, how="see whose it is") from error
        try:
            found = posix.fstat(fd)
            # A name in here decides which program runs, so nobody else may have written it.
            if found.st_mode & _KIND != _REGULAR or found.st_mode & _OTHERS_WRITE or found.st_uid not in (0, posix.geteuid()):
                raise HardenError("others could have written it", where=path, how=f"remove {self.folder}, and pull the images again")
            if found.st_size > LIMIT:
                raise _damaged(path, f"it is larger than {LIMIT} bytes")
            text = posix.read(fd, LIMIT + 1)
        finally:
            posix.close(fd)
        try:
            index = json_text.scan(text.decode().strip())
        except (ValueError, RecursionError) as error:
            raise _damaged(path, "it is no JSON") from error
        manifests = index.get("manifests") if isinstance(index, dict) else None
        if not isinstance(manifests, list) or not all(isinstance(row, dict) for row in manifests):
            raise _damaged(path, "it is no index of images")
        return manifests

    def images(self) -> list[Descriptor]:
        """Return the descriptor of every image, once for each of its names."""
        return [self._parsed(row) for row in self.rows()]

    def find(self, text: str) -> Descriptor | None:
        """Return what a reference names: by tag, by digest, or by the beginning of a digest; None when it is not in the store."""
        rows = self.rows()
        named = reference.split(text)
        wanted = reference.full(named)
        if named.digest is not None:  # whatever is called so: it is the digest that counts
            return next((self._parsed(row) for row in rows if row.get("digest") == named.digest), None)
        for row in rows:
            if written_name(row) == wanted:
                return self._parsed(row)
        digits = text.removeprefix("sha256:")
        if len(digits) < SHORTEST or not _HEX.issuperset(digits):
            return None
        meant = {str(row.get("digest")): row for row in rows if str(row.get("digest")).partition(":")[2].startswith(digits)}
        if len(meant) > 1:
            how = f"write more of it: {', '.join(sorted(meant))}"
            raise HardenError(f"{text!r} is the beginning of {len(meant)} digests", where=self.folder, how=how)
        return next((self._parsed(row) for row in meant.values()), None)

    def by_digest(self, digest: str) -> Descriptor | None:
        """Return the image of a digest; None when it is not in the store."""
        return next((self._parsed(row) for row in self.rows() if row.get("digest") == digest), None)

    def knows(self, named: reference.Reference) -> bool:
        """Tell whether the image of a digest has a name in the repository that it is asked for by, and not in others alone."""
        home = f"{named.registry}/{named.repository}"
        return any(row.get("digest") == named.digest and written_name(row).startswith((f"{home}:", f"{home}@")) for row in self.rows())

    def _parsed(self, row: dict[str, object]) -> Descriptor:
        path = f"{self.folder}/index.json"
        try:
            made = Descriptor.parse(row)
            split_digest(made.digest)
        except HardenError as error:
            raise _damaged(path, error.what) from None
        return made

    # --- blobs -------------------------------------------------------------------------------------------------------------------

    def path(self, descriptor: Descriptor) -> str:
        """Return where a blob lies, or will."""
        algorithm, digits = split_digest(descriptor.digest)
        return f"{self.folder}/blobs/{algorithm}/{digits}"

    def has(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there, by its size alone."""
        try:
            found = posix.lstat(self.path(descriptor))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return found.st_mode & _KIND == _REGULAR and found.st_size == descriptor.size

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a document, not yet verified."""
        path = self.path(descriptor)
        with self.open(descriptor) as file:
            content = file.read(LIMIT + 1)
        if len(content) > LIMIT:
            raise HardenError(f"this is larger than {LIMIT} bytes", where=path, how="no real image is like that: take another one")
        return content

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return a blob as a stream, not yet verified."""
        from hardener.images import layout

        return open(layout.open_regular(self.path(descriptor)), "rb", buffering=0)


def written_name(row: dict[str, object]) -> str:
    """Return the name in full of a row of index.json; "" when it has none."""
    annotations = row.get("annotations")
    name = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else ""


def name_of(descriptor: Descriptor) -> str:
    """Return the name in full of an image of the store; "" when it has none."""
    return (descriptor.annotations or {}).get(REF_NAME, "")


def is_named(descriptor: Descriptor, named: reference.Reference) -> bool:
    """Tell whether an image of the store was found by its name, or by its whole digest, and not by the beginning of one."""
    return named.digest is not None or name_of(descriptor) == reference.full(named)


def _damaged(path: str, why: str) -> HardenError:
    return HardenError(f"the store of images is damaged: {why}", where=path, how="remove that folder, and pull the images again")
