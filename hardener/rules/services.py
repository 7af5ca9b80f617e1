"""What checks on services ask again and again: whether a key is in force, whether something can be said to be missing."""

from hardener.finding import Match, Severity
from hardener.sources.service import Mount, Port, Service, Setting
from hardener.sources.unknown import UNKNOWN
from hardener.text import Place

Related = tuple[tuple[Place, str], ...]


def at(
    setting: "Setting[str] | Setting[bool] | Setting[int]", *, severity: Severity | None = None, related: Related = (), **values: str
) -> Match:
    """Return the match of a setting: at its value, with the places that took part in it."""
    place = setting.place
    return Match(place.span, values, setting.history + related, severity=severity, file=place.file)


def missing(service: Service, /, *, severity: Severity | None = None, **values: str) -> Match:
    """Return the match for something that a service lacks: at its name, or at the words `docker run`."""
    place = service.place
    return Match(place.span, values, severity=severity, file=place.file)


def called(service: Service) -> str:
    """Return what messages call a service: its name; a run line's `--name`, or `this container`."""
    if service.is_compose:
        return service.name
    name = service.container_name
    return "this container" if name is None or name.known is None else f"the container {name.known}"


def in_force(service: Service, key: str) -> bool:
    """Whether a key of a service does anything: a stack deployment drops some and refuses others."""
    if service.origin != "stack":
        return True
    from hardener.rules.checks.service.swarm import DROPPED, REFUSED

    return key not in DROPPED and key not in REFUSED


def has_address(port: Port) -> bool:
    """Whether a port is known to be published on one address, and not on all."""
    return port.host_ip is not None and port.host_ip is not UNKNOWN and port.host_ip not in ("", "0.0.0.0", "::", "[::]")  # noqa: S104


def source_of(mount: Mount, service: Service) -> str:
    """Return what a message calls the source of a mount: as it is written, or as the variables in it have it."""
    text = mount.source_place.text
    if "$" not in text or not isinstance(mount.source, str):
        return text
    folder = service.project.folder.rstrip("/") + "/"
    return f"./{mount.source.removeprefix(folder)}" if mount.source.startswith(folder) else mount.source


def is_complete(service: Service) -> bool:
    """Whether it can be said what a service lacks: it is a container, and nothing adds flags that are not written."""
    return not service.open_ended and service.provider is None


def is_podman(service: Service) -> bool:
    """Whether podman runs it, whose defaults and options are not all those of Docker."""
    return not service.is_compose and service.place.text.startswith("podman")


def is_on(setting: "Setting[bool] | None") -> bool:
    """Whether a switch is known to be on."""
    return setting is not None and setting.value is True
