"""Volumes, mounts, tmpfs and devices: the words of `docker run` as entries of a specification."""

from __future__ import annotations

import posix

from hardener import launch
from hardener.errors import HardenError, suggest
from hardener.launch import values
from hardener.linux import mounting
from hardener.oci.runtime import Device, DeviceRule, Mount
from hardener.runtime.mounts import COPY_UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.provenance import Provenance
    from hardener.launch.request import Request
    from hardener.oci.runtime import Spec
    from hardener.policies.runtime import Runtime
    from hardener.runtime.places import Places

SHM: Final = "/dev/shm"  # noqa: S108  (the container's)
OPPOSITES: Final = {"nosuid": "suid", "nodev": "dev", "noexec": "exec", "ro": "rw"}
SAFE: Final = ("nosuid", "nodev")
_SWITCHES: Final = (
    *("ro", "rw", "nosuid", "nodev", "noexec", "suid", "dev", "exec", "noatime", "nodiratime", "relatime", "strictatime", "nosymfollow"),
)
_PROPAGATIONS: Final = ("private", "rprivate", "slave", "rslave", "shared", "rshared")
_RELABELLING: Final = ("z", "Z")
_VOLUME_OPTIONS: Final = (
    *(*_SWITCHES, *_PROPAGATIONS, *_RELABELLING, "idmap", "noidmap", "nocopy", "copy", "bind", "rbind", "bind-nonrecursive"),
    *("cached", "consistent", "delegated"),  # docker's, for other systems than Linux
)
_TMPFS_VALUES: Final = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge")
_ALIASES: Final = {"src": "source", "dst": "destination", "target": "destination", "ro": "readonly"}
_MOUNT_KEYS: Final = {
    "": ("type", "source", "destination", "readonly", "rw", "consistency"),
    "bind": ("bind-propagation", "bind-nonrecursive", "bind-recursive", "idmap", "noidmap"),
    "volume": ("volume-nocopy", "volume-driver", "volume-label", "volume-opt", "volume-subpath"),
    "tmpfs": ("tmpfs-size", "tmpfs-mode", COPY_UP),
    "image": ("image-subpath",),
}
KERNELS: Final = ("/proc/", "/sys/", "/dev/")  # filesystems in which no folder can be made for a volume
_LATER: Final = ("volume-driver", "volume-label", "volume-opt", "volume-subpath", "image-subpath")


class Files:
    """What is mounted, which of it begins with what the root has there, and the volumes to be made.

    `mounts` are for the policy to judge; `stored` are ours, for which a policy has no paths: volumes and images. `anonymous` are volumes
    that this container alone uses: nobody can name them. `notices` are what a user should know.
    """

    __slots__ = ("anonymous", "asked", "copy_up", "mounts", "notices", "places", "provenance", "stored", "volumes")

    def __init__(self, places: Places, asked: tuple[str, ...]) -> None:
        self.places = places
        self.asked = asked  # the options that a policy asks of every bind: given, unless the opposite is written out
        self.mounts: list[Mount] = []
        self.stored: list[Mount] = []
        self.copy_up: list[str] = []
        self.volumes: list[str] = []
        self.anonymous: list[str] = []
        self.notices: list[str] = []
        self.provenance: Provenance | None = None


def lay(
    request: Request, spec: Spec, runtime: Runtime, places: Places, image_volumes: tuple[str, ...], provenance: Provenance | None = None
) -> Files:
    """Add to a specification what a request mounts; nothing is made on this machine yet. `provenance`: what a policy asks of images."""
    asked = runtime.mounts.options if runtime.mounts is not None else ()
    found = Files(places, asked)
    found.provenance = provenance
    for text in request.tmpfs:
        path, _, rest = text.partition(":")
        _tmpfs(path, [word for word in rest.split(",") if word], spec, runtime, found, f"--tmpfs {text}")
    for text in request.volumes:
        _volume(text, found)
    for text in request.mounts:
        _mount(text, spec, runtime, found)
    taken: list[str] = []
    for mount in (*found.mounts, *found.stored):
        mount.destination = _normal(mount.destination)
        if mount.destination in taken:
            raise HardenError(f"two mounts on {mount.destination}", where="--volume, --mount, --tmpfs", how="leave one of them")
        taken.append(mount.destination)
    for path in image_volumes:
        _image_volume(_normal(_destination(path, "the image's VOLUME")), taken, spec, found)
    # What is mounted replaces what a policy mounts at the same place (/tmp), and comes after what it lies on.
    spec.mounts = (*[mount for mount in spec.mounts if _normal(mount.destination) not in taken], *found.mounts)
    if request.shm_size is not None:
        for mount in spec.mounts:
            if mount.destination == SHM and mount.type == "tmpfs":
                mount.options = (*[word for word in mount.options if not word.startswith("size=")], f"size={request.shm_size}")
    return found


