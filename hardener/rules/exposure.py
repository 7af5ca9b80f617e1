"""Who can reach a service: its published ports, its networks, and what of the host it holds."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from hardener.finding import Severity
from hardener.record import NamedTuple
from hardener.rules import host_paths
from hardener.rules.services import in_force
from hardener.sources.service import Mount, Port, Project, Resource, Service
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place

_BINDING: Final = "com.docker.network.bridge.host_binding_ipv4"


@lru_cache(maxsize=256)
def is_every_address(host_ip: str) -> bool:
    """Whether an address means every interface: `0.0.0.0`, `::`, `[::ffff:0.0.0.0]`, or nothing."""
    text = host_ip.strip("[]").lower().removeprefix("::ffff:")
    return not text.strip("0.:") and text.count("0") <= 32


@lru_cache(maxsize=256)
def is_loopback(host_ip: str) -> bool:
    """Whether an address is the host's own: nobody else reaches it."""
    text = host_ip.strip("[]").lower().removeprefix("::ffff:")
    return text.startswith("127.") or text == "localhost" or (text.endswith("1") and not text[:-1].strip("0:") and ":" in text)


def networks(service: Service) -> tuple[str, ...]:
    """Return the names of the networks of the project that a service is on; () where it has the host's, another container's or none."""
    if service.network_mode is not None and in_force(service, "network_mode"):
        return ()
    return tuple([attachment.name for attachment in service.networks]) or ("default",)


def is_internal(project: Project, name: str) -> bool | None:
    """Whether a network has no way out; None when it is not known."""
    resource = project.networks.get(name)
    if resource is None:
        return False
    if resource.external is not False:
        return None
    setting = resource.settings.get("internal")
    if setting is None:
        return False
    return None if setting.value is UNKNOWN else str(setting.value).lower() in ("true", "yes", "1")


def option(resource: Resource, name: str) -> str | None:
    """Return a `driver_opts` value of a network or volume."""
    for variable in resource.driver_opts:
        if variable.name == name:
            return None if variable.value is None else variable.value.known
    return None


def is_published(port: Port, service: Service) -> bool:
    """Whether others than the host itself reach a port: on every interface, or on one that is not loopback."""
    address = port.host_ip
    if service.project.is_stack:
        return _has_network(service)  # a swarm publishes on every node, whatever address is written
    if address is UNKNOWN:
        return False
    if address is None or is_every_address(address):
        return _has_network(service) and not _binds_loopback(service)
    return not is_loopback(address) and _has_network(service)


def is_published_everywhere(port: Port, service: Service) -> bool:
    """Whether a port is published on every interface of the host."""
    address = port.host_ip
    if service.project.is_stack:
        return _has_network(service)
    if address is UNKNOWN or not (address is None or is_every_address(address)):
        return False
    return _has_network(service) and not _binds_loopback(service)


def _has_network(service: Service) -> bool:
    """Whether publishing does anything: not with `network_mode: host` or `none`, and not on internal networks alone."""
    mode = service.network_mode
    if mode is not None and in_force(service, "network_mode"):
        return mode.value is not UNKNOWN and mode.value not in ("host", "none") and not mode.value.startswith(("service:", "container:"))
    project = service.project
    if not service.networks or not project.networks:
        return is_internal(project, "default") is not True if project.networks else True
    return any(is_internal(project, attachment.name) is not True for attachment in service.networks)


def _binds_loopback(service: Service) -> bool:
    """Whether the bridge that a service is on publishes on loopback when no address is given."""
    resources = service.project.networks
    if not resources:
        return False
    found = [resources.get(name) for name in networks(service)]
    return bool(found) and all(resource is not None and is_loopback(option(resource, _BINDING) or "") for resource in found)


def published(service: Service) -> Iterator[Port]:
    """Yield the ports of a service that others than the host itself reach."""
    for port in service.ports:
        if is_published(port, service):
            yield port


class Source(NamedTuple):
    """A path of the host that a container gets, and by which way."""

    path: str  # normal: see host_paths
    read_only: bool  # True as well when that is not known
    place: Place  # where the service asks for it
    origin: Place | None = None  # where the path is written, when that is elsewhere (the volume's device, the secret's file)
    history: tuple[tuple[Place, str], ...] = ()
    type: str = "bind"


_HOMES: Final = (("${HOME}", "~"), ("$HOME", "~"), ("${XDG_RUNTIME_DIR}", "/run/user/1000"), ("$XDG_RUNTIME_DIR", "/run/user/1000"))


def _written(place: Place) -> str | None:
    """Return the path in a source that nothing decides but variables that mean the same everywhere: `$HOME/.ssh`."""
    text = place.text.strip("\"' ")
    if "$" not in text:
        return None
    for variable, path in _HOMES:
        if text.startswith(variable) and text[len(variable) : len(variable) + 1] in ("/", ":", ""):
            rest = text[len(variable) :].partition(":")[0]
            return None if "$" in rest or "`" in rest else path + rest
    rest = text.partition("}")[2] if text.startswith("${") else text
    socket = rest.partition(":")[0]
    return f"/{socket.rpartition('/')[2]}" if socket.endswith("/docker.sock") and "$" not in socket.rpartition("/")[2] else None


