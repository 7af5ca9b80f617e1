"""`build:`: the folder alone, or everything about how the image is made."""

from posixpath import join
from typing import Final

from hardener.sources.compose import scalars
from hardener.sources.compose.devices import ulimits
from hardener.sources.compose.mounts import Folder, absolute
from hardener.sources.compose.relations import grants
from hardener.sources.compose.tree import Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Build, Setting
from hardener.text import Place

_REMOTE: Final = ("https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:")


def is_remote(context: str) -> bool:
    """Whether a build context is no folder of this machine. Source: compose-go's paths/context.go."""
    return "://" in context or context.startswith(_REMOTE)


def build(node: Node | None, key: Place, folder: Folder) -> Build | None:
    """Return how the image of a service is built; `folder` says where a file's relative paths start."""
    if isinstance(node, Leaf):
        if node.kind == "null":
            return None
        found = Build(node.place, key)
        _context(found, scalars.setting(node, key), folder)
        return found
    if not isinstance(node, Keys):
        return None
    found = Build(node.place, key)
    context = node.entries.get("context")
    written = None if context is None else scalars.text(context.value, context.key)
    if written is None:
        # Without a context it is the project's folder, however the Dockerfile is given.
        written = Setting(".", node.place, key, ".")
    _context(found, written, folder)
    for name, entry in node.entries.items():
        _field(found, name, entry.value, entry.key, folder)
    return found


def _context(found: Build, written: Setting[str], folder: Folder) -> None:
    path = written.known
    if path is None:
        found.context = found.dockerfile = written
        return
    if is_remote(path):
        found.context = written
        found.dockerfile = Setting("Dockerfile", written.place, written.key, "", written.history)
        return
    path = absolute(path, folder(written.place.file))
    found.context = Setting(path, written.place, written.key, written.text, written.history, written.view)
    found.dockerfile = Setting(join(path, "Dockerfile"), written.place, written.key, "", written.history)


def _field(found: Build, name: str, value: Node, key: Place, folder: Folder) -> None:
    match name:
        case "dockerfile":
            _dockerfile(found, scalars.text(value, key))
        case "dockerfile_inline":
            found.inline = scalars.text(value, key)
            if found.inline is not None:
                found.dockerfile = None
        case "target" | "network" | "provenance" | "sbom":
            setattr(found, name, scalars.text(value, key))
        case "privileged" | "no_cache" | "pull":
            setattr(found, name, scalars.switch(value, key))
        case "args" | "labels" | "additional_contexts":
            setattr(found, name, scalars.variables(value, name))
        case "entitlements" | "cache_from" | "tags":
            setattr(found, name, scalars.texts(value, key))
        case "ssh":
            found.ssh = tuple(
                [variable.value or Setting(variable.name, variable.key, key, variable.name) for variable in scalars.variables(value, "ssh")]
                if not isinstance(value, Leaf)
                else scalars.texts(value, key)
            )
        case "extra_hosts":
            found.extra_hosts = scalars.hosts(value, key)
        case "secrets":
            found.secrets = grants(value, "/run/secrets/")
        case "ulimits":
            found.ulimits = ulimits(value)


def _dockerfile(found: Build, written: Setting[str] | None) -> None:
    if written is None or found.inline is not None:
        return
    path, context = written.known, found.context
    if path is None or context is None or context.known is None or HOLE in context.text:
        found.dockerfile = written if path is None or context is None else Setting(context.value, written.place, written.key, written.text)
        return
    if not is_remote(context.known):
        path = absolute(path, context.known)
    found.dockerfile = Setting(path, written.place, written.key, written.text, written.history, written.view)
