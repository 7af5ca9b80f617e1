"""What a check may know beside its subject: the document, the team's settings, and files that lie next to the document."""

from collections.abc import Callable, Mapping

from hardener.record import NamedTuple
from hardener.sources.dockerfile import Dockerfile


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

    document: Dockerfile
    settings: Settings = Settings()
    neighbour: Callable[[str], str | None] = no_neighbour
    """`neighbour(".dockerignore")` is the text of a file by its path relative to the document's folder, or None."""
