"""Fetch an image from its registry into the store: what is here already is not fetched again, and nothing counts before it is verified.

The documents come first, for they say what to fetch; they are put in last, so that what is in the store is whole whenever it ends. Layers
come several at a time, each from where an earlier command was cut off.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images import image as images
from hardener.images.registry import Registry
from hardener.images.store import SHORT
from hardener.oci import reference as references
from hardener.oci.image import INDEXES, MANIFESTS, Descriptor

if TYPE_CHECKING:
    from typing import BinaryIO

    from hardener.images.image import Image
    from hardener.images.progress import Progress
    from hardener.images.registry import RegistryOptions
    from hardener.images.storing import Stock
    from hardener.oci.reference import Reference

AT_ONCE: Final = 4


class Pulled:
    """What came of a pull: the image, its name in full, the descriptor that has it in the store, and whether that is news."""

    __slots__ = ("descriptor", "image", "name", "new")

    def __init__(self, image: Image, name: str, descriptor: Descriptor, *, new: bool) -> None:
        self.image = image
        self.name = name
        self.descriptor = descriptor
        self.new = new


class _Both:
    """The blobs of an image as far as they are in the store, and else of its registry; it remembers the documents that it has read."""

    def __init__(self, store: Stock, registry: Registry, repository: str) -> None:
        self.where = f"{registry.name}/{repository}"
        self.documents: dict[str, tuple[Descriptor, bytes]] = {}
        self._store = store
        self._registry = registry
        self._repository = repository

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a document."""
        if self._store.holds(descriptor):
            content = self._store.read(descriptor)
        elif descriptor.media_type in (*INDEXES, *MANIFESTS):
            content, _ = self._registry.manifest(self._repository, descriptor.digest)
        else:
            content = self._registry.document(self._repository, descriptor)
        self.documents[descriptor.digest] = (descriptor, content)
        return content

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return the stream of a blob."""
        return self._registry.open_blob(self._repository, descriptor)

    def path(self, _: Descriptor) -> str:
        """Return '': what matters comes from the registry."""
        return ""


def pull(reference: Reference, store: Stock, platform: str, options: RegistryOptions, progress: Progress) -> Pulled:
    """Fetch an image, or what is missing of it, and give it its name in the store."""
    name = references.full(reference)
    with store.using():
        store.sweep()
        registry = Registry(reference.registry, options)
        known = store.find(name)
        if known is not None and reference.digest is not None and store.knows(reference):
            top = known
        else:
            top = registry.head(reference.repository, reference.digest or reference.tag or references.DEFAULT_TAG)
        if reference.digest is not None and top.digest != reference.digest:
            raise HardenError(
                "the registry answers with another image", where=name, how="it is damaged, or wants to deceive: do not use it"
            )
        both = _Both(store, registry, reference.repository)
        image = images.read(references.full(reference), both, (top,), platform)
        new = _layers(image, store, registry, reference, progress)
        for descriptor, content in reversed(both.documents.values()):  # what is named before what names it
            store.put(descriptor, content)
        descriptor = image.index or image.descriptor
        if image.index is None:
            descriptor.platform = image.platform
        store.tag(name, descriptor)
    image.source = store
    return Pulled(image, name, descriptor, new=new or known is None or known.digest != descriptor.digest)


def _layers(image: Image, store: Stock, registry: Registry, reference: Reference, progress: Progress) -> bool:
    """Fetch the layers that are not here; tell whether any was not."""
    ended = Event()
    unique = {layer.descriptor.digest: layer.descriptor for layer in image.layers}

    def fetch(descriptor: Descriptor) -> bool:
        name = descriptor.digest.partition(":")[2][:SHORT]
        tries: list[int] = []

        def open_(offset: int) -> BinaryIO:
            tries.append(offset)
            progress.start(name, descriptor.size, offset)
            # What a mirror has sent may not be what its digest says: the second time it is the registry itself.
            return registry.open_blob(reference.repository, descriptor, offset, mirrors=len(tries) == 1)

        def heard(count: int) -> None:
            if ended.is_set():
                raise HardenError("another layer could not be fetched", where=image.name)
            if count:
                progress.advance(name, count)

        new = store.take(descriptor, open_, heard)
        if new:
            progress.finish(name)
        return new

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        waiting = [pool.submit(fetch, descriptor) for descriptor in unique.values()]
        new = sum(one.result() for one in waiting) > 0
    except KeyboardInterrupt:
        ended.set()
        pool.shutdown(wait=False, cancel_futures=True)  # a registry that is silent would keep us waiting
        raise
    except BaseException:
        ended.set()  # the others end with their next piece
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    return new