def _image_volume(path: str, taken: list[str], spec: Spec, found: Files) -> None:
    """Make a volume where the image wants one; not where a user or the policy mounts, nor in the kernel's filesystems."""
    if path in taken:
        return
    there = next((mount for mount in spec.mounts if _normal(mount.destination) == path), None)
    if f"{path}/".startswith(KERNELS):
        found.notices.append(f"the image's VOLUME {path!r} is left out: what is there comes from the kernel")
    elif there is None:
        _named("", path, [], found, "the image's VOLUME")
    elif there.type == "tmpfs":
        found.copy_up.append(path)


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
        device = path.startswith("/dev/")
        how = "`ls /dev` shows what this machine has" if device else "make it first: unlike docker, nothing is made by mistake"
        raise HardenError(f"{path} does not exist", where=where, how=how) from None
    except OSError as error:
        raise HardenError(f"{path} cannot be opened: {posix.strerror(error.errno or 0)}", where=where, how="see whose it is") from None
    try:
        return posix.readlink(f"/proc/self/fd/{fd}")
    finally:
        posix.close(fd)


def _volume(text: str, found: Files) -> None:
    where = f"--volume {text}"
    parts = text.split(":")
    if len(parts) > 3 or not all(parts):
        raise HardenError(f"{text!r} is not a volume", where="--volume", how="write SOURCE:/DESTINATION, then :ro or :rw if you like")
    if len(parts) == 1:
        _named("", _destination(text, where), [], found, where)
        return
    source, destination = parts[0], _destination(parts[1], where)
    options = parts[2].split(",") if len(parts) == 3 else []
    for option in options:
        if option not in _VOLUME_OPTIONS:
            how = suggest(option, _VOLUME_OPTIONS) or "ro, rw, noexec, nocopy, rprivate or noidmap"
            raise HardenError(f"unknown option {option!r} of a volume", where=where, how=how)
    _refuse_relabelling(options, where)
    if source.startswith(("/", ".")):
        _bind(real(source, where), destination, options, found, where)
    else:
        _named(source, destination, options, found, where)


def _refuse_relabelling(options: list[str], where: str) -> None:
    if any(option in _RELABELLING for option in options):
        try:
            posix.stat("/sys/fs/selinux/enforce")
        except OSError:
            return  # nothing has labels here, so there is none to change: docker does nothing either
        raise HardenError("labels of files are not changed", where=where, how="leave out :z and label them with chcon(1) if you must")


def _words(options: list[str], asked: tuple[str, ...]) -> tuple[str, ...]:
    kept = [word for word in options if word in (*_SWITCHES, *_PROPAGATIONS, "idmap", "noidmap")]
    safe = [word for word in dict.fromkeys((*SAFE, *asked)) if word not in kept and OPPOSITES[word] not in kept]
    recursive = "bind" if "bind-nonrecursive" in options else "rbind"
    return (recursive, *safe, *kept, *([] if "ro" in (*safe, *kept) or "rw" in kept else ["rw"]))


def _bind(source: str, destination: str, options: list[str], found: Files, where: str) -> None:
    words = _words(options, found.asked)
    _refuse_ours(source, found, where, readonly="ro" in words)
    found.mounts.append(Mount(destination=destination, type="bind", source=source, options=words))


def _refuse_ours(source: str, found: Files, where: str, *, readonly: bool) -> None:
    """Keep containers away from our own folders: from there records and code are executed, outside, with the rights of who runs us.

    To hide them inside is not enough, as what lies above could be renamed. What is in `run` are sockets, which a read-only mount keeps
    nobody from.
    """
    from hardener.policies.runtime import below

    places = found.places
    for folder in (places.run,) if readonly else (places.run, places.data, places.cache):
        at = _without_links(folder)
        if below(at, source) or below(source, at):
            what = "the sockets" if folder == places.run else "the records" if folder == places.data else "code"
            how = "mount a folder beside it" if readonly or folder == places.run else "add :ro, or mount a folder below or beside it"
            raise HardenError(f"in {at} hardener keeps {what} of its own, for no container to touch", where=where, how=how)
    code = _without_links(launch.__path__[0]).rpartition("/")[0]
    if not readonly and (below(code, source) or below(source, code)):  # an environment inside of a project: common, and not to be refused
        found.notices.append(
            f"{where}: the container can change hardener's own code in {code}; :ro, or an installation elsewhere, keeps it"
        )


