"""An OCI image layout: a folder with oci-layout, index.json and blobs, as `skopeo copy … oci:DIR:TAG` or `docker buildx -o type=oci` write.

Nothing in it is believed: the size and the digest of every blob are held against what names it, from index.json down, which itself is only
where we start. Source: github.com/opencontainers/image-spec, image-layout.md.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.images import platforms
from hardener.oci import json_text
from hardener.oci.image import (
    CONFIGS,
    FOREIGN,
    INDEXES,
    LAYERS,
    MANIFESTS,
    REF_NAME,
    SCHEMA_1,
    Defaults,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    split_digest,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeVar

    from hardener.oci.fields import Fields

    T = TypeVar("T", bound=Fields)

VERSION: Final = "1.0.0"
LIMIT: Final = 8 << 20  # bytes of a document: registries take 4 MiB
DEPTH: Final = 4  # of indexes in indexes
MOST: Final = 500  # layers: as many as an overlay takes


class Image:
    """An image that has been found and read: `layers` are (descriptor of the blob, digest of what is in it), the lowest first."""

    __slots__ = ("config", "defaults", "digest", "folder", "layers", "platform")

    def __init__(self, folder: str, digest: str, config: ImageConfig, layers: tuple[tuple[Descriptor, str], ...]) -> None:
        self.folder = folder
        self.digest = digest
        self.config = config
        self.defaults = config.defaults or Defaults()
        self.layers = layers
        self.platform = Platform(os=config.os, architecture=config.architecture, variant=config.variant)


def is_layout(folder: str) -> bool:
    """Tell whether a folder claims to be an image layout."""
    try:
        posix.stat(f"{folder}/oci-layout")
    except OSError:
        return False
    return True


def read(folder: str, name: str = "", platform: str = "") -> Image:
    """Find an image in a layout, by the name of its reference where there are several, and by platform; verify and return it."""
    version = json_text_of(f"{folder}/oci-layout", LIMIT)
    said = version.get("imageLayoutVersion") if isinstance(version, dict) else None
    if said != VERSION:
        raise HardenError(f"image layouts of version {said!r:.40} are unknown", where=f"{folder}/oci-layout", how=f"known: {VERSION}")
    index = _parse(Index, json_text_of(f"{folder}/index.json", LIMIT), f"{folder}/index.json")
    wanted = platforms.parse(platform) if platform else platforms.machine()
    descriptor = _by_platform(folder, _by_name(index.manifests, name, folder), wanted, DEPTH)
    manifest = _document(folder, descriptor, Manifest)
    if manifest.config.media_type not in CONFIGS:
        raise HardenError(f"this is no image of a container but {manifest.config.media_type!r:.80}", where=blob(folder, descriptor))
    config = _document(folder, manifest.config, ImageConfig)
    found = Platform(os=config.os, architecture=config.architecture, variant=config.variant)
    if not platforms.matches(wanted, found):
        raise _no_platform(wanted, [found], folder)
    platforms.check_runs_here(found)
    return Image(folder, descriptor.digest, config, _layers(manifest, config, blob(folder, descriptor)))


def folders(image: Image, cache: str) -> tuple[str, ...]:
    """Return where the layers of an image are, or will be, the lowest first."""
    return tuple("{}/layers/{}-{}".format(cache, *split_digest(diff_id)) for _, diff_id in image.layers)


def _layers(manifest: Manifest, config: ImageConfig, where: str) -> tuple[tuple[Descriptor, str], ...]:
    if len(manifest.layers) != len(config.rootfs.diff_ids):
        raise HardenError(
            f"{len(manifest.layers)} layers, but {len(config.rootfs.diff_ids)} digests of their contents",
            where=where,
            how="the image is damaged, or is no image of a container: build or copy it again",
        )
    if len(manifest.layers) > MOST:
        raise HardenError(f"the image has {len(manifest.layers)} layers", where=where, how=f"at most {MOST}: squash it")
    for layer in manifest.layers:
        if layer.media_type.startswith(FOREIGN):
            raise HardenError("a layer lies at a foreign address", where=where, how="copy the image with its foreign layers")
        if layer.media_type not in LAYERS:
            raise HardenError(f"unknown type of layer {layer.media_type!r:.80}", where=where, how="tar, tar+gzip and tar+zstd are known")
    for digest in config.rootfs.diff_ids:
        split_digest(digest)
    return tuple(zip(manifest.layers, config.rootfs.diff_ids, strict=True))


# --- choosing -------------------------------------------------------------------------------------------------------------------


def _by_name(found: tuple[Descriptor, ...], name: str, folder: str) -> tuple[Descriptor, ...]:
    names = {(one.annotations or {}).get(REF_NAME, ""): None for one in found}
    known = [known for known in names if known]
    if name:
        # Buildx writes whole references, others the tag alone.
        chosen = [one for one in found if name in _endings((one.annotations or {}).get(REF_NAME, ""))]
        if not chosen:
            how = suggest(name, known) or (f"it has {', '.join(known)}" if known else "its images have no names: leave it out")
            raise HardenError(f"the layout has no image {name!r}", where=folder, how=how)
        return tuple(chosen)
    if len(names) > 1:
        raise HardenError("the layout has several images", where=folder, how=f"name one: {folder}:{known[0]} ({', '.join(known)})")
    return found


def _endings(reference: str) -> tuple[str, ...]:
    return (reference, reference.rpartition(":")[2]) if reference else ()


def _by_platform(folder: str, found: tuple[Descriptor, ...], wanted: Platform, depth: int) -> Descriptor:
    """Return the manifest for a platform. A descriptor that names none may be for any: the configuration will say."""
    # Attestations stand beside images as if they were for a platform of their own.
    able = [one for one in found if one.platform is None or one.platform.architecture != "unknown"]
    fitting = [one for one in able if one.platform is not None and platforms.matches(wanted, one.platform)]
    fitting = fitting or [one for one in able if one.platform is None]
    if not fitting:
        raise _no_platform(wanted, [one.platform for one in able if one.platform is not None], folder)
    exact = [one for one in fitting if one.platform is not None and one.platform.variant == wanted.variant]
    chosen = (exact or fitting)[0]
    if chosen.media_type in MANIFESTS:
        return chosen
    if chosen.media_type.startswith(SCHEMA_1):
        raise HardenError("images of Docker's schema 1 are not read", where=folder, how="push it again with a Docker of this decade")
    if chosen.media_type not in INDEXES:
        raise HardenError(f"unknown type of manifest {chosen.media_type!r:.80}", where=folder, how=f"known: {', '.join(MANIFESTS)}")
    if not depth:
        raise HardenError(
            "the indexes of the layout are nested too deeply", where=folder, how="no real image is like that: take another one"
        )
    return _by_platform(folder, _document(folder, chosen, Index).manifests, wanted, depth - 1)


def _no_platform(wanted: Platform, found: list[Platform], folder: str) -> HardenError:
    there = ", ".join(dict.fromkeys(map(platforms.show, found))) or "nothing"
    return HardenError(f"there is no image for {platforms.show(wanted)}", where=folder, how=f"it has {there}; --platform chooses")


# --- reading ---------------------------------------------------------------------------------------------------------------------


def blob(folder: str, descriptor: Descriptor) -> str:
    """Return where a blob lies."""
    algorithm, digits = split_digest(descriptor.digest)
    return f"{folder}/blobs/{algorithm}/{digits}"


def open_regular(path: str) -> int:
    """Open a file of a layout that must be one: a pipe would keep us waiting, and a device would never end."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC)
    except OSError as error:
        raise HardenError(f"it cannot be read: {posix.strerror(error.errno or 0)}", where=path, how="copy the image again") from error
    if posix.fstat(fd).st_mode & 0o170000 != 0o100000:
        posix.close(fd)
        raise HardenError("this is not a regular file", where=path, how="copy the image again")
    return fd


