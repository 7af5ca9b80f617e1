"""Named volumes: folders of ours that outlive the containers they are bound into.

    DATA/volumes/NAME/volume.json    when it was made, and its labels
    DATA/volumes/NAME/_data          what containers see

What is in a volume belongs to the ids of the container as they are numbered inside: an id-mapped mount shows it so to each container,
whatever ids of this machine it runs with, and nothing is ever chowned. Its set-user-id programs would be real ones of this machine, so
nobody else gets past the folders above. A volume appears and goes by renaming, so that nobody sees half of one.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.oci import json_text
from hardener.oci.fields import BOOLEAN, STRING, WORDS, Fields, Kind
from hardener.runtime.places import ensure, listed, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import ClassVar, Final

    from hardener.runtime.places import Places

EEXIST, ENOTEMPTY = 17, 39
LONGEST: Final = 255
# As docker has them: at least two characters, so that no folder of one letter is taken for a volume.
_FIRST: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_LETTERS: Final = _FIRST | frozenset("_.-")


class Volume(Fields):
    """What volume.json holds; `path` is the folder that is bound. An `anonymous` one was made without a name being given."""

    __slots__ = ("anonymous", "created_at", "labels", "name", "path")
    TABLE: ClassVar = {
        "name": ("name!", STRING),
        "created_at": ("createdAt", Kind(STRING.parse, "")),
        "labels": ("labels", WORDS),
        "anonymous": ("anonymous", Kind(BOOLEAN.parse, False)),
    }
    name: str
    created_at: str
    labels: dict[str, str] | None
    anonymous: bool
    path: str


def check_name(name: str, where: str = "") -> None:
    """Refuse what is not a name for a volume."""
    if len(name) < 2 or len(name) > LONGEST or name[0] not in _FIRST or not _LETTERS.issuperset(name):
        how = "at least two of letters, digits, '_', '.' and '-', a letter or digit first; a path starts with / or ./"
        raise HardenError(f"{name!r} is not a name for a volume", where=where, how=how)


def folder(places: Places, name: str) -> str:
    """Return the folder that is bound for a volume, whether it is there or not."""
    return f"{places.data}/volumes/{name}/_data"


def find(places: Places, name: str) -> Volume | None:
    """Return a volume; None when there is none of that name."""
    check_name(name)
    folder = f"{places.data}/volumes/{name}"
    try:
        text = procfs.read(f"{folder}/volume.json")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise trouble(error, folder) from error
    try:
        volume = Volume.parse(json_text.scan(text))
    except (ValueError, HardenError) as error:
        raise HardenError("this is not what a volume is described by", where=f"{folder}/volume.json", how=f"remove {folder}") from error
    volume.path = f"{folder}/_data"
    return volume


def volumes(places: Places) -> list[Volume]:
    """Return all volumes by name; what a killed command has left is swept away."""
    home = f"{places.data}/volumes"
    names = listed(home)
    for name in names:
        if name.startswith(".") and not _alive(name):
            _delete(f"{home}/{name}")
    return [volume for name in sorted(names) if not name.startswith(".") and (volume := find(places, name)) is not None]


def use(places: Places, name: str) -> Volume:
    """Return a volume, made if need be: what `--volume NAME:/PATH` names."""
    return find(places, name) or create(places, name)


def create(places: Places, name: str = "", labels: Mapping[str, str] | None = None, *, anonymous: bool = False) -> Volume:
    """Make a volume; one that is there stays as it is and is returned, as docker does. Without a name it gets one of its own.

    An `anonymous` one has a name that nobody has chosen.
    """
    anonymous = anonymous or not name
    name = name or posix.urandom(32).hex()
    if (there := find(places, name)) is not None:
        if labels and labels != there.labels:
            raise HardenError(f"there is a volume {name} with other labels", where="--label", how="remove it first, or leave them out")
        return there
    home = f"{places.data}/volumes"
    ensure(home)
    made = Volume(name=name, created_at=_now(), labels=dict(labels or {}) or None, anonymous=anonymous)
    made.path = f"{home}/{name}/_data"
    scratch = f"{home}/.new-{posix.getpid()}-{name}"[:LONGEST]
    try:
        posix.mkdir(scratch, 0o700)
        posix.mkdir(f"{scratch}/_data", 0o755)
        _write(f"{scratch}/volume.json", made)
        posix.rename(scratch, f"{home}/{name}")
    except OSError as error:
        _delete(scratch)
        if error.errno not in (EEXIST, ENOTEMPTY):
            raise trouble(error, scratch) from error
        there = find(places, name)  # another command was faster
        if there is None:
            raise HardenError("this folder is no volume of ours", where=f"{home}/{name}", how="remove it") from error
        return there
    return made


def remove(places: Places, volume: Volume) -> None:
    """Remove a volume and all that is in it; refuse one that a container uses."""
    if used := users(places, volume):
        raise HardenError(f"the volume {volume.name} is in use", where=", ".join(used), how="remove that container first")
    home = f"{places.data}/volumes"
    gone = f"{home}/.old-{posix.getpid()}-{volume.name}"[:LONGEST]
    try:
        posix.rename(f"{home}/{volume.name}", gone)
    except FileNotFoundError:  # another command was faster
        return
    except OSError as error:
        raise trouble(error, volume.path) from error
    _delete(gone)


def users(places: Places, volume: Volume) -> list[str]:
    """Return which containers use a volume: those with a record by name, others that run by `process N`."""
    found = [name for name, sources in _recorded(places) if volume.path in sources]
    return found or [f"process {pid}" for pid in _processes(volume.path)]


def _recorded(places: Places) -> Iterator[tuple[str, set[object]]]:
    home = f"{places.data}/containers"
    for name in listed(home):
        try:
            job = json_text.scan(procfs.read(f"{home}/{name}/job.json", 1 << 24))
        except (OSError, ValueError):  # gone meanwhile, or damaged: `harden ps` says so
            continue
        spec = job.get("spec") if isinstance(job, dict) else None
        mounts = spec.get("mounts") if isinstance(spec, dict) else None
        yield name, {mount.get("source") for mount in mounts or () if isinstance(mount, dict)}


def _processes(path: str) -> Iterator[int]:
    """Yield a process of each mount namespace that shows a folder; as an ordinary user those of one's own."""
    wanted = _in_its_filesystem(path)
    seen = {posix.readlink("/proc/self/ns/mnt")}
    for name in posix.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            namespace = posix.readlink(f"/proc/{name}/ns/mnt")
            if namespace in seen:
                continue
            seen.add(namespace)
            table = procfs.read(f"/proc/{name}/mountinfo", 1 << 24)
        except OSError:  # it has ended, or is somebody else's
            continue
        if any((mount.device, mount.root) == wanted for mount in procfs.parse_mounts(table)):
            yield int(name)


