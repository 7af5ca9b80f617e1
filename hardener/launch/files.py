"""Volumes, mounts, tmpfs and devices: the words of `docker run` as entries of a specification."""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.launch import values
from hardener.linux import mounting
from hardener.oci.runtime import Device, DeviceRule, Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.request import Request
    from hardener.oci.runtime import Spec
    from hardener.policies.runtime import Runtime
    from hardener.runtime.places import Places

SHM: Final = "/dev/shm"  # noqa: S108  (the container's)
_VOLUME_OPTIONS: Final = (
    *("ro", "rw", "nosuid", "nodev", "noexec", "suid", "dev", "exec", "idmap", "noidmap", "nocopy", "private", "rprivate", "slave"),
    *("rslave", "shared", "rshared"),
)
_TMPFS_SWITCHES: Final = (
    *("ro", "rw", "nosuid", "nodev", "noexec", "suid", "dev", "exec", "noatime", "nodiratime", "relatime", "strictatime", "nosymfollow"),
)
_TMPFS_VALUES: Final = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge")
COPY_UP: Final = "tmpcopyup"
_MOUNT_KEYS: Final = {
    "": ("type", "source", "src", "destination", "dst", "target", "readonly", "ro", "rw"),
    "bind": ("bind-propagation", "bind-nonrecursive", "bind-recursive", "consistency", "idmap", "noidmap"),
    "volume": ("volume-nocopy",),
    "tmpfs": ("tmpfs-size", "tmpfs-mode", "tmpcopyup"),
    "image": ("image-subpath",),
}
_PROPAGATIONS: Final = ("private", "rprivate", "slave", "rslave", "shared", "rshared")


class Files:
    """What is mounted: entries of the specification, which of them begin with what the root has there, and named volumes, to be made."""

    __slots__ = ("copy_up", "mounts", "volumes")

    def __init__(self) -> None:
        self.mounts: list[Mount] = []
        self.copy_up: list[str] = []
        self.volumes: list[str] = []


def lay(request: Request, spec: Spec, runtime: Runtime, places: Places) -> Files:
    """Add to a specification what a request mounts; nothing is made on this machine yet."""
    found = Files()
    for text in request.tmpfs:
        _tmpfs(text, runtime, found)
    for text in request.volumes:
        _volume(text, places, found)
    for text in request.mounts:
        _mount(text, runtime, places, found)
    taken: dict[str, str] = {}
    for mount in found.mounts:
        path = _normal(mount.destination)
        if path in taken:
            raise HardenError(f"two mounts on {path}", where="--volume, --mount, --tmpfs", how="leave one of them")
        taken[path] = ""
    # What is mounted replaces what a policy mounts at the same place (/tmp), and comes after what it lies on.
    kept = [mount for mount in spec.mounts if _normal(mount.destination) not in taken]
    spec.mounts = (*kept, *sorted(found.mounts, key=lambda mount: _normal(mount.destination).count("/")))
    if request.shm_size is not None:
        for mount in spec.mounts:
            if mount.destination == SHM and mount.type == "tmpfs":
                mount.options = (*[word for word in mount.options if not word.startswith("size=")], f"size={request.shm_size}")
    return found


def _normal(path: str) -> str:
    from hardener.policies.runtime import normal

    return normal(path)


def _destination(path: str, where: str) -> str:
    if not path.startswith("/"):
        raise HardenError(f"the destination {path!r} is not absolute", where=where, how="a path in the container starts with /")
    if _normal(path) == "/":
        raise HardenError("a mount on / would hide the root", where=where, how="give another root instead")
    return path


def real(path: str, where: str) -> str:
    """Return the path without symbolic links of something on this machine that is there: what is judged is what is mounted."""
    try:
        fd = mounting.open_path(path)
    except FileNotFoundError:
        how = "make it first: unlike docker, nothing is made by mistake" if not path.startswith("/dev/") else ""
        raise HardenError(f"{path} does not exist", where=where, how=how) from None
    except OSError as error:
        raise HardenError(f"{path} cannot be opened: {posix.strerror(error.errno or 0)}", where=where) from None
    try:
        return posix.readlink(f"/proc/self/fd/{fd}")
    finally:
        posix.close(fd)


