"""The image of a service: pinned, trusted, current."""

from collections.abc import Mapping
from typing import Final

from hardener.oci.reference import Reference, split
from hardener.rules.checks import Check
from hardener.sources.service import Service
from hardener.sources.unknown import UNKNOWN, UnknownType


def image_of(service: Service) -> Reference | UnknownType | None:
    """Return the image that a service pulls; None when it builds its own (or names none), UNKNOWN when a variable decides it."""
    image = service.image
    if image is None or service.build is not None or service.provider is not None:
        return None
    text = image.known
    return UNKNOWN if text is None else split(text)


CHECKS: Final[Mapping[str, Check]] = {}
