"""What a policy asks of images: the `images:` of a policy file, as values, and what an image is held to by its name.

A launch under a policy that has `images:` imports this module, so it is made of plain classes, as runtime.py is. Everything adds up: what
extends a policy can ask for more, and each file's list of registries counts by itself.
"""

from __future__ import annotations

from hardener.oci import registries
from hardener.oci.fields import STRING, STRINGS, Fields, many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Final

    from hardener.oci.reference import Reference

IMAGES_KEYS: Final = {
    "allowed-registries": "images come from these registries and repositories only; * is a wildcard, oci:/FOLDER* a layout",
    "require-digest": "images are named by digest: a tag may be another image tomorrow",
    "require-signature": "images of these registries are signed with one of these keys: `harden run` checks before it unpacks them",
}
"""Every key of `images:` and what it means."""

SIGNATURE_KEYS: Final = {
    "registry": "which images: a registry, with a repository or not; * is a wildcard; oci:/FOLDER* a layout",
    "key": "a file with a public key, beside the policy, or the key itself (PEM); several: one of them has to have signed",
    "signed-as": "what the signature may say that the image is called: repositories, when it is not where the image comes from",
}
"""Every key of an entry of `require-signature`."""


class KeyText(Fields):
    """A public key in PEM, and where it is from."""

    __slots__ = ("name", "pem")
    TABLE: ClassVar = {"name": ("name!", STRING), "pem": ("pem!", STRING)}
    name: str
    pem: str


class Signed(Fields):
    """That images of a registry are signed with one of some keys, as one of some repositories (none: as where they come from)."""

    __slots__ = ("keys", "registry", "signed_as", "where")
    TABLE: ClassVar = {
        "registry": ("registry!", STRING),
        "keys": ("keys!", many(KeyText)),
        "signed_as": ("signedAs", STRINGS),
        "where": ("where!", STRING),
    }
    registry: str
    keys: tuple[KeyText, ...]
    signed_as: tuple[str, ...]
    where: str


class Allowed(Fields):
    """The registries that one file of a policy allows."""

    __slots__ = ("registries", "where")
    TABLE: ClassVar = {"registries": ("registries!", STRINGS), "where": ("where!", STRING)}
    registries: tuple[str, ...]
    where: str


class Images(Fields):
    """What a policy asks of images. `digest_where` is where it asks for digests; None: it does not."""

    __slots__ = ("allowed", "digest_where", "policy", "signed")
    TABLE: ClassVar = {
        "policy": ("policy!", STRING),
        "allowed": ("allowed", many(Allowed)),
        "digest_where": ("digestWhere", STRING),
        "signed": ("signed", many(Signed)),
    }
    policy: str
    allowed: tuple[Allowed, ...]
    digest_where: str | None
    signed: tuple[Signed, ...]

    def at(self, key: str) -> str:
        """Return where a policy says something of a key; what extends another comes last, and asks for the most."""
        places = {
            "allowed-registries": [allowed.where for allowed in self.allowed],
            "require-digest": [self.digest_where or ""],
            "require-signature": [rule.where for rule in self.signed],
        }
        return (places[key] or [""])[-1]


class Gap:
    """Where a name falls short of a policy: the key, what the name is, what is wanted, and where the policy says so."""

    __slots__ = ("key", "says", "wants", "where")

    def __init__(self, key: str, says: str, wants: str, where: str) -> None:
        self.key = key
        self.says = says
        self.wants = wants
        self.where = where


def tighter(base: Images, own: Images) -> Images:
    """Return what both ask for."""
    return Images(
        policy=own.policy,
        allowed=(*base.allowed, *own.allowed),
        digest_where=own.digest_where if base.digest_where is None else base.digest_where,
        signed=(*base.signed, *own.signed),
    )


def gaps(images: Images, registry: str, repository: str | None, *, has_digest: bool) -> tuple[Gap, ...]:
    """Return where the name of an image in a registry falls short; a repository that is not known may be an allowed one."""
    found = [
        Gap("allowed-registries", f"comes from {registry}/{repository or '…'}", _listed(allowed), allowed.where)
        for allowed in images.allowed
        if not registries.covers(registry, repository, allowed.registries)
    ]
    if images.digest_where is not None and not has_digest:
        found.append(Gap("require-digest", "has no digest", "the digest of what was tried, NAME@sha256:…", images.digest_where))
    return tuple(found)


def file_gaps(images: Images, name: str) -> tuple[Gap, ...]:
    """Return where an image in files falls short: a layout or an archive, `oci:/FOLDER`.

    Nobody's tag moves it, so it needs no digest. A policy that asks for signatures has to say which files it means: whatever lies around
    would else be a way past it.
    """
    found = [
        Gap("allowed-registries", f"is {name}", _listed(allowed), allowed.where)
        for allowed in images.allowed
        if not any(registries.matches(pattern, name) for pattern in allowed.registries)
    ]
    if images.signed and not file_rules(images, name):
        wants = "an image from a registry, or an entry for files: {registry: 'oci:/FOLDER*', key: FILE}"
        found.append(Gap("require-signature", f"is {name}, which no entry is about", wants, images.signed[0].where))
    return tuple(found)


def rules(images: Images, reference: Reference) -> tuple[Signed, ...]:
    """Return which signatures an image from a registry needs: of each entry one."""
    return tuple(rule for rule in images.signed if registries.covers(reference.registry, reference.repository, (rule.registry,)))


def file_rules(images: Images, name: str) -> tuple[Signed, ...]:
    """Return which signatures an image in files needs."""
    return tuple(rule for rule in images.signed if registries.matches(rule.registry, name))


def _listed(allowed: Allowed) -> str:
    return f"images from {', '.join(allowed.registries)} only"
