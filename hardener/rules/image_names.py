"""What the name of an image promises: a version or a channel.

The same for Dockerfiles, compose files and run lines.
"""

from typing import Final

from hardener.oci.reference import Reference
from hardener.text import Pattern

# Tags that follow a branch, a channel or a schedule.
_MOVING: Final = frozenset(
    {
        "alpha", "beta", "canary", "ci", "current", "daily", "dev", "devel", "develop", "development", "edge", "experimental", "head",
        "insiders", "labs", "latest", "lts", "main", "mainline", "master", "next", "nightly", "preview", "prod", "production", "rawhide",
        "rc", "release", "rolling", "sid", "snapshot", "stable", "staging", "test", "testing", "trunk", "unstable", "weekly",
    }
)  # fmt: skip
# Parts of tags that choose a flavour, not a version.
_FLAVOUR = Pattern(r"alpine|slim|fpm|apache|cli|zts|dind|rootless|management|perl|otel|onbuild|(?:jdk|jre|java|openjdk)\d*")
_DISTRIBUTION_NAMES: Final = frozenset(
    {"bookworm", "trixie", "forky", "bullseye", "buster", "stretch", "jessie", "jammy", "noble", "focal"}
)
_DISTRIBUTIONS: Final = frozenset({"debian", "ubuntu", "buildpack-deps"})
_TAG_PARTS = Pattern(r"[-_.]")

_DIGEST_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}


def moves(reference: Reference) -> bool:
    """Whether a tag follows something: it is made of channel names and flavours only, without any version (`latest` is not counted)."""
    tag = (reference.tag or "").lower()
    if tag == "latest":
        return False
    parts = _TAG_PARTS.split(tag)
    channel = False
    for part in parts:
        if part in _MOVING:
            channel = True
        elif part not in _DISTRIBUTION_NAMES and not _FLAVOUR.fullmatch(part):
            return False
    if channel:
        return True
    if any(part in _DISTRIBUTION_NAMES or part[-1:].isdigit() for part in parts):
        return "/" not in reference.name and reference.name not in _DISTRIBUTIONS and not any(part[-1:].isdigit() for part in parts)
    return True


def follows_channel(tag: str) -> bool:
    """Whether a tag names a channel (`edge`, `stable`), and not only a flavour."""
    return any(part in _MOVING for part in _TAG_PARTS.split(tag.lower()))


def digest_error(digest: str) -> str:
    """Return what is wrong with the length of a digest, or an empty string."""
    algorithm, _, value = digest.partition(":")
    expected = _DIGEST_LENGTHS.get(algorithm)
    if expected is None or len(value) == expected:
        return ""
    return f"a {algorithm} digest has {expected} hexadecimal digits, not {len(value)}"
