"""Images in one file, as `docker save` and `skopeo copy … oci-archive:` write them: read where they lie, member for member, in any order.

The file is a tar of an image layout, or of manifest.json with a configuration and tars of layers, or of both. What cannot be read from the
middle (a pipe, a compressed file) is copied to a file without a name first. Source: docs.docker.com, "docker image save"; moby,
image/spec/spec.md; containers-transports(5).
"""

from __future__ import annotations

import hashlib
import os
import weakref
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any, Final

from hardener.errors import HardenError, suggest
from hardener.images import image as images
from hardener.images import layout
from hardener.images.blobs import PIECE, decompressed, is_compressed
from hardener.images.limits import LIMITS
from hardener.images.notes import Notes
from hardener.images.tar import BLOCK, Reader
from hardener.oci import json_text
from hardener.oci import reference as references
from hardener.oci.image import CONFIGS, LAYERS, MANIFESTS, Descriptor, ImageConfig, Index, split_digest

if TYPE_CHECKING:
    from typing import BinaryIO

    from hardener.images.image import Image

MEMBERS: Final = 50_000  # of an archive: each layer is three of them at most
LINKS: Final = 8  # from one member to another
HEADERS: Final = 4 << 10  # bytes that are read of an archive at once, between two members
_HOSTILE: Final = "the archive is damaged, or made to do harm: save the image again"
CONTAINERD_NAME: Final = "io.containerd.image.name"
_DOCKER_CONFIG, _DOCKER_MANIFEST = CONFIGS[1], MANIFESTS[1]
_DOCKER_TAR, _DOCKER_GZIP = LAYERS[3], LAYERS[4]


class Archive:
    """The members of a tar, to be read in any order."""

    def __init__(self, where: str, fd: int) -> None:
        self.where = where
        self._fd = fd
        weakref.finalize(self, os.close, fd)
        self._size = os.fstat(fd).st_size
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        members = _Members(fd, self._size, where)
        for entry in iter(members.next, None):
            if entry.name in self._files or entry.name in self._links:
                raise HardenError(f"{entry.name!r:.100} is in the archive twice", where=where, how=_HOSTILE)
            if len(self._files) + len(self._links) > MEMBERS:
                raise HardenError(f"the archive has more than {MEMBERS} members", where=where, how=_HOSTILE)
            if entry.kind == "file":
                self._files[entry.name] = (members.offset(), entry.size)
            elif entry.kind in ("symlink", "hardlink"):
                above = entry.name.rpartition("/")[0] if entry.kind == "symlink" else ""
                self._links[entry.name] = f"{above}/{entry.link}" if above else entry.link

    def has(self, name: str) -> bool:
        """Tell whether there is a member of a name."""
        return name in self._files or name in self._links

    def member(self, name: str) -> tuple[int, int]:
        """Return where a file begins, and how many bytes it has. Links are followed inside the archive."""
        path = name
        for _ in range(LINKS):
            if path in self._files:
                return self._files[path]
            if path not in self._links:
                break
            path = self._inside(self._links[path], name)
        raise HardenError(f"the archive has no file {name!r:.100}", where=self.where, how=_HOSTILE)

    def _inside(self, path: str, name: str) -> str:
        kept: list[str] = []
        for part in path.split("/"):
            if part == ".." and not kept:
                raise HardenError(f"{name!r:.100} leads out of the archive", where=self.where, how=_HOSTILE)
            if part == "..":
                kept.pop()
            elif part not in ("", "."):
                kept.append(part)
        return "/".join(kept)

    def content(self, name: str) -> bytes:
        """Return a document."""
        begin, size = self.member(name)
        if size > LIMITS.document:
            how = "no real image is like that: take another one"
            raise HardenError(f"{name!r:.100} is larger than {LIMITS.document} bytes", where=self.where, how=how)
        return os.pread(self._fd, size, begin)

    def open(self, name: str) -> BinaryIO:
        """Return the stream of a member."""
        return BufferedReader(_Section(self._fd, *self.member(name), self), PIECE)


