"""What of the host is mounted: sockets, sensitive paths, devices, propagation."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules import exposure, host_devices, host_paths, known_services
from hardener.rules.checks import Check
from hardener.rules.context import ServiceContext
from hardener.rules.exposure import Source
from hardener.rules.services import at, in_force, is_complete, is_on, missing
from hardener.sources.service import Mount, Project, Service, Setting
from hardener.sources.unknown import UNKNOWN
from hardener.text import Place

LOW, MEDIUM, HIGH, CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

# --- paths of the host ------------------------------------------------------------------------------------------------------


def _at(source: Source, severity: Severity, values: dict[str, str]) -> Match:
    related = source.history
    anchors: tuple[Place, ...] = ()
    if source.origin is not None:
        related = ((source.origin, f"here {source.path} of the host is meant"), *related)
        anchors = (source.origin,)
    place = source.place
    return Match(place.span, values, related, severity=severity, anchors=anchors, file=place.file)


def _shown(source: Source) -> str:
    """Return a path as it is written, where that says it."""
    text = source.place.text.strip("\"' ")
    return text if host_paths.normal(text) == source.path else source.path


def runtime_socket(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report the sockets that command a container runtime or systemd, and folders that hold them."""
    for mount in service.mounts:
        if isinstance(mount.source, str) and mount.source[:1] in ("\\", "/") and (found := host_paths.pipe(mount.source)):
            place = mount.source_place
            values = {"path": mount.source, "socket": found.name, "gives": found.gives, "note": ""}
            yield Match(place.span, values, mount.history, severity=found.severity, file=place.file)
    for source in exposure.sources(service):
        held = host_paths.socket(source.path, read_only=source.read_only)
        if held is not None:
            note = "; that it is read-only stops no request" if source.read_only and source.type == "bind" else ""
            is_filter = known_services.is_socket_proxy(service) and not any(exposure.published(service))
            values = {"path": _shown(source), "socket": held.name, "gives": held.gives, "note": note}
            yield _at(source, LOW if is_filter else held.severity, values)


