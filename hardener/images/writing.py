"""Write images of the store where other tools take them from: an archive as `docker save` makes it, an OCI archive, or an OCI layout.

Every blob is verified on its way out. Two runs write the same bytes: nothing in them says when, or by whom.
"""

from __future__ import annotations

import hashlib
import os
from tarfile import GNU_FORMAT, TarInfo
from typing import TYPE_CHECKING, Final, Protocol

from hardener.errors import HardenError
from hardener.images import image as images
from hardener.images import layout, listing
from hardener.images.blobs import LayerStream
from hardener.oci import json_text
from hardener.oci.image import INDEXES, REF_NAME, Descriptor, Manifest, split_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from hardener.images.store import Store

    class Sink(Protocol):
        """Takes files by their paths."""

        def add(self, path: str, pieces: Iterable[bytes]) -> None:
            """Add a file."""


DOCKER, ARCHIVE, LAYOUT = "docker-archive", "oci-archive", "oci"
FORMATS: Final = (DOCKER, ARCHIVE, LAYOUT)
_BLOCK: Final = 512
_PIECE: Final = 1 << 20


class Wanted:
    """An image to be written, with the names in full that it is to have there."""

    __slots__ = ("descriptor", "names")

    def __init__(self, descriptor: Descriptor, names: Sequence[str]) -> None:
        self.descriptor = descriptor
        self.names = tuple(names)


class Tar:
    """A tar in a file that can be written to anywhere: the size of a layer is known when it has been decompressed."""

    __slots__ = ("_file", "_written")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._written: set[str] = set()

    def add(self, path: str, pieces: Iterable[bytes]) -> None:
        """Add a file; one that is there already stays."""
        if path in self._written:
            return
        self._written.add(path)
        start = self._file.tell()
        self._file.write(bytes(_BLOCK))
        info = TarInfo(path)
        for piece in pieces:
            self._file.write(piece)
            info.size += len(piece)
        self._file.write(bytes(-info.size % _BLOCK))
        self._file.seek(start)
        self._file.write(info.tobuf(GNU_FORMAT))
        self._file.seek(0, os.SEEK_END)

    def end(self) -> None:
        """Write the end."""
        self._file.write(bytes(2 * _BLOCK))
        self._file.flush()


class Folder:
    """A folder, made as files are added."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def add(self, path: str, pieces: Iterable[bytes]) -> None:
        """Add a file; one that is there already stays."""
        target = f"{self._path}/{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            with open(target, "xb") as file:
                file.writelines(pieces)


def write(wanted: Sequence[Wanted], store: Store, sink: Sink, form: str, platform: str = "") -> None:
    """Write images to a folder or a tar. A platform chooses one of an index; without it an OCI form gets all that are here."""
    if form == DOCKER:
        _docker(wanted, store, sink, platform)
    else:
        _oci(wanted, store, sink, platform)


# --- as docker ------------------------------------------------------------------------------------------------------------------


def _docker(wanted: Sequence[Wanted], store: Store, sink: Sink, platform: str) -> None:
    """Source: github.com/moby/docker-image-spec, spec.md, "Combined Image JSON + Filesystem Changeset Format"."""
    rows = []
    for one in wanted:
        image = images.read(one.descriptor.digest, store, (one.descriptor,), platform)
        config = "{1}.json".format(*split_digest(image.manifest.config.digest))
        sink.add(config, [_document(store, image.manifest.config)])
        paths = []
        for layer in image.layers:
            paths.append("{1}.tar".format(*split_digest(layer.diff_id)))
            sink.add(paths[-1], _plain(store, layer.descriptor, layer.diff_id))
        rows.append({"Config": config, "RepoTags": [*map(listing.familiar, one.names)], "Layers": paths})
    sink.add("manifest.json", [json_text.write(rows).encode()])


def _plain(store: Store, descriptor: Descriptor, diff_id: str) -> Iterator[bytes]:
    """Yield the tar of a layer as it is when it is not compressed."""
    with LayerStream(store.open(descriptor), descriptor, diff_id, store.path(descriptor)) as stream:
        while piece := stream.more():
            yield piece
        stream.finish()


# --- as the Open Container Initiative has it -----------------------------------------------------------------------------------


def _oci(wanted: Sequence[Wanted], store: Store, sink: Sink, platform: str) -> None:
    rows: list[dict[str, object]] = []
    for one in wanted:
        top = images.read(one.descriptor.digest, store, (one.descriptor,), platform).descriptor if platform else one.descriptor
        _copy(store, sink, top)
        for name in one.names or ("",):
            made = Descriptor(media_type=top.media_type, digest=top.digest, size=top.size, platform=top.platform)
            made.annotations = {REF_NAME: name} if name else None
            rows.append(made.dump())
    index = {"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": rows}
    sink.add("index.json", [json_text.write(index).encode()])
    sink.add("oci-layout", [f'{{"imageLayoutVersion": "{layout.VERSION}"}}'.encode()])


def _copy(store: Store, sink: Sink, top: Descriptor) -> None:
    sink.add(_path(top), [_document(store, top)])
    for one in listing.manifests(store, top):
        manifest = images.document(store, one, Manifest)
        sink.add(_path(one), [_document(store, one)])
        for blob in (manifest.config, *manifest.layers):
            sink.add(_path(blob), _verified(store, blob))


def _path(descriptor: Descriptor) -> str:
    return "blobs/{}/{}".format(*split_digest(descriptor.digest))


def _document(store: Store, descriptor: Descriptor) -> bytes:
    content = store.read(descriptor)
    images.check(content, descriptor, store.path(descriptor))
    return content


def _verified(store: Store, descriptor: Descriptor) -> Iterator[bytes]:
    """Yield a blob as it is stored; raise an error at its end unless it is what its descriptor says."""
    algorithm, digits = split_digest(descriptor.digest)
    found, size = hashlib.new(algorithm), 0
    with store.open(descriptor) as file:
        while piece := file.read(_PIECE):
            found.update(piece)
            size += len(piece)
            yield piece
    if size != descriptor.size or found.hexdigest() != digits:
        how = "the store is damaged: pull the image again"
        raise HardenError("this is not what its digest and size say", where=store.path(descriptor), how=how)