class _Section(RawIOBase):
    """A part of a file. It keeps its archive, which closes the file when nobody has it any more."""

    def __init__(self, fd: int, begin: int, size: int, archive: Archive) -> None:
        super().__init__()
        self._fd = fd
        self._at = begin
        self._end = begin + size
        self._archive = archive

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes, wherever others read in the same file."""
        piece = os.pread(self._fd, min(len(buffer), self._end - self._at), self._at)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


class _Members(Reader):
    """The members of a tar that lies in a file: what is in them is jumped over."""

    _what = "archive"

    def __init__(self, fd: int, size: int, where: str) -> None:
        super().__init__(self._piece, where, LIMITS, Notes(), strict=True)
        self._fd = fd
        self._size = size
        self._next = 0

    def offset(self) -> int:
        """Return where the content of the last member begins."""
        return self._next - len(self._buffer) + self._at

    def _piece(self) -> bytes:
        piece = os.pread(self._fd, HEADERS, self._next)
        self._next += len(piece)
        return piece

    def _skip(self, size: int) -> None:
        ahead = size - (len(self._buffer) - self._at)
        if ahead <= 0:
            self._at += size
            return
        self._buffer, self._at = b"", 0
        self._next += ahead
        if self._next > self._size:
            raise self._damaged("unexpected end of data")


# --- as sources --------------------------------------------------------------------------------------------------------------------


class LayoutArchive:
    """The blobs of an image layout in an archive."""

    def __init__(self, archive: Archive) -> None:
        self.where = archive.where
        self._archive = archive

    def index(self) -> Index:
        """Return what the layout lists: images, and what is attached to them."""
        return images.parse(Index, self._archive.content("index.json"), f"{self.where} (index.json)")

    def has(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is in the archive."""
        return self._archive.has(_blob(descriptor))

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a document."""
        return self._archive.content(_blob(descriptor))

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return the stream of a blob."""
        return self._archive.open(_blob(descriptor))

    def path(self, _: Descriptor) -> str:
        """Return '': no blob is a file of its own."""
        return ""


class SavedArchive:
    """The blobs of one image of `docker save`, under the digests that they would have in a registry; its manifest is made here."""

    def __init__(self, archive: Archive, config_name: str, layer_names: tuple[str, ...]) -> None:
        self.where = archive.where
        self._archive = archive
        self._documents: dict[str, bytes] = {}
        self._members: dict[str, str] = {}
        content = archive.content(config_name)
        config = self._document(content, _DOCKER_CONFIG)
        said = config_name.rpartition("/")[2].removesuffix(".json")
        if len(said) == hashlib.sha256().digest_size * 2 and f"sha256:{said}" != config.digest:
            raise HardenError(f"{config_name!r:.100} is not what its name says", where=self.where, how=_HOSTILE)
        diff_ids = images.parse(ImageConfig, content, f"{self.where} ({config_name})").rootfs.diff_ids
        layers = [self._layer(name, diff_ids[at] if at < len(diff_ids) else "") for at, name in enumerate(layer_names)]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _DOCKER_MANIFEST,
            "config": config.dump(),
            "layers": [layer.dump() for layer in layers],
        }
        self.top = self._document(json_text.write(manifest).encode(), _DOCKER_MANIFEST)

    def _document(self, content: bytes, media_type: str) -> Descriptor:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._documents[digest] = content
        return Descriptor(media_type=media_type, digest=digest, size=len(content))

    def _layer(self, name: str, diff_id: str) -> Descriptor:
        _, size = self._archive.member(name)
        with self._archive.open(name) as file:
            head = file.read(4)
        packed = is_compressed(head)
        digest = diff_id
        if packed or not diff_id:  # what is plain is held against its diff_id when it is read
            found = hashlib.sha256()
            with self._archive.open(name) as file:
                while piece := file.read(PIECE):
                    found.update(piece)
            digest = f"sha256:{found.hexdigest()}"
        self._members[digest] = name
        return Descriptor(media_type=_DOCKER_GZIP if packed else _DOCKER_TAR, digest=digest, size=size)

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a document."""
        return self._documents.get(descriptor.digest, b"")

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return the stream of a layer."""
        return self._archive.open(self._members[descriptor.digest])

    def path(self, _: Descriptor) -> str:
        """Return '': no blob is a file of its own."""
        return ""


def _blob(descriptor: Descriptor) -> str:
    return "blobs/{}/{}".format(*split_digest(descriptor.digest))


# --- reading -----------------------------------------------------------------------------------------------------------------------


def read(path: str, name: str = "", platform: str = "", *, kind: str = "") -> Image:
    """Return an image of an archive; `name` chooses among several. `-` is the standard input. `kind`: 'oci' or 'docker'; '' for either."""
    return _read(Archive(*opened(path)), name, platform, kind)


def read_open(fd: int, where: str, platform: str = "") -> Image:
    """Return the only image of an archive that has been opened, which closes the file when nobody has it any more."""
    return _read(Archive(where, fd), "", platform, "")


