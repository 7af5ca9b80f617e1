"""Which files make a project: by their names in a folder, and by what they hold.

`docker compose` takes the first of four names and lays the first override beside it over it; that is one project. Every other file
that looks like a compose file or a stack is one of its own, or a layer over the project's own file: its content tells (`layers`).

Source: compose-go, cli/options.go (DefaultFileNames, DefaultOverrideFileNames).
"""

from collections.abc import Collection
from typing import Final

from hardener.text import Pattern, SourceFile

DEFAULT_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES: Final = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
_NAME: Final = Pattern(
    r"(?:(?:docker|podman|container)[-_.]?)?compose(?:[-_.][\w.-]+)?\.ya?ml"  # docker-compose.prod.yml
    r"|[\w.-]+[-_.]compose(?:[-_.][\w.-]+)?\.ya?ml",  # app.compose.yaml, docker-dev-compose.yml
)
_STACK: Final = Pattern(r"(?:[\w.-]+[-_.])?(?:stack|swarm)(?:[-_.][\w.-]+)?\.ya?ml")
_SERVICES: Final = Pattern(r"^(?:\ufeff)?(?:services|\"services\"|'services')[ \t]*:|^[ \t]*\{", 8)  # 8: re.MULTILINE
_FOREIGN: Final = Pattern(r"^(?:Resources|AWSTemplateFormatVersion|apiVersion|kind|resources|jobs|on|stages)[ \t]*:", 8)


def is_default_name(name: str) -> bool:
    """Whether `docker compose` takes a file of this name by itself."""
    return name in DEFAULT_NAMES


def is_compose_name(name: str) -> bool:
    """Whether a file of this name (without folders) is a compose file or a stack by its looks."""
    lower = name.lower()
    return _NAME.fullmatch(lower) is not None or _STACK.fullmatch(lower) is not None


def is_stack_name(name: str) -> bool:
    """Whether a file of this name is meant for `docker stack deploy`."""
    return _STACK.fullmatch(name.lower()) is not None


def candidates(names: Collection[str]) -> list[tuple[str, ...]]:
    """Return the groups of files that make a project, among the names of one folder; the files of a group in the order of merging."""
    present = set(names)
    groups: list[tuple[str, ...]] = []
    default = next((name for name in DEFAULT_NAMES if name in present), None)
    taken: set[str] = set()
    if default is not None:
        override = next((name for name in _OVERRIDES if name in present), None)
        group = (default,) if override is None else (default, override)
        groups.append(group)
        taken.update(group)
    groups += [(name,) for name in sorted(present) if name not in taken and is_compose_name(name)]
    return groups


def is_compose(file: SourceFile) -> bool:
    """Whether a YAML or JSON file is a compose file by its content: it has `services:` at the top, and nothing of other formats."""
    text = file.text
    return _SERVICES.search(text) is not None and _FOREIGN.search(text) is None and _has_services(file)


def _has_services(file: SourceFile) -> bool:
    from hardener.errors import HardenError
    from hardener.sources import yaml_nodes

    try:
        root = yaml_nodes.parse(file)
    except HardenError:
        return True  # a broken file that looks like one: the reader says where it is broken
    return isinstance(root, yaml_nodes.Mapping) and isinstance(root.get("services"), yaml_nodes.Mapping)


def layers(file: SourceFile) -> bool:
    """Whether a file is a layer over another one: half of its services or more say neither what they run nor what they extend."""
    from hardener.errors import HardenError
    from hardener.sources import yaml_nodes

    try:
        root = yaml_nodes.parse(file)
    except HardenError:
        return False
    services = root.get("services") if isinstance(root, yaml_nodes.Mapping) else None
    if not isinstance(services, yaml_nodes.Mapping) or not services.entries:
        return False
    bare = sum(
        isinstance(entry.value, yaml_nodes.Mapping) and not any(entry.value.get(key) for key in ("image", "build", "extends", "provider"))
        for entry in services.entries
    )
    return 2 * bare >= len(services.entries)
