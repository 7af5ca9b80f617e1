"""What a signature says about an image. Only read once a key has been found to have signed exactly these bytes."""

from __future__ import annotations

from typing import Final

from hardener.errors import HardenError
from hardener.images.signatures import strict
from hardener.oci.image import split_digest
from hardener.record import NamedTuple

SIMPLE_TYPE: Final = "cosign container image signature"
STATEMENTS: Final = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
PREDICATE: Final = "https://sigstore.dev/cosign/sign/v1"
SUBJECTS: Final = 1024  # of one statement, as sigstore's own readers have it


class Claim(NamedTuple):
    """The digests of what was signed, and the repository it was signed as; "" where the format has no place for one, or it is empty."""

    digests: tuple[str, ...]
    repository: str


def simple(payload: bytes) -> Claim:
    """Read what cosign calls simple signing. Whatever is unknown in its critical part refuses it: that is what critical means.

    Source: github.com/containers/image, docs/containers-signature.5.md.
    """
    whole = strict.members(strict.document(payload, "what is signed"), "what is signed", "critical", optional=("optional",))
    if not isinstance(whole.get("optional"), (dict, type(None))):
        raise HardenError("optional is no object")
    critical = strict.members(whole["critical"], "critical", "type", "image", "identity")
    kind = strict.text(critical["type"], "critical.type")
    if kind != SIMPLE_TYPE:
        raise HardenError(f"it is a {kind!r:.80}, not a {SIMPLE_TYPE!r}")
    image = strict.members(critical["image"], "critical.image", "docker-manifest-digest")
    identity = strict.members(critical["identity"], "critical.identity", "docker-reference")
    digest = strict.text(image["docker-manifest-digest"], "critical.image.docker-manifest-digest")
    split_digest(digest)
    return Claim((digest,), strict.text(identity["docker-reference"], "critical.identity.docker-reference"))


def statement(payload: bytes) -> Claim:
    """Read an in-toto statement that an image is signed. Those about something else (where it was built, what is in it) are none."""
    whole = strict.document(payload, "what is signed")
    kind = strict.text(whole.get("_type"), "_type")
    if kind not in STATEMENTS:
        raise HardenError(f"it is a {kind!r:.80}, not an in-toto statement")
    predicate = strict.text(whole.get("predicateType"), "predicateType")
    if predicate != PREDICATE:
        raise HardenError(f"it states something else about the image than that it is signed: {predicate!r:.100}")
    subjects = whole.get("subject")
    if not isinstance(subjects, list) or not subjects:
        raise HardenError("the statement is about nothing")
    if len(subjects) > SUBJECTS:
        raise HardenError(f"the statement is about {len(subjects)} things, more than {SUBJECTS}")
    return Claim(tuple(digest for subject in subjects for digest in _digests(subject)), "")


def _digests(subject: object) -> list[str]:
    named = subject.get("digest") if isinstance(subject, dict) else None
    if not isinstance(named, dict) or not named:
        raise HardenError("a subject of the statement has no digest")
    found = []
    for algorithm, digits in named.items():
        if algorithm in ("sha256", "sha512"):  # others say nothing that could be held against an image
            digest = f"{algorithm}:{strict.text(digits, 'a digest')}"
            split_digest(digest)
            found.append(digest)
    return found