def _without_links(path: str) -> str:
    """Return a path without symbolic links as far as there is something; the rest is still to be made."""
    rest = ""
    while path:
        try:
            return real(path, path).rstrip("/") + rest
        except HardenError:
            path, _, name = path.rpartition("/")
            rest = f"/{name}{rest}"
    return rest


def _named(name: str, destination: str, options: list[str], found: Files, where: str) -> None:
    """Mount a volume; one without a name is the container's alone."""
    from hardener.runtime import volumes

    if not name:
        name = posix.urandom(32).hex()
        found.anonymous.append(name)
    else:
        volumes.check_name(name, where)
        found.volumes.append(name)
    path = volumes.folder(found.places, name)
    found.stored.append(Mount(destination=destination, type="bind", source=path, options=_words(options, found.asked)))
    if "nocopy" not in options and "ro" not in options:
        found.copy_up.append(destination)


def _tmpfs(path: str, words: list[str], spec: Spec, runtime: Runtime, found: Files, where: str) -> None:
    _destination(path, where)
    for word in words:
        name, equals, value = word.partition("=")
        if name in (COPY_UP, "notmpcopyup") and not equals:
            continue
        if not (value and name in _TMPFS_VALUES if equals else name in (*_SWITCHES, *_PROPAGATIONS)):
            how = suggest(name, (*_SWITCHES, *_TMPFS_VALUES, COPY_UP)) or "size=64m, mode=1777, ro, exec, tmpcopyup …"
            raise HardenError(f"unknown option {word!r} of a tmpfs", where=where, how=how)
    if COPY_UP in words:
        found.copy_up.append(_normal(path))
    # What is not said is as it is there already, or as the policy has it for any.
    there = next((mount for mount in spec.mounts if _normal(mount.destination) == _normal(path) and mount.type == "tmpfs"), None)
    wanted = (runtime.tmpfs or {}).get("*")
    options = [*there.options] if there is not None else [*SAFE, "noexec", "mode=1777"]
    if there is None and wanted is not None and wanted.size is not None:
        options.append(f"size={wanted.size}")
    for word in words:
        name, _, value = word.partition("=")
        if name in (COPY_UP, "notmpcopyup", "rw", *_PROPAGATIONS):
            continue
        if name == "size" and not value.endswith("%"):
            word = f"size={values.size(value, where)}"
        undone = next((no for no, yes in OPPOSITES.items() if yes == word), "")
        options = [old for old in options if old.partition("=")[0] not in (name, undone)]
        if not undone:
            options.append(word)
    found.mounts.append(Mount(destination=path, type="tmpfs", source="tmpfs", options=tuple(options)))


def _mount(text: str, spec: Spec, runtime: Runtime, found: Files) -> None:
    where = f"--mount {text}"
    given: dict[str, str | None] = {}
    for key, value in values.csv(text, where):
        name = _ALIASES.get(key, key)
        if name in given:
            raise HardenError(f"{name} is given twice", where=where, how="leave one of them")
        given[name] = value
    kind = given.get("type") or "volume"
    if kind not in _MOUNT_KEYS or not kind:
        kinds = tuple(filter(None, _MOUNT_KEYS))
        raise HardenError(f"{kind!r} is no type of mount", where=where, how=suggest(kind, kinds) or f"one of {', '.join(kinds)}")
    known = (*_MOUNT_KEYS[""], *_MOUNT_KEYS[kind])
    for key, word in given.items():
        if key not in known:
            how = suggest(key, (*known, *_ALIASES)) or f"one of {', '.join(known)}"
            raise HardenError(f"unknown key {key!r} of a {kind} mount", where=where, how=how)
        if key in _LATER and word != "local":
            raise HardenError(
                f"{key} is not there yet", where=where, how="leave it out; `harden volume create --label` makes volumes with labels"
            )
    source, destination = given.get("source") or "", given.get("destination") or ""
    if not destination:
        raise HardenError("a mount needs a destination", where=where, how="add destination=/PATH")
    _destination(destination, where)
    options = ["ro"] if _switch(given, "readonly", where) or given.get("rw") == "false" else []
    if kind == "tmpfs":
        if source:
            raise HardenError("a tmpfs has no source", where=where, how="leave it out")
        options += [f"{name}={given[f'tmpfs-{name}']}" for name in ("size", "mode") if given.get(f"tmpfs-{name}")]
        options += [COPY_UP] if _switch(given, COPY_UP, where) else []
        _tmpfs(destination, options, spec, runtime, found, where)
    elif kind == "volume":
        options += ["nocopy"] if _switch(given, "volume-nocopy", where) else []
        _named(source, destination, options, found, where)
    elif not source:
        raise HardenError(f"a {kind} mount needs a source", where=where, how="add source=…")
    elif kind == "image":
        _image(source, destination, found, where)
    else:
        if not source.startswith(("/", ".")):
            how = f"write ./{source}, or type=volume for a named volume"
            raise HardenError(f"the source {source!r} is not a path", where=where, how=how)
        _bind(real(source, where), destination, [*options, *_binding(given, where)], found, where)


