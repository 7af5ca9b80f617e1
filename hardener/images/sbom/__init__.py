"""Bills of materials: what is in an image, as other programs read it.

A format is a module with `write(inventory) -> str` and a row in `FORMATS`. The same image gives the same bytes, whoever asks and when.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.images.sbom import cyclonedx, spdx
    from hardener.images.sbom.inventory import Inventory

    class Format(Protocol):
        """What a module of this package offers."""

        def write(self, inventory: Inventory, /) -> str:
            """Return the document, with a newline at its end."""

    CHECKED: tuple[Format, ...] = (cyclonedx, spdx)

FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cyclonedx": "hardener.images.sbom.cyclonedx",
        "spdx": "hardener.images.sbom.spdx",
    }
)


def writer(name: str) -> Format:
    """Return the module of a format, imported now."""
    from importlib import import_module

    module: Format = import_module(FORMATS[name])
    return module
