"""An image in a registry as a source of blobs: documents are kept, for they are asked for more than once; layers come as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.images.registry import Registry, digest_of
from hardener.oci.image import INDEXES, MANIFESTS, Descriptor
from hardener.oci.reference import DEFAULT_TAG

if TYPE_CHECKING:
    from typing import BinaryIO

    from hardener.images.registry import RegistryOptions
    from hardener.oci.reference import Reference


class RemoteSource:
    """Blobs of one repository. `where` is what messages name."""

    __slots__ = ("_documents", "_name", "registry", "repository", "where")

    def __init__(self, reference: Reference, options: RegistryOptions | None = None) -> None:
        self.registry = Registry(reference.registry, options)
        self.repository = reference.repository
        self._name = reference.digest or reference.tag or DEFAULT_TAG
        self.where = f"{reference.registry}/{reference.repository}{'@' if reference.digest else ':'}{self._name}"
        self._documents: dict[str, bytes] = {}

    def top(self) -> Descriptor:
        """Return what the reference names, an index or a manifest, and keep it for the reader."""
        content, media_type = self.registry.manifest(self.repository, self._name)
        found = self._name if ":" in self._name else digest_of(content)
        self._documents[found] = content
        return Descriptor(media_type=media_type, digest=found, size=len(content))

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
