"""Where the signatures of an image lie: beside it in its registry, or in the same layout.

Three ways lead from an image to what is attached to it: the referrers of its digest as the registry lists them, the same list as an index
under the tag `sha256-DIGITS` where the registry keeps none, and cosign's older tag `sha256-DIGITS.sig`. Source: the OCI distribution
specification 1.1, "Listing Referrers" and "Referrers Tag Schema"; cosign, specs/SIGNATURE_SPEC.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hardener.errors import HardenError
from hardener.images.signatures import strict
from hardener.oci.image import INDEXES, REF_NAME, Descriptor, Index, referrers_tag, split_digest
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST: Final = 4 << 20  # bytes of a manifest: what registries take
MOST: Final = 256  # manifests that may be attached to one digest before we stop looking

BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
ATTACHED_SIGNATURE: Final = "application/vnd.dev.cosign.artifact.sig.v1+json"
_KIND, _SIGNATURES = "kind", "dev.cosignproject.cosign/sigs"  # as `cosign save` marks them

REFERRERS: Final = "the registry's list of referrers"
REFERRERS_TAG: Final = "the tag that stands in for the registry's list"
COSIGN_TAG: Final = "cosign's tag"
BESIDE: Final = "the same layout"


class Hung(NamedTuple):
    """A manifest that is attached to an image, and by which way it was found."""

    found: str
    content: bytes


class Shelf(Protocol):
    """Where signatures of an image may lie. What cannot be asked is an error; what is not there is not."""

    where: str

    def hung(self, digest: str) -> Iterator[Hung]:
        """Yield the manifests that may hold signatures of a digest."""

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a blob of at most the size that its descriptor says; it is verified by the caller."""


def cosign_tag(digest: str) -> str:
    """Return the tag of cosign's signatures of a digest."""
    return "{}-{}.sig".format(*split_digest(digest))


def may_sign(descriptor: Descriptor) -> bool:
    """Tell whether a referrer may be a signature; most are not (bills of materials, attestations of a build)."""
    kind = descriptor.extra.get("artifactType") or ""
    return isinstance(kind, str) and (not kind or kind.startswith(BUNDLE) or kind == ATTACHED_SIGNATURE)


def verified(content: bytes, descriptor: Descriptor, where: str) -> bytes:
    """Return bytes that are what their descriptor says. Raises `HardenError` for others."""
    import hashlib

    algorithm, digits = split_digest(descriptor.digest)
    if len(content) != descriptor.size or hashlib.new(algorithm, content).hexdigest() != digits:
        raise HardenError(
            f"{descriptor.digest} is not what its digest and size say", where=where, how="it is damaged or forged: copy the image again"
        )
    return content


class Layout:
    """The signatures in a layout, found from its index: by what they say to be about, or under the names of tags.

    `read` returns the bytes of a blob, not more than its descriptor says.
    """

    def __init__(self, where: str, index: Index, read: Callable[[Descriptor], bytes]) -> None:
        self.where = where
        self._index = index
        self.read = read

    def hung(self, digest: str) -> Iterator[Hung]:
        """Yield the manifests that are about a digest, have the tag of one, or were put there by `cosign save`."""
        tags = (referrers_tag(digest), cosign_tag(digest))
        for descriptor in self._index.manifests[:MOST]:
            notes = descriptor.annotations or {}
            name = notes.get(REF_NAME, "").rpartition(":")[2]
            if descriptor.size > LARGEST:
                continue
            if name == tags[0] and descriptor.media_type in INDEXES:
                for listed in _index(self._document(descriptor), self.where).manifests[:MOST]:
                    if may_sign(listed) and listed.size <= LARGEST:
                        yield Hung(BESIDE, self._document(listed))
                continue
            if descriptor.media_type in INDEXES:
                continue
            content = self._document(descriptor)
            if name == tags[1] or notes.get(_KIND) == _SIGNATURES or _subject(content) == digest:
                yield Hung(BESIDE, content)

    def _document(self, descriptor: Descriptor) -> bytes:
        return verified(self.read(descriptor), descriptor, self.where)


def _subject(manifest: bytes) -> str:
    """Return the digest that a manifest says to be about, or ''."""
    try:
        subject = strict.document(manifest, "the manifest").get("subject")
    except HardenError:
        return ""
    digest = subject.get("digest") if isinstance(subject, dict) else ""
    return digest if isinstance(digest, str) else ""


def _index(content: bytes, where: str) -> Index:
    try:
        return Index.parse(strict.document(content, "the list of referrers"))
    except HardenError as error:
        raise HardenError(error.what, where=where, how="it is damaged: copy the image again") from None