def _volume(text: str, places: Places, found: Files) -> None:
    where = f"--volume {text}"
    parts = text.split(":")
    if len(parts) == 1:
        raise HardenError(
            f"{text!r} would be a volume without a name", where="--volume", how=f"name it: --volume NAME:{text}, or use --tmpfs {text}"
        )
    if len(parts) > 3 or not parts[0] or not parts[1].startswith("/"):
        raise HardenError(f"{text!r} is not a volume", where="--volume", how="write SOURCE:/DESTINATION, then :ro or :rw if you like")
    source, destination = parts[0], _destination(parts[1], where)
    options = parts[2].split(",") if len(parts) == 3 else []
    for option in options:
        if option in ("z", "Z"):
            raise HardenError("labels of files are not changed", where=where, how="leave out :z and label them with chcon(1) if you must")
        if option not in _VOLUME_OPTIONS:
            raise HardenError(
                f"unknown option {option!r} of a volume", where=where, how=suggest(option, _VOLUME_OPTIONS) or "ro, rw, noexec or noidmap"
            )
    if source.startswith(("/", ".")):
        _bind(real(source, where), destination, options, found)
    else:
        _named(source, destination, options, places, found, where)


def _bind(source: str, destination: str, options: list[str], found: Files, *, recursive: bool = True) -> None:
    safe = [word for word, opposite in (("nosuid", "suid"), ("nodev", "dev")) if opposite not in options and word not in options]
    words = ["rbind" if recursive else "bind", *safe, *options]
    if "ro" not in options and "rw" not in options:
        words.append("rw")
    found.mounts.append(Mount(destination=destination, type="bind", source=source, options=tuple(words)))


def _named(name: str, destination: str, options: list[str], places: Places, found: Files, where: str) -> None:
    from hardener.runtime import volumes

    volumes.check_name(name, where)
    volume = volumes.find(places, name)
    path = volumes.folder(places, name) if volume is None else volume.path
    found.volumes.append(name)
    copy = "nocopy" not in options and "ro" not in options
    _bind(path, destination, [word for word in options if word != "nocopy"], found)
    if copy:
        found.copy_up.append(destination)


def _tmpfs(text: str, runtime: Runtime, found: Files, where: str = "--tmpfs") -> None:
    path, _, rest = text.partition(":")
    _destination(path, f"{where} {text}")
    words = [word for word in rest.split(",") if word]
    for word in words:
        name, equals, value = word.partition("=")
        if name in (COPY_UP, "notmpcopyup") and not equals:
            continue
        if (equals and name in _TMPFS_VALUES) or (not equals and name in _TMPFS_SWITCHES):
            if name == "size" and not value.endswith("%"):
                values.size(value, f"{where} {text}")
            continue
        how = suggest(name, (*_TMPFS_SWITCHES, *_TMPFS_VALUES, COPY_UP)) or "size=64m, mode=1777, ro, exec, tmpcopyup …"
        raise HardenError(f"unknown option {word!r} of a tmpfs", where=f"{where} {text}", how=how)
    if COPY_UP in words:
        found.copy_up.append(path)
    options = [word for word in words if word not in (COPY_UP, "notmpcopyup", "rw")]
    # What is not said is what the policy says of this tmpfs, or of any.
    known = runtime.tmpfs or {}
    wanted = known.get(_normal(path)) or known.get("*")
    for word in ("nosuid", "nodev", "noexec"):
        if word not in options and word.removeprefix("no") not in options:
            options.append(word)
    given = {word.partition("=")[0] for word in options}
    if wanted is not None:
        if wanted.size is not None and "size" not in given:
            options.append(f"size={wanted.size}")
        if wanted.mode is not None and "mode" not in given:
            options.append(f"mode={wanted.mode}")
    if "mode" not in given and not any(word.startswith("mode=") for word in options):
        options.append("mode=1777")
    found.mounts.append(
        Mount(
            destination=path, type="tmpfs", source="tmpfs", options=tuple([word for word in options if word not in ("suid", "dev", "exec")])
        )
    )


