"""Take all images of an archive, or of a layout in a folder, into the store: verified, under the names that they have there."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images import archive as archives
from hardener.images import image as images
from hardener.images import layout
from hardener.images.limits import LIMITS
from hardener.images.listing import familiar
from hardener.images.receiving import PIECE
from hardener.oci import json_text, reference
from hardener.oci.image import CONFIGS, INDEXES, LAYERS, MANIFESTS, REF_NAME, Descriptor, Index, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from hardener.images.image import Source
    from hardener.images.storing import Stock

MOST: Final = 1000
"""Names that one archive may give: each is written to the index of the store."""


class Loaded:
    """An image that is in the store now: its name as people write it, or "" for one without."""

    __slots__ = ("descriptor", "name")

    def __init__(self, name: str, descriptor: Descriptor) -> None:
        self.name = name
        self.descriptor = descriptor


class _Member:
    """An image of an archive, and its names as they are written there."""

    __slots__ = ("names", "source", "top")

    def __init__(self, names: tuple[str, ...], source: Source, top: Descriptor) -> None:
        self.names = names
        self.source = source
        self.top = top


def load(path: str, store: Stock, platform: str = "") -> list[Loaded]:
    """Take the images of an archive (`-`: the standard input), or of a layout, into the store; of an index those of a platform, or all."""
    loaded: list[Loaded] = []
    with store.using():
        for member in _members(path):
            names = [_checked(name, path) for name in member.names]
            if len(names) + len(loaded) > MOST:
                raise HardenError(
                    f"the archive has more than {MOST} names", where=path, how="no real archive is like that: take another one"
                )
            top = member.top
            if platform:
                top = images.read(path, member.source, (top,), platform).descriptor
            if isinstance(member.source, archives.SavedArchive):
                top = _restated(store, member.source, top)
            elif not _take(store, member.source, top, LIMITS.indexes):
                raise HardenError("the archive has an index, and no image of it", where=path, how="save the image again")
            for name in names or [""]:
                store.tag(name, top)
                loaded.append(Loaded(familiar(name) if name else "", top))
    if not loaded:
        raise HardenError("there is no image in it", where=path, how="docker save, or harden save, writes one")
    return loaded


def _members(path: str) -> Iterator[_Member]:
    if os.path.isdir(path):
        if not layout.is_layout(path):
            raise HardenError("this folder is no image layout", where=path, how="name a file that docker save has written, or a layout")
        folder = layout.Folder(path)
        layout.check_version(layout.file_content(f"{path}/oci-layout", LIMITS.document), path)
        content = layout.file_content(f"{path}/index.json", LIMITS.document)
        yield from (_Member(_names(one), folder, one) for one in images.parse(Index, content, f"{path}/index.json").manifests)
        return
    archive = archives.Archive(*archives.opened(path))
    if archive.has("index.json"):
        if archive.has("oci-layout"):
            layout.check_version(archive.content("oci-layout"), archive.where)
        content = archive.content("index.json")
        source = archives.LayoutArchive(archive)
        yield from (_Member(_names(one), source, one) for one in images.parse(Index, content, f"{archive.where} (index.json)").manifests)
    elif archive.has("manifest.json"):
        for names, config, layers in archives.saved(archive):
            saved = archives.SavedArchive(archive, config, layers)
            yield _Member(names, saved, saved.top)
    else:
        what = "this is no archive of images: it has neither index.json nor manifest.json"
        raise HardenError(what, where=archive.where, how="docker save, or skopeo copy … oci-archive:FILE, writes one")


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    """Return the name of a row of index.json, where it is one: a tag alone, as some write it, does not say of what."""
    said = descriptor.annotations or {}
    name = said.get(archives.CONTAINERD_NAME) or said.get(REF_NAME, "")
    return (name,) if ":" in name or "/" in name else ()


def _checked(name: str, where: str) -> str:
    why = reference.error(name)
    if why or reference.split(name).digest is not None:
        how = "it is no name that an image can have: save the image again, under another one"
        raise HardenError(f"the archive calls an image {name!r:.200}: {why or 'it has a digest'}", where=where, how=how)
    return reference.full(reference.split(name))


def _take(store: Stock, source: Source, descriptor: Descriptor, depth: int) -> bool:
    """Take a manifest with all that it names, or those of an index that are there; tell whether there was any."""
    if descriptor.media_type in INDEXES:
        if not depth:
            raise HardenError("the indexes are nested too deeply", where=source.where, how="no real image is like that: take another one")
        inner = images.document(source, descriptor, Index).manifests
        # Attestations stand beside images as if they were for a platform of their own.
        able = [one for one in inner if one.platform is None or one.platform.architecture != "unknown"]
        found = [_take(store, source, one, depth - 1) for one in able if _is_there(source, one)]
        if not any(found):
            return False
    else:
        image = images.read(source.where, source, (descriptor,))
        for layer in image.layers:
            store.take(layer.descriptor, _opener(source, layer.descriptor))
        store.put(image.manifest.config, source.read(image.manifest.config))
    store.put(descriptor, source.read(descriptor))
    return True


def _restated(store: Stock, source: Source, descriptor: Descriptor) -> Descriptor:
    """Take an image that has no manifest of its own, and give it one of OCI: other readers of the store know no other."""
    image = images.read(source.where, source, (descriptor,))
    layers = []
    for layer in image.layers:
        kind = LAYERS[LAYERS.index(layer.descriptor.media_type) % (len(LAYERS) // 2)]
        layers.append(Descriptor(media_type=kind, digest=layer.descriptor.digest, size=layer.descriptor.size))
        store.take(layers[-1], _opener(source, layer.descriptor))
    config = image.manifest.config
    store.put(config, source.read(config))
    config = Descriptor(media_type=CONFIGS[0], digest=config.digest, size=config.size)
    manifest = Manifest(media_type=MANIFESTS[0], config=config, layers=tuple(layers))
    content = json_text.write({"schemaVersion": 2, **manifest.dump()}).encode()
    made = Descriptor(media_type=MANIFESTS[0], digest=f"sha256:{hashlib.sha256(content).hexdigest()}", size=len(content))
    made.platform = image.platform
    store.put(made, content)
    return made


def _opener(source: Source, descriptor: Descriptor) -> Callable[[int], BinaryIO]:
    def open_(offset: int) -> BinaryIO:
        stream = source.open(descriptor)
        while offset and (piece := stream.read(min(offset, PIECE))):
            offset -= len(piece)
        return stream

    return open_


def _is_there(source: Source, descriptor: Descriptor) -> bool:
    has = getattr(source, "has", None)
    return bool(has(descriptor)) if has is not None else os.path.exists(source.path(descriptor))
