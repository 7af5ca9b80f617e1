"""Images by the names that people type: `oci:DIR:TAG`, `docker-archive:FILE`, `nginx:1.27` …, as skopeo writes them, or bare.

Source: containers-transports(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError, suggest
from hardener.images import layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.images.image import Image


def find(text: str, *, platform: str = "", data: str = "") -> Image:
    """Return the image of a name: with a transport, an image layout, an archive, or a reference in the store or a registry.

    `data`: the folder of the store; '' for none. `platform` as `linux/arm64`; '' for this machine's. Reads no layer.
    """
    transport, colon, rest = text.partition(":")
    if colon and transport in TRANSPORTS:
        image = TRANSPORTS[transport](rest, platform, data)
    else:
        image = _bare(text, platform, data)
    image.name = text
    return image


def _oci(rest: str, platform: str, _: str) -> Image:
    folder, name = layout.split(rest)
    if not folder:
        raise HardenError("this is no image layout", where=rest, how="a folder with oci-layout and index.json: skopeo copy … oci:DIR:TAG")
    return layout.read(folder, name, platform)


def _bare(text: str, platform: str, _: str) -> Image:
    folder, name = layout.split(text)
    if folder:
        return layout.read(folder, name, platform)
    how = suggest(text.partition(":")[0], list(TRANSPORTS)) or f"name an image layout, or one of {', '.join(TRANSPORTS)}"
    raise HardenError(f"there is no image {text!r}", how=how)


TRANSPORTS: Final[dict[str, Callable[[str, str, str], Image]]] = {
    "oci": _oci,
}