def _read(archive: Archive, name: str, platform: str, kind: str) -> Image:
    has_layout, has_manifest = archive.has("index.json"), archive.has("manifest.json")
    if (has_layout and kind != "docker") or (kind == "docker" and has_layout and has_manifest):
        return _read_layout(archive, name, platform)
    if has_manifest and kind != "oci":
        return _read_saved(archive, name, platform)
    wanted = {"oci": "index.json", "docker": "manifest.json"}.get(kind, "index.json or manifest.json")
    raise HardenError(
        f"this is no archive of images: it has no {wanted}", where=archive.where, how="docker save, or skopeo copy … oci-archive:FILE"
    )


def _read_layout(archive: Archive, name: str, platform: str) -> Image:
    where = archive.where
    if archive.has("oci-layout"):
        layout.check_version(archive.content("oci-layout"), where)
    source = LayoutArchive(archive)
    found = source.index().manifests
    chosen = [one for one in found if name and _is_named((one.annotations or {}).get(CONTAINERD_NAME, ""), name)]
    tops = tuple(chosen) or layout.by_name(found, name, where)
    image = images.read(f"{where}:{name}" if name else where, source, tops, platform)
    if archive.has("manifest.json") and image.index is None and len(found) == 1:
        # One archive, two images: which one is run would depend on the age of the engine.
        configs = [_blob(image.manifest.config), f"{image.manifest.config.digest.partition(':')[2]}.json"]
        if not any(config in configs for _, config, _ in saved(archive)):
            raise HardenError("index.json and manifest.json are about different images", where=where, how=_HOSTILE)
    return image


def _read_saved(archive: Archive, name: str, platform: str) -> Image:
    found = saved(archive)
    known = [tag for tags, _, _ in found for tag in tags]
    if name:
        fitting = [one for one in found if any(_is_named(tag, name) for tag in one[0])]
        if not fitting:
            how = suggest(name, known) or (f"it has {', '.join(known)}" if known else "its images have no names: leave it out")
            raise HardenError(f"the archive has no image {name!r}", where=archive.where, how=how)
    elif len(found) != 1:
        how = f"name one: {archive.where}:{known[0]} ({', '.join(known)})" if known else "save one image alone"
        raise HardenError(f"the archive has {len(found)} images", where=archive.where, how=how)
    else:
        fitting = found
    _, config, layers = fitting[0]
    source = SavedArchive(archive, config, layers)
    return images.read(f"{archive.where}:{name}" if name else archive.where, source, (source.top,), platform)


def saved(archive: Archive) -> list[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Return names, configuration and layers of each image of manifest.json."""
    where = f"{archive.where} (manifest.json)"
    value = images.json(archive.content("manifest.json"), where)
    found = []
    for one in value if isinstance(value, list) else [None]:
        fields = one if isinstance(one, dict) else {}
        config, layers, tags = fields.get("Config"), fields.get("Layers"), fields.get("RepoTags") or []
        if not isinstance(config, str) or not _are_texts(layers) or not _are_texts(tags):
            raise HardenError("this is no list of images", where=where, how=_HOSTILE)
        found.append((tuple(tags), config, tuple(layers or ())))
    return found


def _are_texts(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _is_named(tag: str, name: str) -> bool:
    return bool(tag) and (tag == name or references.full(references.split(tag)) == references.full(references.split(name)))


def opened(path: str) -> tuple[str, int]:
    """Return what messages name, and a file that can be read from the middle."""
    if path == "-":
        return "standard input", _spooled(os.dup(0), "standard input")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise HardenError(f"it cannot be read: {error.strerror}", where=path, how="name a file that docker save has written") from error
    kind = os.fstat(fd).st_mode & 0o170000
    if kind not in (0o100000, 0o010000):
        os.close(fd)
        raise HardenError("this is neither a file nor a pipe", where=path, how="name a file that docker save has written")
    if kind == 0o100000 and not is_compressed(os.pread(fd, BLOCK, 0)[:4]):
        return path, fd
    return path, _spooled(fd, path)


def _spooled(fd: int, where: str) -> int:
    """Copy a stream, decompressed, to a file without a name; close it, and return the file."""
    from tempfile import TemporaryFile

    with open(fd, "rb", buffering=0) as file, TemporaryFile() as copy:
        left = LIMITS.total
        try:
            for piece in decompressed(lambda: file.read(PIECE) or b"", where, LIMITS):
                left -= len(piece)
                if left < 0:
                    raise HardenError(f"the archive is larger than {LIMITS.total >> 30} GiB", where=where, how=_HOSTILE)
                copy.write(piece)
            copy.flush()
        except OSError as error:
            how = "set TMPDIR to a folder with room for all of the archive"
            raise HardenError(f"the archive cannot be copied: {error.strerror}", where=where, how=how) from error
        return os.dup(copy.fileno())
