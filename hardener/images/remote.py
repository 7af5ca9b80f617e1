"""An image in a registry as a source of blobs: documents are kept, for they are asked for more than once; layers come as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.errors import HardenError
from hardener.images.registry import Registry, digest_of
from hardener.oci import reference as references
from hardener.oci.image import INDEXES, MANIFESTS, Descriptor

if TYPE_CHECKING:
    from typing import BinaryIO

    from hardener.images.registry import RegistryOptions
    from hardener.oci.reference import Reference


class RemoteSource:
    """Blobs of one repository. `top` is what the reference names: an index, or a manifest; `where` is what messages name."""

    __slots__ = ("_documents", "registry", "repository", "top", "where")

    def __init__(self, reference: Reference, options: RegistryOptions | None = None) -> None:
        self.registry = Registry(reference.registry, options)
        self.repository = reference.repository
        name = reference.digest or reference.tag or "latest"
        self.where = f"{reference.registry}/{reference.repository}{'@' if reference.digest else ':'}{name}"
        content, media_type = self.registry.manifest(self.repository, name)
        self.top = Descriptor(media_type=media_type, digest=reference.digest or digest_of(content), size=len(content))
        self._documents = {self.top.digest: content}

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a document whole. Manifests are what their digest says; of others that is for the reader to see."""
        found = self._documents.get(descriptor.digest)
        if found is None:
            if descriptor.media_type in (*INDEXES, *MANIFESTS):
                found, _ = self.registry.manifest(self.repository, descriptor.digest)
            else:
                found = self.registry.document(self.repository, descriptor)
            self._documents[descriptor.digest] = found
        return found

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return the stream of a blob, not yet verified."""
        return self.registry.open_blob(self.repository, descriptor)

    def path(self, _: Descriptor) -> str:
        """Return '': no blob is a file here."""
        return ""


def source(text: str, options: RegistryOptions | None = None) -> RemoteSource:
    """Return the source of an image by its reference, such as `ghcr.io/owner/app:v1`: what it names has been fetched, nothing else."""
    if reason := references.error(text):
        raise HardenError(f"this is no name of an image: {reason}", where=text, how="write NAME:TAG or REGISTRY/NAME:TAG")
    return RemoteSource(references.split(text), options)