def host_path(mount: Mount, project: Project) -> tuple[str, Place | None] | None:
    """Return the normal path of the host that a mount shows, and where it is written when that is not the mount itself."""
    source = mount.source
    if source is UNKNOWN:
        written = _written(mount.source_place) if mount.type in ("bind", "volume") else None
        path = None if written is None else host_paths.normal(written)
        return None if path is None else (path, None)
    if source is None:
        if mount.type == "volume":  # --mount type=volume,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/etc
            return _device_of(mount)
        return None
    if mount.type == "bind":
        path = host_paths.normal(source)
        return None if path is None else (path, None)
    if mount.type == "volume":
        resource = project.volumes.get(source)
        return _device_of(mount) if resource is None else _bound(resource)
    return None


def _device_of(mount: Mount) -> tuple[str, Place | None] | None:
    device = next((option.partition("device=")[2] for option in mount.options if "device=" in option), "")
    if not device or not any(option.endswith(("o=bind", "o=rbind")) for option in mount.options):
        return None
    path = host_paths.normal(device)
    return None if path is None else (path, None)


def _bound(resource: Resource) -> tuple[str, Place] | None:
    """Return the path that a named volume binds (`driver_opts: {type: none, o: bind, device: /path}`)."""
    if not resource.driver_opts:
        return None
    options = option(resource, "o")
    if options is None or not {"bind", "rbind"}.intersection(options.replace(" ", "").split(",")):
        return None
    for variable in resource.driver_opts:
        if variable.name in ("device", "mountpoint") and variable.value is not None and variable.value.value is not UNKNOWN:
            path = host_paths.normal(variable.value.value)
            return None if path is None else (path, variable.value.place)
    return None


def is_own(path: str, place: Place, project: Project) -> bool:
    """Whether a path is the project's own folder or lies in it, and is not written out in full."""
    folder = project.folder
    return folder not in ("", "/") and host_paths.is_within(path, folder) and place.text.strip("\"' ")[:1] not in ("/", "~")


def sources(service: Service) -> tuple[Source, ...]:
    """Return every path of the host that a service gets: binds, volumes that bind, files of secrets and configs."""
    return _sources(service) if service.mounts or service.secrets or service.configs else ()


@lru_cache(maxsize=64)  # several rules ask about the same service, one after the other
def _sources(service: Service) -> tuple[Source, ...]:
    return tuple(_find_sources(service))


def _find_sources(service: Service) -> Iterator[Source]:
    project = service.project
    for mount in service.mounts:
        found = host_path(mount, project)
        if found is not None and not is_own(found[0], found[1] or mount.source_place, project):
            place = mount.place if mount.source_place == mount.target_place else mount.source_place
            yield Source(found[0], mount.read_only is not False, place, found[1], mount.history)
    for grants, resources in ((service.secrets, project.secrets), (service.configs, project.configs)):
        for grant in grants:
            resource = resources.get(grant.source)
            setting = None if resource is None else resource.settings.get("file")
            if setting is None or setting.value is UNKNOWN:
                continue
            text = setting.value
            path = host_paths.normal(text if text[:1] in ("/", "~") else f"{project.folder}/{text}")
            if path is not None and not is_own(path, setting.place, project):
                yield Source(path, True, grant.place, setting.place, (), "file")


def socket(service: Service) -> tuple[Source, host_paths.Socket] | None:
    """Return the runtime's socket that a service holds, the worst one."""
    best: tuple[Source, host_paths.Socket] | None = None
    for source in sources(service):
        found = host_paths.socket(source.path, read_only=source.read_only)
        if found is not None and (best is None or found.severity > best[1].severity):
            best = source, found
    return best


class Power(NamedTuple):
    """A setting that makes root in the container root on the host, or nearly."""

    what: str
    place: Place


_CAPABILITIES: Final = frozenset({"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"})


def powers(service: Service) -> Iterator[Power]:
    """Yield what gives a service the host, sockets aside."""
    if service.privileged is not None and service.privileged.known is True and in_force(service, "privileged"):
        yield Power("all privileges", service.privileged.place)
    for capability in service.cap_add:
        name = capability.known
        if name is not None and name.upper().removeprefix("CAP_") in _CAPABILITIES:
            yield Power(f"capability {name}", capability.place)
    if service.pid is not None and service.pid.known == "host" and in_force(service, "pid"):
        yield Power("the host's processes", service.pid.place)
    for source in sources(service):
        found = host_paths.grade(source.path, read_only=source.read_only)
        if found is not None and found.severity is Severity.CRITICAL:
            yield Power(f"{source.path} of the host", source.place)


def shared_networks(one: Service, other: Service) -> tuple[str, ...]:
    """Return the networks on which two services meet."""
    theirs = networks(other)
    return tuple([name for name in networks(one) if name in theirs])


_WORD: Final = Pattern(r"[\w.-]+")


def mentioned(service: Service) -> frozenset[str]:
    """Return the words among which a service names others: what it depends on and links, its environment and command."""
    found = {dependency.name for dependency in service.depends_on}
    found.update(str(link.value).partition(":")[0] for link in service.links if link.value is not UNKNOWN)
    for text in texts(service):
        found.update(word.strip(".-") for word in _WORD.findall(text))
    return frozenset(found)


def texts(service: Service) -> Iterator[str]:
    """Yield what a service is told: its environment, command and entrypoint."""
    for variable in service.environment:
        if variable.value is not None:
            yield variable.value.text
    for words in (service.command, service.entrypoint):
        if words is not None:
            for word in words.words:
                yield word.text


def is_container(service: Service) -> bool:
    """Whether a service is a container at all, rather than something that a provider makes."""
    return service.provider is None
