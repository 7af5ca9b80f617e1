"""What images the store has, in the words of a list: name, digest, platform, age, size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images import image, platforms
from hardener.images.store import SHORT, name_of
from hardener.oci import reference
from hardener.oci.image import INDEXES, MANIFESTS, Descriptor, ImageConfig, Index, Manifest, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.images.store import Store

NONE: Final = "<none>"


class Held:
    """An image under one of its names, for one platform: `digest` is what a pin names, `created` a moment as the image says it."""

    __slots__ = ("created", "descriptor", "manifest", "name", "platform", "size")

    def __init__(self, descriptor: Descriptor, manifest: Descriptor | None) -> None:
        self.name = name_of(descriptor)
        self.descriptor = descriptor
        self.manifest = manifest
        self.platform = ""
        self.created = ""
        self.size = 0  # bytes of all its blobs, compressed as they are

    @property
    def digest(self) -> str:
        """What a pin names: the digest of the index where there is one."""
        return self.descriptor.digest

    @property
    def repository(self) -> str:
        """The name without tag and digest, as people write it."""
        return reference.split(self.name).name if self.name else NONE

    @property
    def tag(self) -> str:
        """The tag; <none> for an image that was pulled by its digest, or has no name."""
        return (reference.split(self.name).tag if self.name else None) or NONE


def held(store: Store) -> list[Held]:
    """Return all images by name, and those without one last. What is damaged has no platform and no size."""
    found = [one for descriptor in store.images() for one in _each(store, descriptor)]
    return sorted(found, key=lambda one: (not one.name, one.name, one.digest, one.platform))


def familiar(name: str) -> str:
    """Return a name in full as people write it: `nginx:1.27` for `docker.io/library/nginx:1.27`."""
    parts = reference.split(name)
    return f"{parts.name}@{parts.digest}" if parts.digest is not None else f"{parts.name}:{parts.tag}"


def called(descriptor: Descriptor) -> str:
    """Return what to call an image: its name, or the beginning of its digest."""
    name = name_of(descriptor)
    return familiar(name) if name else descriptor.digest.partition(":")[2][:SHORT]


def manifests(store: Store, descriptor: Descriptor) -> list[Descriptor]:
    """Return the manifests of an image that are in the store, those of an index by their platforms."""
    if descriptor.media_type not in INDEXES:
        return [descriptor] if store.has(descriptor) else []
    index = image.document(store, descriptor, Index)
    return [one for each in index.manifests if store.has(each) for one in manifests(store, each)]


def _each(store: Store, descriptor: Descriptor) -> Iterator[Held]:
    try:
        found = manifests(store, descriptor)
    except HardenError:
        found = []
    for one in found:
        yield _described(store, Held(descriptor, one))
    if not found:
        yield Held(descriptor, None)


def _described(store: Store, made: Held) -> Held:
    if made.manifest is None or made.manifest.media_type not in MANIFESTS:
        return made
    try:
        manifest = image.document(store, made.manifest, Manifest)
        config = image.document(store, manifest.config, ImageConfig)
    except HardenError:
        return made
    made.platform = platforms.show(Platform(os=config.os, architecture=config.architecture, variant=config.variant))
    made.created = config.created or ""
    made.size = made.manifest.size + sum(one.size for one in (manifest.config, *manifest.layers))
    return made
