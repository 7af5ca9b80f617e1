"""Top-level `networks:`, `volumes:`, `secrets:` and `configs:`."""

from typing import Final

from hardener.sources.compose import scalars
from hardener.sources.compose.mounts import Folder, absolute
from hardener.sources.compose.tree import Keys, Leaf
from hardener.sources.service import Project, Resource, Setting
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Place

_KINDS: Final = ("network", "volume", "secret", "config")


def fill(project: Project, tree: Keys, folder: Folder) -> None:
    """Set the resources of a project."""
    for kind in _KINDS:
        found = tree.get(f"{kind}s")
        if isinstance(found, Keys):
            setattr(
                project,
                f"{kind}s",
                {
                    name: resource(kind, name, entry.key, entry.value if isinstance(entry.value, Keys) else None, folder)
                    for name, entry in found.entries.items()
                    if not name.startswith("x-")
                },
            )


def resource(kind: str, name: str, place: Place, keys: Keys | None, folder: Folder) -> Resource:
    """Return one resource; without keys it has nothing but its name."""
    external: bool | UnknownType = False
    driver: str | None = None
    settings: dict[str, Setting[str]] = {}
    if keys is None:
        return Resource(kind, name, place, external, driver, (), settings)
    options = scalars.variables(keys.get("driver_opts"), "driver_opts")
    for field, entry in keys.entries.items():
        value = entry.value
        if field == "external":
            if isinstance(value, Keys):
                external = True
                if (old := value.entries.get("name")) is not None and (written := scalars.text(old.value, old.key)) is not None:
                    settings.setdefault("name", written)
            elif (switch := scalars.switch(value, entry.key)) is not None:
                external = switch.value
        elif isinstance(value, Leaf) and (written := scalars.text(value, entry.key)) is not None:
            if field == "driver":
                driver = None if written.value is UNKNOWN else written.value
            elif field == "file" and written.known:
                path = absolute(written.known, folder(value.place.file))
                written = Setting(path, written.place, written.key, written.text, written.history, written.view)
            settings[field] = written
    if driver == "local" and any(option.name == "o" and option.value is not None and option.value.value == "bind" for option in options):
        options = tuple(
            [
                option._replace(value=_absolute(option.value, folder)) if option.name == "device" and option.value is not None else option
                for option in options
            ]
        )
    return Resource(kind, name, place, external, driver, options, settings)


def _absolute(written: Setting[str], folder: Folder) -> Setting[str]:
    if not written.known:
        return written
    return Setting(absolute(written.known, folder(written.place.file)), written.place, written.key, written.text, written.history)