def _mount(text: str, runtime: Runtime, places: Places, found: Files) -> None:
    where = f"--mount {text}"
    given = dict(values.csv(text, where))
    kind = given.get("type") or "volume"
    if kind not in _MOUNT_KEYS or not kind:
        kinds = tuple(filter(None, _MOUNT_KEYS))
        raise HardenError(f"{kind!r} is no type of mount", where=where, how=suggest(kind, kinds) or f"one of {', '.join(kinds)}")
    for key in given:
        known = (*_MOUNT_KEYS[""], *_MOUNT_KEYS[kind])
        if key not in known:
            raise HardenError(
                f"unknown key {key!r} of a {kind} mount", where=where, how=suggest(key, known) or f"one of {', '.join(known)}"
            )
    source = given.get("source") or given.get("src") or ""
    destination = given.get("destination") or given.get("dst") or given.get("target") or ""
    if not destination:
        raise HardenError("a mount needs a destination", where=where, how="add destination=/PATH")
    _destination(destination, where)
    read_only = _switch(given, "readonly", where) or _switch(given, "ro", where) or given.get("rw") == "false"
    if kind == "tmpfs":
        if source:
            raise HardenError("a tmpfs has no source", where=where, how="leave it out")
        words = [f"size={given['tmpfs-size']}"] if given.get("tmpfs-size") else []
        words += [f"mode={given['tmpfs-mode']}"] if given.get("tmpfs-mode") else []
        words += ["ro"] if read_only else []
        words += [COPY_UP] if "tmpcopyup" in given else []
        _tmpfs(f"{destination}:{','.join(words)}", runtime, found, "--mount")
        return
    if not source:
        raise HardenError(f"a {kind} mount needs a source", where=where, how="add source=…")
    options = ["ro"] if read_only else []
    if kind == "bind":
        if not source.startswith(("/", ".")):
            raise HardenError(
                f"the source {source!r} is not a path", where=where, how=f"write ./{source}, or type=volume for a named volume"
            )
        propagation = given.get("bind-propagation")
        if propagation is not None and propagation not in _PROPAGATIONS:
            raise HardenError(
                f"unknown propagation {propagation!r}", where=where, how=suggest(propagation, _PROPAGATIONS) or ", ".join(_PROPAGATIONS)
            )
        options += [propagation] if propagation else []
        options += ["noidmap"] if _switch(given, "noidmap", where) else []
        recursive = not _switch(given, "bind-nonrecursive", where) and given.get("bind-recursive") != "disabled"
        _bind(real(source, where), destination, options, found, recursive=recursive)
    elif kind == "volume":
        options += ["nocopy"] if _switch(given, "volume-nocopy", where) else []
        _named(source, destination, options, places, found, where)
    else:
        raise HardenError("images cannot be mounted yet", where=where, how="bind an unpacked folder: type=bind,source=DIR,…,readonly")


def _switch(given: dict[str, str | None], key: str, where: str) -> bool:
    if key not in given:
        return False
    value = given[key]
    return value is None or values.boolean(value, f"{where}: {key}")


# --- devices ------------------------------------------------------------------------------------------------------------------


def devices(texts: list[str], rules: list[str]) -> tuple[list[Device], list[DeviceRule]]:
    """Return the nodes and the rules for `--device HOST[:CONTAINER[:rwm]]` and `--device-cgroup-rule`."""
    nodes, allowed = [], []
    for text in texts:
        where = f"--device {text}"
        parts = text.split(":")
        if len(parts) == 2 and parts[1] and set(parts[1]) <= set("rwm"):
            parts = [parts[0], parts[0], parts[1]]
        inside, access = (parts[1] if len(parts) > 1 else parts[0]), (parts[2] if len(parts) > 2 else "rwm")
        if (
            len(parts) > 3
            or not parts[0].startswith("/dev/")
            or not inside.startswith("/dev/")
            or not access
            or not set(access) <= set("rwm")
        ):
            raise HardenError(f"{text!r} is not a device", where="--device", how="write /dev/NAME, /dev/NAME:/dev/OTHER or /dev/NAME:rw")
        path = real(parts[0], where)
        found = posix.stat(path)
        kind = {0o020000: "c", 0o060000: "b"}.get(found.st_mode & 0o170000)
        if kind is None:
            raise HardenError(f"{parts[0]} is not a device", where=where, how="a folder of devices is not taken: name each")
        if path != inside and path != parts[0]:
            inside = inside if len(parts) > 1 else path
        major, minor = posix.major(found.st_rdev), posix.minor(found.st_rdev)
        nodes.append(Device(path=inside, type=kind, major=major, minor=minor, file_mode=found.st_mode & 0o777))
        allowed.append(DeviceRule(allow=True, type=kind, major=major, minor=minor, access=access))
    return nodes, [*allowed, *(_rule(text) for text in rules)]


def _rule(text: str) -> DeviceRule:
    parts = text.split()
    numbers = parts[1].split(":") if len(parts) == 3 else []
    if (
        len(parts) != 3
        or parts[0] not in ("a", "b", "c")
        or len(numbers) != 2
        or not all(number == "*" or (number.isascii() and number.isdigit()) for number in numbers)
        or not set(parts[2]) <= set("rwm")
    ):
        raise HardenError(f"{text!r} is not a rule for devices", where="--device-cgroup-rule", how="write like 'c 188:* rmw'")
    major, minor = (None if number == "*" else int(number) for number in numbers)
    return DeviceRule(allow=True, type=parts[0], major=major, minor=minor, access=parts[2])
