"""Images by the names that people type: `oci:DIR:TAG`, `docker-archive:FILE`, `nginx:1.27` …, as skopeo writes them, or bare.

A bare name is what lies here by that name: an image layout, or an archive; and else a reference, which the store is asked for, and then its
registry. Source: containers-transports(5).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError, suggest
from hardener.images import image as images
from hardener.images import layout
from hardener.oci import reference as references

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.images.image import Image
    from hardener.images.registry import RegistryOptions


class Asked:
    """How images are looked for. `platform`: as `linux/arm64`, or ''; `data`: the folder with the store, or ''."""

    __slots__ = ("data", "options", "platform")

    def __init__(self, platform: str, data: str, options: RegistryOptions | None) -> None:
        self.platform = platform
        self.data = data
        self.options = options


def find(text: str, *, platform: str = "", data: str = "", options: RegistryOptions | None = None) -> Image:
    """Return the image of a name, for a platform (as `linux/arm64`; this machine's by default). No layer is read.

    `data`: the user's folder for data, with the store in it; without one, no store is looked into.
    """
    asked = Asked(platform, data, options)
    transport, colon, rest = text.partition(":")
    found = TRANSPORTS[transport](rest, asked) if colon and transport in TRANSPORTS else _bare(text, asked)
    found.name = text
    return found


def _oci(rest: str, asked: Asked) -> Image:
    folder, name = layout.split(rest)
    if not folder:
        raise HardenError("this is no image layout", where=rest, how="name a folder with oci-layout in it: oci:DIR[:TAG]")
    return layout.read(folder, name, asked.platform)


def _oci_archive(rest: str, asked: Asked) -> Image:
    from hardener.images import archive

    return archive.read(*_file(rest, "oci-archive"), asked.platform, kind="oci")


def _docker_archive(rest: str, asked: Asked) -> Image:
    from hardener.images import archive

    return archive.read(*_file(rest, "docker-archive"), asked.platform, kind="docker")


def _rootfs(rest: str, asked: Asked) -> Image:
    from hardener.images import rootfs

    return rootfs.read(rest, asked.platform)


def _docker(rest: str, asked: Asked) -> Image:
    # Without the slashes it is an image that is called `docker`.
    return _registry(rest[2:], asked) if rest.startswith("//") else _bare(f"docker:{rest}", asked)


def _docker_daemon(rest: str, asked: Asked) -> Image:
    from hardener.images import engine_source

    return engine_source.image(rest, asked.platform, asked.options)


_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".tar.zst")


def _refuse_mistyped(text: str) -> None:
    """Refuse a file that is not there and a transport that is misspelt: both are good names of images, and no registry has them."""
    if text.endswith(_ARCHIVES):
        raise HardenError("there is no such file", where=text, how=f"an image that is called so would be docker://{text}")
    transport, colon, _ = text.partition(":")
    if colon and "-" in transport and (how := suggest(transport, _LONG)):
        raise HardenError(f"there is no transport {transport!r}", where=text, how=f"{how} An image would be docker://{text}")


def _bare(text: str, asked: Asked) -> Image:
    folder, name = layout.split(text)
    if folder:
        return layout.read(folder, name, asked.platform)
    file, name = split_file(text)
    if file:
        from hardener.images import archive

        return archive.read(file, name, asked.platform)
    if not text.startswith((".", "/")) and (stored := _stored(text, asked)) is not None:
        return stored
    if text.startswith((".", "/")) or references.error(text):
        how = suggest(text.partition(":")[0], list(TRANSPORTS)) or f"name an image, a file, or one of {', '.join(TRANSPORTS)}"
        if "://" in text:
            how = "write the name of an image without http:// or https://: REGISTRY/NAME:TAG"
        elif os.path.isdir(text):
            how = "this folder is no image layout, it has no oci-layout; a root filesystem is rootfs:DIR"
        raise HardenError(f"there is no image {text!r}", how=how)
    _refuse_mistyped(text)
    return _registry(text, asked)


def _stored(text: str, asked: Asked) -> Image | None:
    """Return an image of the store; None when there is none for the platform: its registry may have it."""
    from hardener.images.store import Store, is_named

    store = Store(f"{asked.data}/images")
    top = store.find(text) if asked.data else None
    if top is None:
        return None
    try:
        found = images.read(text, store, (top,), asked.platform)
    except images.NoPlatformError:
        return None
    named = references.split(text)
    found.reference = named if not references.error(text) and is_named(top, named) else None
    return found


def _registry(text: str, asked: Asked) -> Image:
    """Return an image of a registry; its layers come when they are read."""
    from hardener.images import registry

    if why := references.error(text):
        raise HardenError(f"this is no name of an image: {why}", where=text, how="write NAME:TAG or REGISTRY/NAME:TAG")
    reference = references.split(text)
    source = registry.source(reference, asked.options)
    found = images.read(text, source, (source.top(),), asked.platform)
    found.reference = reference
    return found


def split_file(text: str) -> tuple[str, str]:
    """Return file and name of `FILE` or `FILE:NAME`, where both may have colons; ('', '') when there is no such file. `-` is the input."""
    file, name = text, ""
    while file:
        if file == "-" or (os.path.exists(file) and not os.path.isdir(file)):
            return file, name
        file, _, last = file.rpartition(":")
        name = f"{last}:{name}" if name else last
    return "", ""


def _file(rest: str, transport: str) -> tuple[str, str]:
    found = split_file(rest)
    if not found[0]:
        if os.path.isdir(rest):
            raise HardenError("this is a folder, not an archive", where=rest, how="a folder with oci-layout in it is oci:DIR[:TAG]")
        raise HardenError("there is no such file", where=rest, how=f"write {transport}:FILE[:NAME], or - for the standard input")
    return found


TRANSPORTS: Final[dict[str, Callable[[str, Asked], Image]]] = {
    "oci": _oci,
    "oci-archive": _oci_archive,
    "docker-archive": _docker_archive,
    "docker": _docker,
    "docker-daemon": _docker_daemon,
    "rootfs": _rootfs,
}
_LONG: Final = [name for name in TRANSPORTS if "-" in name]