def _bytes(path: str, limit: int) -> bytes:
    fd = open_regular(path)
    try:
        if posix.fstat(fd).st_size > limit:
            raise HardenError(f"this is larger than {limit} bytes", where=path, how="no real image is like that: take another one")
        chunks = []
        size = 0
        while chunk := posix.read(fd, 1 << 20):
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:  # it grows while we read
                raise HardenError(f"this is larger than {limit} bytes", where=path, how="no real image is like that: take another one")
        return b"".join(chunks)
    finally:
        posix.close(fd)


def json_text_of(path: str, limit: int) -> object:
    """Return the JSON of a file."""
    return _json(_bytes(path, limit), path)


def _json(content: bytes, path: str) -> object:
    try:
        return json_text.scan(content.decode().strip())
    except (ValueError, RecursionError):
        raise HardenError("this is not JSON", where=path, how="copy the image again") from None


def _document(folder: str, descriptor: Descriptor, kind: type[T]) -> T:
    import hashlib

    path = blob(folder, descriptor)
    content = _bytes(path, LIMIT)
    algorithm, digits = split_digest(descriptor.digest)
    if len(content) != descriptor.size or hashlib.new(algorithm, content).hexdigest() != digits:
        raise HardenError("this is not what its digest and size say", where=path, how="it is damaged or forged: copy the image again")
    made = _parse(kind, _json(content, path), path)
    # One document with two meanings, for two readers (CVE-2021-41190).
    if getattr(made, "media_type", None) not in (None, descriptor.media_type) or {"layers", "manifests"} & made.extra.keys():
        raise HardenError("this document says that it is something else", where=path, how="it is forged: do not use it")
    return made


def _parse(kind: type[T], value: object, path: str) -> T:
    try:
        return kind.parse(value)
    except HardenError as error:
        raise HardenError(error.what, where=path, how="see the OCI image specification") from None
