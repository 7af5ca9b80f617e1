"""Namespaces, ids, capabilities and security options: what a request takes away from, or adds to, the walls of a policy."""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.launch import values
from hardener.launch.base import QUIET
from hardener.linux.names import CAPABILITIES
from hardener.oci.runtime import LANDLOCK, Capabilities, DeviceRule, IdMapping, Mount, Namespace
from hardener.runtime import idmaps, privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from hardener.launch.request import Request
    from hardener.oci.runtime import Linux, Process, Spec

ALL: Final = "ALL"
SHM, MQUEUE = "/dev/shm", "/dev/mqueue"  # noqa: S108  (the container's)
_LATER: Final = ("bridge", "default", "slirp4netns", "pasta", "macvlan", "ipvlan", "overlay")
_SELINUX: Final = ("user", "role", "type", "level")


def lay_namespaces(request: Request, spec: Spec, linux: Linux, join: Callable[[str, str, str], str]) -> list[Mount]:
    """Share or join the namespaces that a request names. `join(container, kind, flag)` returns the path of a container's namespace.

    What belongs to a namespace that is shared comes with it; these mounts are returned, for after the policy has judged.
    """
    asked = (
        ("network", "--network", request.network, ("none", "host")),
        ("pid", "--pid", request.pid, ("private", "host")),
        ("ipc", "--ipc", request.ipc, ("private", "shareable", "none", "host")),
        ("uts", "--uts", request.uts, ("private", "host")),
        ("cgroup", "--cgroupns", request.cgroup_namespace, ("private", "host")),
    )
    for kind, flag, word, known in asked:
        if word is None or word == known[0] or (kind == "ipc" and word in ("none", "shareable")):
            continue
        made: tuple[Namespace, ...] = ()
        if word.startswith("container:") and kind in ("network", "pid"):
            made = (Namespace(type=kind, path=join(word.removeprefix("container:"), kind, flag)),)
        elif word not in known:
            raise _no_such(kind, flag, word, known)
        linux.namespaces = (*[namespace for namespace in linux.namespaces if namespace.type != kind], *made)
    if request.pid not in (None, "private") and request.userns != "host":
        # The kernel shows the processes of a PID namespace to those only who own it: mounting its /proc takes that.
        raise HardenError(
            "the processes of others cannot be shown to a user namespace of the container's own",
            where=f"--pid {request.pid}",
            how="add --userns host, if the policy lets you: then root inside is root outside",
        )
    return _shared(request, spec)


def _shared(request: Request, spec: Spec) -> list[Mount]:
    """Return the mounts of the IPC namespace that is shared, in the place of the container's own."""
    word = request.ipc or "private"
    if word in ("private", "shareable"):
        return []
    own = (SHM,) if word == "none" else (SHM, MQUEUE)
    spec.mounts = tuple([mount for mount in spec.mounts if mount.destination not in own])
    if word == "none":
        return []
    options = ("bind", *QUIET, "noidmap")  # its files have the owners that they have there
    return [Mount(destination=path, type="bind", source=path, options=options) for path in own if posix.access(path, posix.F_OK)]


def _no_such(kind: str, flag: str, word: str, known: tuple[str, ...]) -> HardenError:
    if kind == "network":
        how = ("" if word in _LATER else suggest(word, known)) or "none (the default), host or container:NAME"
        return HardenError(f"there is no network {word!r}{' yet' if word in _LATER else ''}", where=flag, how=how)
    if kind == "ipc" and word.startswith("container:"):
        how = "--ipc host, or a volume that both have for what is shared"
        return HardenError("another container's shared memory cannot be shown yet", where=f"{flag} {word}", how=how)
    return HardenError(f"{word!r} is no {kind} namespace", where=flag, how=suggest(word, known) or f"one of {', '.join(known)}")


def lay_ids(request: Request, linux: Linux) -> None:
    """Choose which ids of this machine the ids inside stand for."""
    if request.userns == "host":
        if posix.geteuid() != 0:
            raise HardenError("without ids of its own only root can start a container", where="--userns host", how="leave it out")
        if request.uid_maps or request.gid_maps:
            raise HardenError("--userns host has no ids of its own", where="--uidmap, --gidmap", how="leave one of them out")
        linux.namespaces = tuple([namespace for namespace in linux.namespaces if namespace.type != "user"])
        linux.uid_mappings = linux.gid_mappings = ()
        return
    if request.uid_maps or request.gid_maps:
        linux.uid_mappings = _maps(request.uid_maps or request.gid_maps, "--uidmap")
        linux.gid_mappings = _maps(request.gid_maps or request.uid_maps, "--gidmap")
    elif request.userns not in (None, "auto", "private"):
        linux.uid_mappings, linux.gid_mappings = _range(request.userns or "")
    else:
        linux.uid_mappings, linux.gid_mappings = idmaps.own()


def _range(text: str) -> tuple[tuple[IdMapping, ...], tuple[IdMapping, ...]]:
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        how = suggest(text, ["auto", "host"]) or "auto (the default), host, or UID:GID:SIZE: the first of the ids on this machine"
        raise HardenError(f"{text!r} is not a user namespace", where="--userns", how=how)
    uid, gid, size = map(int, parts)
    return (IdMapping(container_id=0, host_id=uid, size=size),), (IdMapping(container_id=0, host_id=gid, size=size),)


def _maps(texts: list[str], flag: str) -> tuple[IdMapping, ...]:
    made = []
    for text in texts:
        parts = text.split(":")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise HardenError(f"{text!r} maps no ids", where=flag, how="write INSIDE:OUTSIDE:SIZE, such as 0:100000:65536")
        inside, outside, size = map(int, parts)
        made.append(IdMapping(container_id=inside, host_id=outside, size=size))
    return tuple(made)