def _in_its_filesystem(path: str) -> tuple[str, str]:
    """Return the device of a folder's filesystem and its path in there: what every mount of it shows, wherever it is."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        path = posix.readlink(f"/proc/self/fd/{fd}")  # without links
    finally:
        posix.close(fd)
    table = procfs.parse_mounts(procfs.read("/proc/self/mountinfo", 1 << 24))
    above = [mount for mount in table if f"{path}/".startswith(f"{mount.point.rstrip('/')}/")]
    mount = max(enumerate(above), key=lambda row: (len(row[1].point), row[0]))[1]  # of two at one place the later covers the earlier
    return mount.device, mount.root.rstrip("/") + path[len(mount.point.rstrip("/")) :]


def _alive(name: str) -> bool:
    pid = name.split("-")[1] if name.count("-") > 1 else ""
    try:
        posix.stat(f"/proc/{pid}")
    except FileNotFoundError:
        return False
    return pid.isdigit()


def _delete(folder: str) -> None:
    from hardener.runtime.removal import remove_tree

    try:
        remove_tree(folder)
    except OSError as error:
        raise trouble(error, error.filename if isinstance(error.filename, str) else folder) from error


def _write(path: str, volume: Volume) -> None:
    from json import dumps

    fd = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
    try:
        posix.write(fd, dumps(volume.dump()).encode())
    finally:
        posix.close(fd)


def _now() -> str:
    from time import gmtime, strftime

    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
