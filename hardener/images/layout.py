"""An OCI image layout: a folder with oci-layout, index.json and blobs, as `skopeo copy … oci:DIR:TAG` or `docker buildx -o type=oci` write.

Nothing in it is believed: the size and the digest of every blob are held against what names it, from index.json down, which itself is only
where we start. Source: github.com/opencontainers/image-spec, image-layout.md.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.images import image
from hardener.images.limits import LIMITS
from hardener.oci.image import REF_NAME, Descriptor, Index, split_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Final

VERSION: Final = "1.0.0"


class Folder:
    """The blobs of a layout that is a folder."""

    __slots__ = ("where",)

    def __init__(self, folder: str) -> None:
        self.where = folder

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a document."""
        return file_content(self.path(descriptor), LIMITS.document)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return the file of a blob."""
        return open(open_regular(self.path(descriptor)), "rb", buffering=0)

    def path(self, descriptor: Descriptor) -> str:
        """Return where a blob lies."""
        algorithm, digits = split_digest(descriptor.digest)
        return f"{self.where}/blobs/{algorithm}/{digits}"


def is_layout(folder: str) -> bool:
    """Tell whether a folder claims to be an image layout."""
    try:
        posix.stat(f"{folder}/oci-layout")
    except OSError:
        return False
    return True


def split(text: str) -> tuple[str, str]:
    """Return folder and name of `DIR` or `DIR:NAME`, where the name may have colons, too; ('', '') when no such folder is a layout."""
    if is_layout(text):
        return text, ""
    for folder, _, name in (text.rpartition(":"), text.partition(":")):
        if folder and is_layout(folder):
            return folder, name
    return "", ""


def read(folder: str, name: str = "", platform: str = "") -> image.Image:
    """Find an image in a layout, by the name of its reference where there are several, and by platform; verify and return it."""
    check_version(file_content(f"{folder}/oci-layout", LIMITS.document), f"{folder}/oci-layout")
    found = by_name(index(folder).manifests, name, folder)
    return image.read(f"{folder}:{name}" if name else folder, Folder(folder), found, platform)


def index(folder: str) -> Index:
    """Return what a layout lists: images, and what is attached to them."""
    return image.parse(Index, file_content(f"{folder}/index.json", LIMITS.document), f"{folder}/index.json")


def check_version(content: bytes, where: str) -> None:
    """Refuse a layout of a version that is not known."""
    version = image.json(content, where)
    said = version.get("imageLayoutVersion") if isinstance(version, dict) else None
    if said != VERSION:
        raise HardenError(f"image layouts of version {said!r:.40} are unknown", where=where, how=f"known: {VERSION}")


def by_name(found: tuple[Descriptor, ...], name: str, where: str) -> tuple[Descriptor, ...]:
    """Return what is called so in the index of a layout: manifests or indexes, by platform. Without a name there must be one image."""
    names = {(one.annotations or {}).get(REF_NAME, ""): None for one in found}
    known = [known for known in names if known]
    if name:
        # Buildx writes whole references, others the tag alone.
        chosen = [one for one in found if name in _endings((one.annotations or {}).get(REF_NAME, ""))]
        if not chosen:
            how = suggest(name, known) or (f"it has {', '.join(known)}" if known else "its images have no names: leave it out")
            raise HardenError(f"the layout has no image {name!r}", where=where, how=how)
        return tuple(chosen)
    if len(names) > 1:
        raise HardenError("the layout has several images", where=where, how=f"name one: {where}:{known[0]} ({', '.join(known)})")
    return found


def _endings(reference: str) -> tuple[str, ...]:
    return (reference, reference.rpartition(":")[2]) if reference else ()


def open_regular(path: str) -> int:
    """Open a file of a layout that must be one: a pipe would keep us waiting, and a device would never end."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC)
    except OSError as error:
        raise HardenError(f"it cannot be read: {posix.strerror(error.errno or 0)}", where=path, how="copy the image again") from error
    if posix.fstat(fd).st_mode & 0o170000 != 0o100000:
        posix.close(fd)
        raise HardenError("this is not a regular file", where=path, how="copy the image again")
    return fd


def file_content(path: str, limit: int) -> bytes:
    """Return the bytes of a regular file, which may not have more than so many."""
    fd = open_regular(path)
    try:
        chunks = []
        size = 0
        # It may grow while we read.
        while size <= limit and posix.fstat(fd).st_size <= limit and (chunk := posix.read(fd, 1 << 20)):
            chunks.append(chunk)
            size += len(chunk)
        if size > limit or posix.fstat(fd).st_size > limit:
            raise HardenError(f"this is larger than {limit} bytes", where=path, how="no real image is like that: take another one")
        return b"".join(chunks)
    finally:
        posix.close(fd)