# --- privileges ---------------------------------------------------------------------------------------------------------------


def lay_capabilities(request: Request, process: Process) -> None:
    """Give the capabilities of the policy, without what is dropped, with what is added; ambient too where the user is not root."""
    given = process.capabilities.bounding if process.capabilities is not None else ()
    own = [name.removeprefix("CAP_") for name in given]
    added, dropped = _names(request.capabilities_added, "--cap-add"), _names(request.capabilities_dropped, "--cap-drop")
    if request.privileged or ALL in added:
        held = [name for name in CAPABILITIES if name not in dropped or ALL in dropped]
    else:
        kept = [] if ALL in dropped else [name for name in own if name not in dropped]
        held = [*dict.fromkeys([*kept, *added])]
    names = tuple([f"CAP_{name}" for name in held])
    user = process.user
    kept_by_user = names if user is not None and user.uid else ()  # ambient needs inheritable; root needs neither (CVE-2022-24769)
    process.capabilities = Capabilities(bounding=names, effective=names, permitted=names, inheritable=kept_by_user, ambient=kept_by_user)


def _names(words: list[str], flag: str) -> list[str]:
    return [ALL if word.upper() == ALL else CAPABILITIES[privileges.number(word, flag)] for word in words]


def lay_security(request: Request, spec: Spec, linux: Linux, process: Process) -> None:
    """Apply `--security-opt` and `--privileged`."""
    label: dict[str, str] = {}
    for text in request.security:
        where = f"--security-opt {text}"
        at = min((at for at in (text.find("="), text.find(":")) if at >= 0), default=len(text))
        name, value = text[:at], text[at + 1 :]
        if name == "no-new-privileges":
            process.no_new_privileges = values.boolean(value, where) if value else True
        elif name == "seccomp":
            _seccomp(value, linux, where)
        elif name == "apparmor":
            process.apparmor_profile = None if value == "unconfined" else _given(value, where)
        elif name == "label":
            process.selinux_label = _label(value, label, where)
        elif name == "systempaths" and value == "unconfined":
            linux.masked_paths = linux.readonly_paths = ()
        elif name in ("mask", "unmask") and value:
            _paths(name, value, linux, where)
        elif name == "ptrace" and value in ("", "on", "true"):
            from hardener.policies.runtime import with_ptrace

            linux.seccomp = with_ptrace(linux.seccomp)
        elif name == "landlock" and value in ("off", "on"):
            spec.annotations = {**(spec.annotations or {}), LANDLOCK: value}
        else:
            known = ("seccomp", "apparmor", "no-new-privileges", "label", "systempaths", "landlock", "ptrace", "mask", "unmask")
            how = suggest(name, known) if name not in known else ""
            raise HardenError(f"unknown security option {text!r}", where="--security-opt", how=how or f"known: {', '.join(known)}")
    if process.selinux_label and label and label.keys() != {*_SELINUX}:
        raise HardenError(
            "this is not a whole SELinux label",
            where="--security-opt label=…",
            how="give all of label=user:U, label=role:R, label=type:T and label=level:L",
        )
    if request.privileged:
        linux.seccomp = None
        linux.masked_paths = linux.readonly_paths = ()
        process.apparmor_profile = process.selinux_label = None
        spec.annotations = {**(spec.annotations or {}), LANDLOCK: "off"}
        if linux.resources is not None:
            linux.resources.devices = (DeviceRule(allow=True, access="rwm"),)


def _paths(name: str, value: str, linux: Linux, where: str) -> None:
    """Hide paths, or show them again, as podman does: `unmask=/proc/acpi:/proc/bus`, `unmask=ALL`."""
    paths = value.split(":")
    if not all(path.startswith("/") for path in paths) and (name, value) != ("unmask", ALL):
        raise HardenError("these are not absolute paths", where=where, how=f"write {name}=/proc/a:/proc/b")
    if name == "mask":
        linux.masked_paths = tuple(dict.fromkeys((*linux.masked_paths, *paths)))
        return
    linux.masked_paths = tuple([path for path in linux.masked_paths if value != ALL and path not in paths])
    linux.readonly_paths = tuple([path for path in linux.readonly_paths if value != ALL and path not in paths])


def _given(value: str, where: str) -> str:
    if not value:
        raise HardenError("there is nothing behind the =", where=where, how="write a value there")
    return value


def _seccomp(value: str, linux: Linux, where: str) -> None:
    if value == "unconfined":
        linux.seccomp = None
    elif value == "builtin":
        return  # the policy's
    else:
        from hardener.oci import json_text
        from hardener.policies import seccomp

        seccomp.load(_given(value, where))  # says what is wrong with it, and where
        with open(seccomp.find(value), encoding="utf-8") as file:
            linux.seccomp = json_text.scan(file.read().strip())


def _label(value: str, given: dict[str, str], where: str) -> str | None:
    """Return the label so far; `given` collects the four parts of one, as docker takes them one by one."""
    if value == "disable":
        return None
    key, colon, part = value.partition(":")
    if key in _SELINUX and colon and part:
        given[key] = part
        return ":".join([given.get(each, "") for each in _SELINUX])
    if value.count(":") >= 3:
        given.update(zip(_SELINUX, value.split(":", 3), strict=True))
        return value
    raise HardenError(f"{value!r} is not an SELinux label", where=where, how="user:, role:, type: or level: and a name, or disable")
