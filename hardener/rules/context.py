"""What a check may know beside its subject: the document, the team's settings, and files that lie next to the document."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.rules.image_contents import Contents
    from hardener.sources.dockerfile import Dockerfile
    from hardener.sources.service import Project, Service
    from hardener.sources.stages import Stage


class Settings(NamedTuple):
    """The part of the configuration that rules read."""

    trusted_registries: tuple[str, ...] = ()  # empty: every registry is trusted
    required_labels: Mapping[str, str] = {}  # label name -> format (text, url, semver, rfc3339, spdx, hash, email)
    strict_labels: bool = False  # labels beyond the required ones are findings


def no_neighbour(name: str) -> str | None:
    """Answer for a document that has no folder (standard input)."""
    return None


class Context(NamedTuple):
    """Handed to every check."""

    document: "Dockerfile"
    settings: Settings = Settings()
    neighbour: Callable[[str], str | None] = no_neighbour
    """`neighbour(".dockerignore")` is the text of a file by its path relative to the document's folder, or None."""


def no_image(service: "Service") -> None:
    """Answer for a project whose Dockerfiles are not at hand."""


def no_file(path: str) -> None:
    """Answer where no file system is at hand."""


class ServiceContext(NamedTuple):
    """Handed to every check on services."""

    project: "Project"
    settings: Settings = Settings()
    stage_of: "Callable[[Service], Stage | None]" = no_image
    """The stage of a Dockerfile that a service's `build:` ends in (target and args applied), or None when it is not at hand."""
    file: Callable[[str], str | None] = no_file
    """The text of a file by its absolute path, for files of the project (an env_file, an entrypoint script); None when not at hand."""


class ImageContext(NamedTuple):
    """Handed to every check on images."""

    contents: "Contents"
    settings: Settings = Settings()
    today: str = ""  # ISO date; "" where nothing may depend on it
