"""Is an image signed with one of some keys? Each signature is held against the bytes of the manifest, never against what a tag says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.signatures import claims
from hardener.images.signatures.attached import SIMPLE, Attachments
from hardener.oci.reference import error as reference_error
from hardener.oci.reference import split
from hardener.oci.registries import covers
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardener.images.image import Image
    from hardener.images.signatures.attached import Attached
    from hardener.images.signatures.keys import Key
    from hardener.images.signatures.shelf import Shelf
    from hardener.oci.reference import Reference

NEEDS_IDENTITY: Final = "it was made with a certificate: that needs a certificate identity, which is not supported"
UNCHECKED: Final = "no transparency log was checked"


class Subject(NamedTuple):
    """What may have been signed: the digests of an image, as their bytes were found to have, and the name it was asked for by.

    A signature of the index covers the manifest, because the index lists it; who gives an index here has seen that it does.
    """

    digest: str  # of the manifest for a platform
    index_digest: str  # of the index it was chosen from; "" without one
    reference: Reference | None  # None: a layout or an archive has no name that could be held against a signature


class Judged(NamedTuple):
    """A signature and what came of it: valid when there is no problem. `key` has made it; `digest` is what it was made for."""

    attached: Attached
    problem: str
    key: Key | None = None
    digest: str = ""
    repository: str = ""

    @property
    def valid(self) -> bool:
        """Tell whether one of the keys has signed this image, and as what it was asked for."""
        return not self.problem


class Verification(NamedTuple):
    """All signatures of an image that were found, and what there is to say besides."""

    subject: Subject
    where: str
    judged: tuple[Judged, ...]
    notes: tuple[str, ...]

    @property
    def valid(self) -> tuple[Judged, ...]:
        """Return the signatures that hold."""
        return tuple(one for one in self.judged if one.valid)

    @property
    def pin(self) -> str:
        """Return the digest that was signed, to be pinned: of the index where that is signed; "" when nothing holds."""
        signed = {one.digest for one in self.valid}
        if self.subject.index_digest in signed:
            return self.subject.index_digest
        return self.subject.digest if signed else ""


def subject_of(image: Image) -> Subject:
    """Return what may have been signed of an image that was read: its index was seen to list it then."""
    return Subject(image.digest, image.index_digest, image.reference)


def verify(subject: Subject, shelf: Shelf, keys: Sequence[Key], signed_as: Sequence[str] = ()) -> Verification:
    """Look for signatures of an image, of its index first, and check each with each key.

    `signed_as` are patterns for the repository that a signature names; without any it is the one that the image was asked for by. A
    signature that names none (sigstore bundles have no place for it) says nothing about names, and is taken.
    """
    attachments = Attachments(shelf)
    digests = [digest for digest in dict.fromkeys((subject.index_digest, subject.digest)) if digest]
    judged = [_judge(attached, digests, subject, keys, signed_as) for digest in digests for attached in attachments.of(digest)]
    return Verification(subject, shelf.where, tuple(judged), tuple(attachments.notes))


def _judge(attached: Attached, digests: Sequence[str], subject: Subject, keys: Sequence[Key], signed_as: Sequence[str]) -> Judged:
    if attached.problem:
        return Judged(attached, attached.problem)
    is_bundle = attached.kind != SIMPLE
    if is_bundle and attached.certified:
        return Judged(attached, NEEDS_IDENTITY)
    key = next((key for key in keys if key.has_signed(attached.signed, attached.signature)), None)
    if key is None:
        return Judged(attached, NEEDS_IDENTITY if attached.certified else "none of the keys has made it")
    try:
        claim = claims.statement(attached.payload) if is_bundle else claims.simple(attached.payload)
        digest = next((digest for digest in digests if digest in claim.digests), "")
        if not digest:
            raise HardenError(f"it is of another image: {', '.join(claim.digests)[:200] or 'none'}")
        _check_name(claim.repository, subject.reference, signed_as)
    except HardenError as error:
        return Judged(attached, error.what, key)
    return Judged(attached, "", key, digest, claim.repository)


def fits(text: str, wanted: Reference | None, signed_as: Sequence[str]) -> bool:
    """Tell whether what a signature names is what an image was asked for by, or what it may be signed as."""
    try:
        _check_name(text, wanted, signed_as)
    except HardenError:
        return False
    return True


def _check_name(text: str, wanted: Reference | None, signed_as: Sequence[str]) -> None:
    """Raise `HardenError` unless what a signature names is what the image was asked for by, or what it may be signed as."""
    if not text:
        return
    if reference_error(text):
        raise HardenError(f"it is signed as {text!r:.200}, which is no name of an image")
    named = split(text)
    repository = f"{named.registry}/{named.repository}"
    if signed_as:
        if not covers(named.registry, named.repository, signed_as):
            raise HardenError(f"it is signed as {repository}, not as {' or '.join(signed_as)}")
    elif wanted is not None:
        if repository != f"{wanted.registry}/{wanted.repository}":
            raise HardenError(f"it is signed as {repository}: another repository than the one that was asked for")
        if named.tag and wanted.tag and named.tag != wanted.tag:
            raise HardenError(f"it is signed as {repository}:{named.tag}: another tag than the one that was asked for")