def writable_host_path(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report paths of the host that may be written and decide about the host."""
    for source in exposure.sources(service):
        if source.read_only or host_paths.socket(source.path) is not None:
            continue
        if (device := _bound_device(source, service)) is not None:
            yield _at(source, device.severity, {"path": _shown(source), "gives": device.gives})
        elif (found := host_paths.grade(source.path, read_only=False)) is not None:
            yield _at(source, found.severity, {"path": _shown(source), "gives": found.gives})


def readable_host_path(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report read-only paths of the host that tell what nobody should know."""
    for source in exposure.sources(service):
        if source.read_only and host_paths.socket(source.path, read_only=True) is None:
            found = host_paths.grade(source.path, read_only=True)
            if found is not None:
                yield _at(source, found.severity, {"path": _shown(source), "gives": found.gives})


def _bound_device(source: Source, service: Service) -> host_paths.Grade | None:
    """Return what a device gives that is mounted like a file: the device cgroup refuses it, unless nothing is refused."""
    if not source.path.startswith("/dev/"):
        return None
    found = host_devices.dangerous(source.path)
    if found is None or found.severity < HIGH:
        return None
    if is_on(service.privileged) and in_force(service, "privileged"):
        return host_paths.Grade(found.severity, found.gives)
    return host_paths.Grade(MEDIUM, f"{found.gives} (as soon as a device rule or `privileged` allows it)")


_PRIVATE_FILES: Final = (".git", ".env")


def project_secrets(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a mount of the project's own `.git` or `.env`, or of the whole folder that holds them."""
    folder = context.project.folder
    if folder in ("", "/"):
        return
    for mount in service.mounts:
        source = mount.source
        if mount.type != "bind" or not isinstance(source, str) or not source.startswith(folder):
            continue
        name = source[len(folder) :].strip("/")
        place = mount.source_place
        if name.endswith(_PRIVATE_FILES) and name.rpartition("/")[2] in _PRIVATE_FILES:
            yield Match(place.span, {"path": name, "what": f"{name} itself"}, mount.history, file=place.file)
        elif not name and context.file(f"{folder}/.env") is not None and not _is_hidden(service, mount):
            yield Match(place.span, {"path": "the project's folder", "what": ".env in it"}, mount.history, file=place.file)


def _is_hidden(service: Service, mount: Mount) -> bool:
    """Whether something else is mounted over `.env` in a mount."""
    if not isinstance(mount.target, str):
        return True
    hidden = f"{mount.target.rstrip('/')}/.env"
    return any(other.target == hidden for other in service.mounts)


_SESSIONS: Final = (
    ("SSH_AUTH_SOCK", MEDIUM, "the user's SSH agent, which signs with every key it holds"),
    ("/tmp/.X11-unix", LOW, "the user's screen: what is typed, and windows of its own"),  # noqa: S108
    ("/run/host-services/ssh-auth.sock", MEDIUM, "the user's SSH agent, which signs with every key it holds"),
    (".gnupg/S.gpg-agent", MEDIUM, "the user's GPG agent, which signs with every key it holds"),
    ("WAYLAND_DISPLAY", LOW, "the user's desktop"),
    ("/run/user/1000/bus", MEDIUM, "the user's session bus: programs of one's own on the desktop"),
    ("/run/user/1000/wayland-0", LOW, "the user's desktop"),
    ("/run/user/1000/pulse", LOW, "the user's microphone and speakers"),
    ("/run/user/1000/pipewire-0", LOW, "the user's microphone, camera and screen"),
)


def session_socket(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report sockets of somebody's session: an SSH agent, a screen."""
    for mount in service.mounts:
        source = mount.source
        if source is None or mount.type not in ("bind", "volume"):
            continue
        place = mount.source_place
        text = source if isinstance(source, str) else place.text
        for name, severity, gives in _SESSIONS:
            if name in text and (name[0] == "/" or not isinstance(source, str) or name[0] == "."):
                yield Match(place.span, {"path": name, "gives": gives}, mount.history, severity=severity, file=place.file)
                break


# --- how it is mounted ------------------------------------------------------------------------------------------------------


def shared_propagation(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report mounts whose own mounts travel between host and container."""
    for mount in service.mounts:
        if mount.propagation in ("shared", "rshared", "slave", "rslave"):
            to_host = "shared" in mount.propagation
            place = mount.place
            values = {
                "propagation": mount.propagation,
                "effect": "what the container mounts there appears on the host, and the other way round"
                if to_host
                else "what the host mounts there later appears in the container",
            }
            severity = Severity.INFO if not to_host else MEDIUM if any(exposure.powers(service)) else LOW
            yield Match(place.span, values, mount.history, severity=severity, file=place.file)


def _is_mounted(service: Service, mount: Mount) -> bool:
    """Whether a tmpfs is there at all: a stack has those of `volumes:` and drops those of `tmpfs:`."""
    text = mount.place.text
    return in_force(service, "tmpfs") or ": " in text or '":' in text  # a mapping: an item of `volumes:`


_LAXER: Final = {"exec": "noexec", "suid": "nosuid", "dev": "nodev"}


def lax_tmpfs(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a tmpfs from which programs run, with set-user-id bits or devices."""
    for mount in service.mounts:
        if mount.type != "tmpfs" or not mount.options or not _is_mounted(service, mount):
            continue
        words = [option.strip() for option in mount.options]
        found = [word for word in _LAXER if word in words and _LAXER[word] not in words[words.index(word) :]]
        if found:
            place = mount.place
            values = {"target": str(mount.target) if mount.target is not UNKNOWN else "the tmpfs", "options": ", ".join(found)}
            yield Match(place.span, values, mount.history, severity=MEDIUM if "dev" in found else LOW, file=place.file)


def boundless_tmpfs(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a tmpfs that may take half of the host's memory."""
    if service.memory is not None or not is_complete(service):
        return
    for mount in service.mounts:
        if (
            mount.type == "tmpfs"
            and _is_mounted(service, mount)
            and not any(option.startswith("size=") or "\0" in option for option in mount.options)
        ):
            target = mount.target if isinstance(mount.target, str) else "the tmpfs"
            yield Match(mount.place.span, {"target": target}, mount.history, file=mount.place.file)


_SETTINGS_FILES: Final = (
    ".conf", ".cnf", ".cfg", ".ini", ".yml", ".yaml", ".toml", ".json", ".xml", ".properties", ".crt", ".pem", ".key", ".htpasswd",
    ".rules", ".conf.template", ".tpl", ".sql", ".sh",
)  # fmt: skip


def writable_settings(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a settings file of the project that the container may rewrite."""
    for mount in service.mounts:
        source = mount.source
        if mount.type != "bind" or mount.read_only is not False or not isinstance(source, str):
            continue
        name = source.rpartition("/")[2]
        if name.endswith(_SETTINGS_FILES) and not name.startswith("package") and "lock" not in name:
            yield Match(mount.place.span, {"path": name}, mount.history, file=mount.place.file)


def volumes_from(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `volumes_from`; worse, when what is inherited is a socket or a path that is."""
    for setting in service.volumes_from if in_force(service, "volumes_from") else ():
        text = setting.known
        if text is None:
            continue
        name = text.removeprefix("container:").partition(":")[0]
        other = None if text.startswith("container:") else context.project.service(name)
        severity, inherited = LOW, "every mount of it, present and future"
        related: tuple[tuple[Place, str], ...] = ()
        for source in () if other is None else exposure.sources(other):
            held = host_paths.socket(source.path, read_only=source.read_only)
            found = held or host_paths.grade(source.path, read_only=source.read_only)
            if found is not None and found.severity > severity:
                severity, inherited = found.severity, f"{source.path} of the host among its mounts"
                related = ((source.place, "mounted here"),)
        yield at(setting, severity=severity, related=related, name=name, inherited=inherited)


def shared_writable(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a path or volume that several services may write."""
    if project.kind == "commands":
        return  # lines of a script or a manual are no project: they may be alternatives
    writers: dict[str, list[tuple[Service, Mount]]] = {}
    for service in project.services:
        seen: set[str] = set()
        for mount in service.mounts:
            source = mount.source
            if mount.type in ("bind", "volume") and mount.read_only is False and isinstance(source, str) and source not in seen:
                seen.add(source)
                writers.setdefault(source, []).append((service, mount))
    for source, found in writers.items():
        if len(found) < 2:
            continue
        if source.startswith(("/run/", "/var/run/", "/tmp/.X11-unix")) or host_paths.socket(host_paths.normal(source) or ""):  # noqa: S108
            continue  # sockets of something: both ends write
        place = found[1][1].source_place
        others = tuple([(mount.source_place, f"{service.name} writes it, too") for service, mount in found if mount is not found[1][1]])
        names = ", ".join(service.name for service, _ in found)
        shown = source if found[0][1].type == "volume" or "$" in place.text else place.text.strip("\"'")
        yield Match(place.span, {"path": shown, "names": names}, others, file=place.file)


# --- devices ----------------------------------------------------------------------------------------------------------------


def raw_device(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report devices that give more than their purpose."""
    if not service.devices or not in_force(service, "devices"):
        return
    for device in service.devices:
        path = host_paths.normal(device.source) if isinstance(device.source, str) else None
        found = None if path is None else host_devices.dangerous(path, device.permissions or "rwm")
        if found is not None and path is not None:
            yield Match(device.place.span, {"device": path, "gives": found.gives}, severity=found.severity, file=device.place.file)


def host_device(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report the other devices of the host."""
    if not service.devices or not in_force(service, "devices"):
        return
    for device in service.devices:
        path = host_paths.normal(device.source) if isinstance(device.source, str) else None
        gives = None if path is None else host_devices.ordinary(path)
        if gives is not None and path is not None:
            yield Match(device.place.span, {"device": path, "gives": gives}, file=device.place.file)


def device_rule(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report device cgroup rules that open disks or memory to a container that can reach them."""
    if not service.device_cgroup_rules or not in_force(service, "device_cgroup_rules") or not _reaches_devices(service):
        return
    for setting in service.device_cgroup_rules:
        found = None if setting.known is None else host_devices.opened(setting.known)
        if found is not None:
            yield at(setting, severity=found.severity, rule=setting.text, gives=found.gives)


def _reaches_devices(service: Service) -> bool:
    """Whether a container can make device nodes (Docker leaves it MKNOD) or is given the host's."""
    dropped = {str(setting.value).upper().removeprefix("CAP_") for setting in service.cap_drop if setting.value is not UNKNOWN}
    added = {str(setting.value).upper().removeprefix("CAP_") for setting in service.cap_add if setting.value is not UNKNOWN}
    if not dropped & {"ALL", "MKNOD"} or added & {"ALL", "MKNOD"} or is_on(service.privileged):
        return True
    return any(isinstance(mount.source, str) and host_paths.is_within(mount.source, "/dev") for mount in service.mounts)


# --- the root file system ---------------------------------------------------------------------------------------------------

_WRITES: Final = """
nginx /var/cache/nginx /run
nginx-unprivileged /tmp
httpd /usr/local/apache2/logs
postgres /run/postgresql /tmp
mysql /run/mysqld /tmp
mariadb /run/mysqld /tmp
mongo /tmp
haproxy /run
caddy /config
wordpress /run /tmp
php /run /tmp
rabbitmq /tmp
python /tmp
node /tmp
"""
"""The tmpfs that well-known images need, volumes aside: an image's name and paths."""


@lru_cache(maxsize=64)
def _needed(name: str) -> str:
    """Return what a service needs beside `read_only`, as the end of a sentence; "" when that is not known."""
    for line in _WRITES.splitlines():
        known, _, paths = line.partition(" ")
        if known == name and name:
            return f" ({name} needs a tmpfs on {' and '.join(paths.split())})"
    return ""


def writable_root(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a root file system that the container may change."""
    setting = service.read_only
    if setting is not None and setting.value is not False:
        return
    advice = _needed(known_services.image_name(service))
    if setting is not None:
        yield at(setting, name=service.name, advice=advice)
    elif is_complete(service) and not service.is_one_off and not _is_windows(service):
        yield missing(service, name=service.name, advice=advice)


def _is_windows(service: Service) -> bool:
    """Whether it is a Windows container, which has no such switch."""
    platform: Setting[str] | None = service.platform
    isolated = service.isolation is not None and service.isolation.known in ("hyperv", "process")
    return isolated or (platform is not None and str(platform.known).startswith("windows"))


CHECKS: Final[Mapping[str, Check]] = {
    "HS301": runtime_socket,
    "HS303": writable_host_path,
    "HS304": readable_host_path,
    "HS305": project_secrets,
    "HS306": shared_propagation,
    "HS307": lax_tmpfs,
    "HS308": boundless_tmpfs,
    "HS309": session_socket,
    "HS310": raw_device,
    "HS311": host_device,
    "HS312": device_rule,
    "HS320": writable_root,
    "HS321": volumes_from,
    "HS322": writable_settings,
    "HS323": shared_writable,
}
