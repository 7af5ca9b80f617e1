"""Images by the names that people type: `oci:DIR:TAG`, `docker-archive:FILE`, `nginx:1.27` …, as skopeo writes them, or bare.

Source: containers-transports(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError, suggest
from hardener.images import layout
from hardener.oci import reference as references

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.images.image import Image
    from hardener.images.registry import RegistryOptions


def find(text: str, *, platform: str = "", data: str = "", options: RegistryOptions | None = None) -> Image:
    """Return the image of a name: with a transport, an image layout, an archive, or a reference in the store or a registry.

    `data`: the folder of the store; '' for none. `platform` as `linux/arm64`; '' for this machine's. `options`: how registries are spoken
    to. Reads no layer.
    """
    transport, colon, rest = text.partition(":")
    if colon and transport in TRANSPORTS:
        image = TRANSPORTS[transport](rest, platform, data, options)
    else:
        image = _bare(text, platform, data, options)
    image.name = text
    return image


def _oci(rest: str, platform: str, _: str, __: RegistryOptions | None) -> Image:
    folder, name = layout.split(rest)
    if not folder:
        raise HardenError("this is no image layout", where=rest, how="a folder with oci-layout and index.json: skopeo copy … oci:DIR:TAG")
    return layout.read(folder, name, platform)


def _bare(text: str, platform: str, _: str, options: RegistryOptions | None) -> Image:
    folder, name = layout.split(text)
    if folder:
        return layout.read(folder, name, platform)
    if text.startswith((".", "/")) or references.error(text):
        how = suggest(text.partition(":")[0], list(TRANSPORTS)) or f"name an image layout, or one of {', '.join(TRANSPORTS)}"
        raise HardenError(f"there is no image {text!r}", how=how)
    return _registry(text, platform, options)


def _docker(rest: str, platform: str, _: str, options: RegistryOptions | None) -> Image:
    # Without the slashes it is an image that is called `docker`.
    return _registry(rest[2:] if rest.startswith("//") else f"docker:{rest}", platform, options)


def _registry(text: str, platform: str, options: RegistryOptions | None) -> Image:
    """Return an image of a registry; its layers come when they are read."""
    from hardener.images import image, registry

    if reason := references.error(text):
        raise HardenError(f"this is no name of an image: {reason}", where=text, how="write NAME:TAG or REGISTRY/NAME:TAG")
    reference = references.split(text)
    source = registry.source(reference, options)
    found = image.read(text, source, (source.top(),), platform)
    found.reference = reference
    return found


TRANSPORTS: Final[dict[str, Callable[[str, str, str, RegistryOptions | None], Image]]] = {
    "oci": _oci,
    "docker": _docker,
}
