"""Image references as Docker reads them: `registry/repository:tag@digest`.

Source: distribution/reference (the grammar and the docker.io defaults) and the OCI distribution spec 1.1. To split a name takes no
regular expressions, which a launch has no time to import; to judge one does.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.text import Pattern

DEFAULT_REGISTRY: Final = "docker.io"
DEFAULT_TAG: Final = "latest"

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_GRAMMAR: Final = {
    "repository": r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*",
    "tag": r"(?a:\w[\w.-]{0,127})",
    "digest": r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}",
    "registry": rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?",
}
_patterns: dict[str, Pattern] = {}


class Reference:
    """The parts of an image reference; `tag` and `digest` are None when absent.

    `name` is what a person types (`debian`, `ghcr.io/owner/app`), `repository` what the registry serves (`library/debian`).
    """

    __slots__ = ("digest", "name", "registry", "repository", "tag")

    def __init__(self, name: str, registry: str, repository: str, tag: str | None, digest: str | None) -> None:
        self.name = name
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest

    def __repr__(self) -> str:
        return f"Reference({self.registry}/{self.repository}, tag={self.tag}, digest={self.digest})"


def split(text: str) -> Reference:
    """Split a reference at its separators, without judging the parts: also for texts that hold unknown pieces."""
    rest, at, digest = text.partition("@")
    slash = rest.rfind("/")
    colon = rest.rfind(":")
    tag = None
    name = rest
    if colon > slash:
        name, tag = rest[:colon], rest[colon + 1 :]
    first, has_slash, path = name.partition("/")
    if has_slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        registry, repository = first, path
        if registry == "index.docker.io":
            registry = DEFAULT_REGISTRY
        if registry == DEFAULT_REGISTRY:
            name = path.removeprefix("library/")
    else:
        registry, repository = DEFAULT_REGISTRY, name
    if registry == DEFAULT_REGISTRY:
        if "/" not in repository:
            repository = f"library/{repository}"
        name = name.removeprefix("library/")
    return Reference(name, registry, repository, tag, digest if at else None)


def full(reference: Reference) -> str:
    """Return a reference with all that goes without saying: `docker.io/library/nginx:latest`; beside a digest no tag counts."""
    at = f"@{reference.digest}" if reference.digest is not None else f":{reference.tag or DEFAULT_TAG}"
    return f"{reference.registry}/{reference.repository}{at}"


def _fits(part: str, text: str) -> bool:
    pattern = _patterns.get(part)
    if pattern is None:
        from hardener.text import Pattern

        pattern = _patterns[part] = Pattern(_GRAMMAR[part])
    return pattern.fullmatch(text) is not None


def error(text: str) -> str:
    """Return why `text` is not a valid image reference, or an empty string when it is one."""
    if not text:
        return "it is empty"
    reference = split(text)
    if reference.digest is not None and not _fits("digest", reference.digest):
        return f"{reference.digest!r} is not a digest (algorithm:hex)"
    if reference.tag is not None and not _fits("tag", reference.tag):
        return f"{reference.tag!r} is not a tag"
    if not _fits("registry", reference.registry):
        return f"{reference.registry!r} is not a registry host"
    if not _fits("repository", reference.repository):
        lower = " (names are lower-case)" if reference.repository != reference.repository.lower() else ""
        return f"{reference.repository!r} is not a repository name{lower}"
    return ""
