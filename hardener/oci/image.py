"""Images: descriptors, indexes, manifests and configurations, of the OCI image specification 1.1 and of Docker's schema 2.

Source: github.com/opencontainers/image-spec, descriptor.md, image-index.md, manifest.md, config.md; docs.docker.com, "Image Manifest v2,
Schema 2". The two differ in the names of their media types alone.
"""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.oci.fields import ANYTHING, INTEGER, STRING, STRINGS, WORDS, Fields, many, one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Final

_OCI, _DOCKER = "application/vnd.oci.image", "application/vnd.docker"
INDEXES: Final = (f"{_OCI}.index.v1+json", f"{_DOCKER}.distribution.manifest.list.v2+json")
MANIFESTS: Final = (f"{_OCI}.manifest.v1+json", f"{_DOCKER}.distribution.manifest.v2+json")
CONFIGS: Final = (f"{_OCI}.config.v1+json", f"{_DOCKER}.container.image.v1+json")
# Docker calls its uncompressed layers so, and never pushes them.
LAYERS: Final = (
    *(f"{_OCI}.layer.v1.tar", f"{_OCI}.layer.v1.tar+gzip", f"{_OCI}.layer.v1.tar+zstd"),
    *(f"{_DOCKER}.image.rootfs.diff.tar", f"{_DOCKER}.image.rootfs.diff.tar.gzip", f"{_DOCKER}.image.rootfs.diff.tar.zstd"),
)
# Layers that may not be passed on: their bytes lie at a foreign address, which nobody should fetch unasked.
FOREIGN: Final = (f"{_OCI}.layer.nondistributable.v1.", f"{_DOCKER}.image.rootfs.foreign.diff.")
SCHEMA_1: Final = f"{_DOCKER}.distribution.manifest.v1"
REF_NAME: Final = "org.opencontainers.image.ref.name"

_HEX: Final = frozenset("0123456789abcdef")
_LENGTHS: Final = {"sha256": 64, "sha512": 128}


class Platform(Fields):
    """What an image runs on."""

    __slots__ = ("architecture", "os", "variant")
    TABLE: ClassVar = {"os": ("os", STRING), "architecture": ("architecture", STRING), "variant": ("variant", STRING)}
    os: str | None
    architecture: str | None
    variant: str | None


class Descriptor(Fields):
    """What a blob is, how it is called, and how large it is."""

    __slots__ = ("annotations", "digest", "media_type", "platform", "size")
    TABLE: ClassVar = {
        "media_type": ("mediaType!", STRING),
        "digest": ("digest!", STRING),
        "size": ("size!", INTEGER),
        "annotations": ("annotations", WORDS),
        "platform": ("platform", one(Platform)),
    }
    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] | None
    platform: Platform | None


class Index(Fields):
    """Manifests, or further indexes, by platform or by name."""

    __slots__ = ("manifests", "media_type")
    TABLE: ClassVar = {"media_type": ("mediaType", STRING), "manifests": ("manifests!", many(Descriptor))}
    media_type: str | None
    manifests: tuple[Descriptor, ...]


class Manifest(Fields):
    """One image: its configuration and its layers, the lowest first."""

    __slots__ = ("config", "layers", "media_type")
    TABLE: ClassVar = {
        "media_type": ("mediaType", STRING),
        "config": ("config!", one(Descriptor)),
        "layers": ("layers!", many(Descriptor)),
    }
    media_type: str | None
    config: Descriptor
    layers: tuple[Descriptor, ...]


class Defaults(Fields):
    """How a container of an image starts, when nothing else is said."""

    __slots__ = (
        *("cmd", "entrypoint", "env", "exposed_ports", "healthcheck", "labels", "shell", "stop_signal", "user", "volumes"),
        "working_dir",
    )
    TABLE: ClassVar = {
        "user": ("User", STRING),
        "env": ("Env", STRINGS),
        "entrypoint": ("Entrypoint", STRINGS),
        "cmd": ("Cmd", STRINGS),
        "working_dir": ("WorkingDir", STRING),
        "labels": ("Labels", WORDS),
        "stop_signal": ("StopSignal", STRING),
        "volumes": ("Volumes", ANYTHING),
        "exposed_ports": ("ExposedPorts", ANYTHING),
        "healthcheck": ("Healthcheck", ANYTHING),
        "shell": ("Shell", STRINGS),
    }
    user: str | None
    env: tuple[str, ...]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    working_dir: str | None
    labels: dict[str, str] | None
    stop_signal: str | None
    volumes: object
    exposed_ports: object
    healthcheck: object
    shell: tuple[str, ...]


class Rootfs(Fields):
    """The digests of the layers as they are unpacked, the lowest first."""

    __slots__ = ("diff_ids", "type")
    TABLE: ClassVar = {"type": ("type!", STRING), "diff_ids": ("diff_ids!", STRINGS)}
    type: str
    diff_ids: tuple[str, ...]


class ImageConfig(Fields):
    """What an image is made for, how it starts, and what its layers hold."""

    __slots__ = ("architecture", "author", "created", "defaults", "history", "os", "rootfs", "variant")
    TABLE: ClassVar = {
        "architecture": ("architecture", STRING),
        "os": ("os", STRING),
        "variant": ("variant", STRING),
        "created": ("created", STRING),
        "author": ("author", STRING),
        "defaults": ("config", one(Defaults)),
        "rootfs": ("rootfs!", one(Rootfs)),
        "history": ("history", ANYTHING),
    }
    architecture: str | None
    os: str | None
    variant: str | None
    created: str | None
    author: str | None
    defaults: Defaults | None
    rootfs: Rootfs
    history: object


def split_digest(digest: str) -> tuple[str, str]:
    """Return algorithm and hexadecimal digits of a digest; anything else, such as a path, is an error."""
    algorithm, _, digits = digest.partition(":")
    if len(digits) != _LENGTHS.get(algorithm, 0) or not _HEX.issuperset(digits):
        raise HardenError(f"{digest!r:.100} is not a digest", how="sha256 or sha512, a colon, and as many digits as it takes")
    return algorithm, digits


def referrers_tag(digest: str) -> str:
    """Return the tag of the index that lists what refers to a digest, where the registry keeps no list itself.

    Source: OCI distribution specification 1.1, "Referrers Tag Schema".
    """
    algorithm, digits = split_digest(digest)
    return f"{algorithm[:32]}-{digits[:64]}"


def names(value: object) -> tuple[str, ...]:
    """Return the keys of an object such as `Volumes` or `ExposedPorts`, which has nothing but keys."""
    return tuple(map(str, value)) if isinstance(value, dict) else ()
