"""From an image to the shelf where its signatures lie: its registry, or its layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.images import layout
from hardener.images.archive import LayoutArchive
from hardener.images.registry import Registry
from hardener.images.remote import RemoteSource
from hardener.images.retrying import Trouble
from hardener.images.signatures.shelf import (
    COSIGN_TAG,
    LARGEST,
    MOST,
    REFERRERS,
    REFERRERS_TAG,
    Hung,
    Layout,
    cosign_tag,
    may_sign,
)
from hardener.images.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.images.image import Image
    from hardener.images.registry import RegistryOptions
    from hardener.images.signatures.shelf import Shelf
    from hardener.oci.image import Descriptor
    from hardener.oci.reference import Reference


class InRegistry:
    """The signatures of an image in its repository. An answer that cannot be had is an error: it might have been the one that counts."""

    def __init__(self, registry: Registry, repository: str) -> None:
        self.where = f"{registry.name}/{repository}"
        self._registry = registry
        self._repository = repository

    def hung(self, digest: str) -> Iterator[Hung]:
        """Yield the manifests that refer to a digest, by the registry's list, by the tag for that, and by cosign's tag."""
        seen: set[str] = set()
        for found, ask in ((REFERRERS, self._registry.listed), (REFERRERS_TAG, self._registry.tagged)):
            for descriptor in ask(self._repository, digest)[:MOST]:
                if descriptor.digest not in seen and may_sign(descriptor) and descriptor.size <= LARGEST:
                    seen.add(descriptor.digest)
                    yield from self._manifest(found, descriptor.digest)
        yield from self._manifest(COSIGN_TAG, cosign_tag(digest))

    def _manifest(self, found: str, name: str) -> Iterator[Hung]:
        try:
            yield Hung(found, self._registry.manifest(self._repository, name)[0])
        except Trouble as trouble:
            if trouble.status != 404:
                raise

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a blob, not yet verified."""
        return self._registry.document(self._repository, descriptor)


def shelf(image: Image, options: RegistryOptions | None = None) -> Shelf | None:
    """Return where the signatures of an image may be; None where there is no place for any.

    What an engine has, or `docker save` writes, has a manifest of its own, which nobody has signed.
    """
    source = image.source
    if isinstance(source, RemoteSource):
        return InRegistry(source.registry, source.repository)
    if isinstance(source, LayoutArchive):
        return Layout(source.where, source.index(), source.read)
    if isinstance(source, Store) and image.reference is not None:
        return of(image.reference, "", options)
    return of(None, source.where) if isinstance(source, layout.Folder) else None


def of(reference: Reference | None, folder: str, options: RegistryOptions | None = None) -> Shelf:
    """Return where the signatures of an image of a registry are, or of one in the layout in a folder."""
    if reference is not None:
        return InRegistry(Registry(reference.registry, options), reference.repository)
    return Layout(folder, layout.index(folder), layout.Folder(folder).read)