def _binding(given: dict[str, str | None], where: str) -> list[str]:
    options = ["noidmap"] if _switch(given, "noidmap", where) else []
    if (propagation := given.get("bind-propagation")) is not None:
        if propagation not in _PROPAGATIONS:
            how = suggest(propagation, _PROPAGATIONS) or ", ".join(_PROPAGATIONS)
            raise HardenError(f"unknown propagation {propagation!r}", where=where, how=how)
        options.append(propagation)
    recursive = given.get("bind-recursive") or "enabled"
    if recursive not in ("enabled", "disabled", "writable", "readonly"):
        raise HardenError(f"bind-recursive cannot be {recursive!r}", where=where, how="enabled, disabled, writable or readonly")
    return [*options, *(["bind-nonrecursive"] if recursive == "disabled" or _switch(given, "bind-nonrecursive", where) else [])]


def _image(source: str, destination: str, found: Files, where: str) -> None:
    from hardener.launch import images

    layers = images.find(source, found.places, provenance=found.provenance).layers
    if any(":" in layer or "\\" in layer for layer in layers):
        raise HardenError("the folder of its layers has a colon in its name", where=where, how="set HARDENER_ROOT to another folder")
    lower = f"lowerdir={':'.join(reversed(layers))}"
    found.stored.append(Mount(destination=destination, type="overlay", source="overlay", options=(*SAFE, "ro", lower)))


def _switch(given: dict[str, str | None], key: str, where: str) -> bool:
    if key not in given:
        return False
    value = given[key]
    return value is None or values.boolean(value, f"{where}: {key}")


# --- devices ------------------------------------------------------------------------------------------------------------------


def devices(texts: list[str], rules: list[str]) -> tuple[list[Device], list[DeviceRule], list[Mount]]:
    """Return nodes, rules and binds for `--device HOST[:CONTAINER[:rwm]]` and `--device-cgroup-rule`.

    A device with another name inside is bound there; a folder stands for all devices in it, as with docker.
    """
    nodes: list[Device] = []
    allowed: list[DeviceRule] = []
    bound: list[Mount] = []
    for text in texts:
        where = f"--device {text}"
        parts = text.split(":")
        if len(parts) == 2 and parts[1] and set(parts[1]) <= set("rwm"):
            parts = [parts[0], parts[0], parts[1]]
        inside, access = (parts[1] if len(parts) > 1 else parts[0]), (parts[2] if len(parts) > 2 else "rwm")
        names = all(name.startswith("/dev/") and _normal(name).startswith("/dev/") for name in (parts[0], inside))
        if len(parts) > 3 or not names or not access or not set(access) <= set("rwm"):
            raise HardenError(f"{text!r} is not a device", where="--device", how="write /dev/NAME, /dev/NAME:/dev/OTHER or /dev/NAME:rw")
        for path, kind, number, mode in _nodes(real(parts[0], where), where):
            target = _normal(inside) + path[len(real(parts[0], where)) :]
            major, minor = posix.major(number), posix.minor(number)
            allowed.append(DeviceRule(allow=True, type=kind, major=major, minor=minor, access=access))
            if path == target:
                nodes.append(Device(path=path, type=kind, major=major, minor=minor, file_mode=mode))
            else:
                bound.append(Mount(destination=target, type="bind", source=path, options=("bind", "nosuid", "noexec", "dev", "noidmap")))
    return nodes, [*allowed, *(_rule(text) for text in rules)], bound


def _nodes(path: str, where: str) -> list[tuple[str, str, int, int]]:
    """Return (path, type, number, mode) of a device, or of all below a folder."""
    found = posix.lstat(path)
    kind = {0o020000: "c", 0o060000: "b"}.get(found.st_mode & 0o170000)
    if kind is not None:
        return [(path, kind, found.st_rdev, found.st_mode & 0o777)]
    if found.st_mode & 0o170000 != 0o040000:
        raise HardenError(f"{path} is not a device", where=where, how="-v binds files and folders")
    names = [
        name for name in sorted(posix.listdir(path)) if posix.lstat(f"{path}/{name}").st_mode & 0o170000 in (0o020000, 0o060000, 0o040000)
    ]
    return [node for name in names for node in _nodes(f"{path}/{name}", where)]


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
