"""Which files are compose files and stacks, and which of them belong together.

Source for the default names: compose-go's cli/options.go. The other names are customs: `compose.prod.yaml`, `docker-stack.yml`.
"""

from collections.abc import Collection
from typing import Final

from hardener.errors import HardenError
from hardener.sources import yaml_nodes
from hardener.text import BOM, SourceFile

DEFAULT_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""The names that compose looks for, in this order."""

_OVERRIDES: Final = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml")
"""The names of which compose lays the first over the file that it found."""

_SEPARATORS: Final = str.maketrans(".-_", "   ")
_ENDINGS: Final = (".yml", ".yaml")
_COMPOSE_WORDS: Final = frozenset(("compose", "dockercompose", "podmancompose"))
_STACK_WORDS: Final = frozenset(("stack", "swarm", "dockerstack", "dockerswarm"))
_MODEL: Final = frozenset(("services", "include", "networks", "volumes", "secrets", "configs", "name", "version", "models"))
_ORIGINS: Final = frozenset(("image", "build", "extends", "provider"))
_OF_A_SERVICE: Final = _ORIGINS | frozenset(
    (
        "cap_add", "cap_drop", "command", "container_name", "depends_on", "deploy", "devices", "entrypoint", "env_file", "environment",
        "expose", "healthcheck", "hostname", "labels", "logging", "network_mode", "networks", "ports", "privileged", "profiles",
        "read_only", "restart", "secrets", "security_opt", "tmpfs", "user", "volumes",
    )
)  # fmt: skip
_OF_A_CONTAINER: Final = _OF_A_SERVICE - frozenset(("command", "environment", "secrets", "volumes", "extends", "labels"))


def _words(name: str) -> list[str]:
    """Return the words of a file name without its ending; none for a name that is no YAML file's."""
    lower = name.lower()
    ending = next((ending for ending in _ENDINGS if lower.endswith(ending)), None)
    return [] if ending is None else lower[: -len(ending)].translate(_SEPARATORS).split()


def is_default_name(name: str) -> bool:
    """Whether compose finds a file of this name by itself."""
    return name in DEFAULT_NAMES


def is_compose_name(name: str) -> bool:
    """Whether a file of this name (without folders) may be a compose file or a stack.

    Names with `stack` in them are used by others too (CloudFormation): see `is_compose` for their content.
    """
    words = _words(name)
    return not _COMPOSE_WORDS.isdisjoint(words) or not _STACK_WORDS.isdisjoint(words)


def is_stack_name(name: str) -> bool:
    """Whether a file of this name (without folders) is meant for `docker stack deploy`."""
    return not _STACK_WORDS.isdisjoint(_words(name))


def candidates(names: Collection[str]) -> list[tuple[str, ...]]:
    """Return which of the files of one folder make projects: the default file with its override, and every other file by itself."""
    looking = sorted(name for name in names if is_compose_name(name))
    if not looking:
        return []
    main = next((name for name in DEFAULT_NAMES if name in looking), None)
    groups: list[tuple[str, ...]] = []
    taken: set[str] = set()
    if main is not None:
        override = next((name for name in _OVERRIDES if name in looking), None)
        group = (main,) if override is None else (main, override)
        groups.append(group)
        taken.update(group)
    groups.extend((name,) for name in looking if name not in taken)
    return groups


def is_compose(file: SourceFile) -> bool:
    """Whether a file is a compose file by what is in it: `services:` at the top, with something below that only a container has.

    Symfony's services.yaml, CloudFormation's stack.yml and GitLab's CI files are told apart.
    """
    text = file.text
    if "services" not in text and "include" not in text:
        return False
    root = _root(file)
    if root is None:  # not valid YAML: judged by its lines
        lines = text.removeprefix(BOM).splitlines()
        return any(line.startswith("services:") for line in lines) and any(
            line.lstrip().startswith(("image:", "build:")) and line[:1] in " \t" for line in lines
        )
    if not isinstance(root, yaml_nodes.Mapping):
        return False
    services = root.get("services")
    if isinstance(services, yaml_nodes.Mapping):
        return any(
            isinstance(entry.value, yaml_nodes.Mapping) and not _OF_A_CONTAINER.isdisjoint(entry.value.keys()) for entry in services.entries
        )
    if services is None and isinstance(root.get("include"), yaml_nodes.Sequence):
        return all(key in _MODEL or key.startswith("x-") for key in set(root.keys()))
    return False


def resembles(file: SourceFile) -> bool:
    """Whether a file with `compose` in its name has anything of a compose file in it: a section, or a service at the top as in version 1.

    A file that is broken does. Others describe commands (`docker_compose_up.yaml`), or are tasks of Ansible.
    """
    if is_default_name(file.path.replace("\\", "/").rpartition("/")[2]):
        return True
    root = _root(file)
    if not isinstance(root, yaml_nodes.Mapping):
        return root is None or (isinstance(root, yaml_nodes.Scalar) and root.value is None)
    return any(
        entry.key.text in _MODEL
        or entry.key.text.startswith("x-")
        or (isinstance(entry.value, yaml_nodes.Mapping) and not _OF_A_CONTAINER.isdisjoint(entry.value.keys()))
        for entry in root.entries
    )


def layers(file: SourceFile) -> bool:
    """Whether a file is meant to be laid over another: half of its services or more say neither what image they run nor how it is built."""
    if is_default_name(file.path.replace("\\", "/").rpartition("/")[2]):
        return False
    root = _root(file)
    services = root.get("services") if isinstance(root, yaml_nodes.Mapping) else None
    if not isinstance(services, yaml_nodes.Mapping):
        return False
    found = [entry.value for entry in services.entries if isinstance(entry.value, yaml_nodes.Mapping)]
    bare = sum(1 for service in found if _ORIGINS.isdisjoint(service.keys()))
    return bool(found) and 2 * bare >= len(found)


def _root(file: SourceFile) -> yaml_nodes.Node | None:
    """Return the first document of a file; None when it is not valid YAML or there is none."""
    try:
        documents = yaml_nodes.parse_all(file)
    except HardenError:
        return None
    return documents[0] if documents else None
