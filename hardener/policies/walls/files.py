"""What it can see and write: the root, mounts, /proc, hidden paths, devices."""

from __future__ import annotations

from hardener.oci.runtime import Mount
from hardener.policies.runtime import EVERY, HIDEPID, Grant, below, normal, size_text
from hardener.policies.walls.gap import Gap, Wall, add_option, has_option, is_bind, linux_of, resources_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from hardener.oci.runtime import Device, DeviceRule, Spec
    from hardener.policies.runtime import Runtime, Tmpfs

KINDS: Final = ("proc", "sysfs", "cgroup", "cgroup2", "tmpfs", "devpts", "mqueue")
"""Types of mounts that show nothing of the host by themselves; each other must be a bind mount."""

KERNEL_FILES: Final = ("sysfs", "cgroup", "cgroup2")
SHM: Final = "/dev/shm"  # noqa: S108  (the container's)
SHARING: Final = ("shared", "rshared", "slave", "rslave")
_UNITS: Final = {"k": 10, "m": 20, "g": 30, "t": 40}

# null, zero, full, random, urandom, tty, console, ptmx, and the terminals of devpts
ORDINARY: Final = (
    *(Grant(type="c", major=1, minor=minor, access="rwm") for minor in (3, 5, 7, 8, 9)),
    *(Grant(type="c", major=5, minor=minor, access="rwm") for minor in (0, 1, 2)),
    Grant(type="c", major=136, minor=None, access="rwm"),
)


def read_only_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield a root that can be written to, and the kernel's own files."""
    if not runtime.read_only:
        return
    if spec.root is not None and spec.root.readonly is not True:
        yield Gap("a root file system that can be written to", "read-only")
    for mount in spec.mounts:
        if mount.type in KERNEL_FILES and not is_bind(mount) and not has_option(mount.options, "ro"):
            yield Gap(f"{mount.destination} that can be written to", "read-only")


def settle_read_only(runtime: Runtime, spec: Spec) -> None:
    """Make them read-only."""
    if not runtime.read_only:
        return
    if spec.root is not None:
        spec.root.readonly = True
    for mount in spec.mounts:
        if mount.type in KERNEL_FILES and not is_bind(mount) and not has_option(mount.options, "ro"):
            add_option(mount, "ro")


def size_of(options: tuple[str, ...]) -> int | None:
    """Return the size in bytes that a tmpfs is mounted with; None when there is no limit, or one that depends on the host (50%)."""
    found: int | None = None
    for word in options:
        name, _, value = word.partition("=")
        if name != "size":
            continue
        unit = value[-1:].lower()
        digits = value[:-1] if unit in _UNITS else value
        found = int(digits) << _UNITS.get(unit, 0) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None
    return found or None


def _set_size(mount: Mount, size: int) -> None:
    mount.options = (*[word for word in mount.options if word != "size" and not word.startswith("size=")], f"size={size}")


def _tmpfs(runtime: Runtime, mount: Mount) -> tuple[str, Tmpfs] | None:
    """Return what a policy asks of a mount, and under which entry."""
    if mount.type != "tmpfs" or is_bind(mount) or not runtime.tmpfs:
        return None
    path = normal(mount.destination)
    if path in ("/dev", SHM):
        return None
    entry = path if path in runtime.tmpfs else EVERY
    return (entry, runtime.tmpfs[entry]) if entry in runtime.tmpfs else None


def tmpfs_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield each that is too large or lacks an option."""
    for mount in spec.mounts:
        found = _tmpfs(runtime, mount)
        if found is None:
            continue
        entry, wanted = found
        name, key = f"tmpfs {normal(mount.destination)}", f"tmpfs.{entry}"
        size = size_of(mount.options)
        if wanted.size is not None and (size is None or size > wanted.size):
            yield Gap(f"{name} of {size_text(size)}" if size else f"{name} without a size", f"at most {size_text(wanted.size)}", key)
        for option in wanted.options:
            if not has_option(mount.options, option):
                yield Gap(f"{name} without {option}", option, key)


def settle_tmpfs(runtime: Runtime, spec: Spec) -> None:
    """Limit those that are there, and add those that are named and not there."""
    for mount in spec.mounts:
        found = _tmpfs(runtime, mount)
        if found is not None:
            _, wanted = found
            size = size_of(mount.options)
            if wanted.size is not None and (size is None or size > wanted.size):
                _set_size(mount, wanted.size)
            for option in wanted.options:
                if not has_option(mount.options, option):
                    add_option(mount, option)
    present = {normal(mount.destination) for mount in spec.mounts}
    for path, wanted in (runtime.tmpfs or {}).items():
        if path != EVERY and path not in present:
            further = ((f"mode={wanted.mode}", wanted.mode), (f"size={wanted.size}", wanted.size))
            options = (*wanted.options, *[option for option, value in further if value])
            made = Mount(destination=path, type="tmpfs", source="tmpfs", options=options)
            # Before what lies below it, which it would hide.
            at = next((at for at, mount in enumerate(spec.mounts) if below(normal(mount.destination), path)), len(spec.mounts))
            spec.mounts = (*spec.mounts[:at], made, *spec.mounts[at:])


def shm_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield one that is too large."""
    most = runtime.shm_size
    for mount in spec.mounts if most is not None else ():
        if most is not None and mount.type == "tmpfs" and not is_bind(mount) and normal(mount.destination) == SHM:
            size = size_of(mount.options)
            if size is None or size > most:
                yield Gap(f"shm-size {size_text(size)}" if size else "shm-size is not limited", f"at most {size_text(most)}")


def settle_shm(runtime: Runtime, spec: Spec) -> None:
    """Limit it."""
    most = runtime.shm_size
    for mount in spec.mounts if most is not None else ():
        if most is not None and mount.type == "tmpfs" and not is_bind(mount) and normal(mount.destination) == SHM:
            size = size_of(mount.options)
            if size is None or size > most:
                _set_size(mount, most)


def hidepid_of(value: str | None) -> int:
    """Return how much a `hidepid` hides; 0 for what no kernel knows."""
    if value is None:
        return 0
    if value in HIDEPID:
        return HIDEPID[value]
    return int(value) if value in ("1", "2", "4") else 0


def _data(options: tuple[str, ...], name: str) -> str | None:
    found = None
    for word in options:
        if word.startswith(f"{name}="):
            found = word[len(name) + 1 :]
    return found


def proc_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield each /proc that shows more."""
    wanted = runtime.proc
    for mount in spec.mounts if wanted is not None else ():
        if wanted is None or mount.type != "proc" or is_bind(mount):
            continue
        if wanted.subset is not None and _data(mount.options, "subset") != wanted.subset:
            yield Gap(f"{mount.destination} with all of it", f"subset={wanted.subset}", "proc.subset")
        if hidepid_of(_data(mount.options, "hidepid")) < hidepid_of(wanted.hidepid):
            yield Gap(f"{mount.destination} with other users' processes", f"hidepid={wanted.hidepid}", "proc.hidepid")


def settle_proc(runtime: Runtime, spec: Spec) -> None:
    """Show less."""
    wanted = runtime.proc
    for mount in spec.mounts if wanted is not None else ():
        if wanted is None or mount.type != "proc" or is_bind(mount):
            continue
        for name, value, less in (
            ("subset", wanted.subset, _data(mount.options, "subset") == wanted.subset),
            ("hidepid", wanted.hidepid, hidepid_of(_data(mount.options, "hidepid")) >= hidepid_of(wanted.hidepid)),
        ):
            if value is not None and not less:
                mount.options = (*[word for word in mount.options if not word.startswith(f"{name}=")], f"{name}={value}")


def _missing(wanted: tuple[str, ...], given: tuple[str, ...]) -> list[str]:
    paths = {normal(path) for path in given}
    return [path for path in wanted if normal(path) not in paths]


def _some(paths: list[str]) -> str:
    """Return paths for a reader; of many the first ones."""
    return ", ".join(paths) if len(paths) < 5 else f"{', '.join(paths[:3])} and {len(paths) - 3} more"


def masked_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield what is not hidden."""
    missing = _missing(runtime.masked_paths, linux_of(spec).masked_paths)
    if missing:
        yield Gap(f"{_some(missing)} not hidden", "hidden")


def settle_masked(runtime: Runtime, spec: Spec) -> None:
    """Hide it."""
    linux = linux_of(spec)
    linux.masked_paths += tuple(_missing(runtime.masked_paths, linux.masked_paths))


def readonly_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield what can be written to; what is hidden cannot."""
    linux = linux_of(spec)
    missing = _missing(runtime.readonly_paths, linux.readonly_paths + linux.masked_paths)
    if missing:
        yield Gap(f"{_some(missing)} can be written to", "read-only")


def settle_readonly(runtime: Runtime, spec: Spec) -> None:
    """Make it read-only."""
    linux = linux_of(spec)
    linux.readonly_paths += tuple(_missing(runtime.readonly_paths, linux.readonly_paths + linux.masked_paths))


def _refusal(runtime: Runtime, mount: Mount) -> tuple[str, str, str] | None:
    """Return what a mount is, what is wanted, and the key; None for one that may be."""
    wanted = runtime.mounts
    if wanted is None:
        return None
    if not is_bind(mount):
        kind = mount.type or "nothing"
        if kind in KINDS:
            return None
        return f"a mount of type {kind} on {mount.destination}", f"a bind mount, or {', '.join(KINDS)}", "mounts"
    reason = wanted.refusal(mount.source or "")
    if not reason:
        return None
    return f"volume {mount.source or ''}", f"another path: this one {reason}", "mounts.deny" if "denied" in reason else "mounts.allow"


def mount_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield what may not be mounted, options that are missing, and mounts that the host would see."""
    wanted = runtime.mounts
    if wanted is None:
        return
    for mount in spec.mounts:
        refused = _refusal(runtime, mount)
        if refused is not None:
            yield Gap(*refused)
        elif is_bind(mount):
            for option in wanted.options:
                if not has_option(mount.options, option):
                    yield Gap(f"volume {mount.source} without {option}", option, "mounts.options")
        shared = [word for word in mount.options if word in SHARING]
        if shared:
            yield Gap(f"{mount.destination} {shared[-1]}", "private propagation")
    propagation = linux_of(spec).rootfs_propagation
    if propagation in SHARING:
        yield Gap(f"a root that is {propagation}", "private propagation")


def settle_mounts(runtime: Runtime, spec: Spec) -> None:
    """Leave out what may not be mounted, and give the rest its options."""
    wanted = runtime.mounts
    if wanted is None:
        return
    spec.mounts = tuple(mount for mount in spec.mounts if _refusal(runtime, mount) is None)
    for mount in spec.mounts:
        if is_bind(mount):
            for option in wanted.options:
                if not has_option(mount.options, option):
                    add_option(mount, option)
        if any(word in SHARING for word in mount.options):
            mount.options = (*[word for word in mount.options if word not in SHARING], "rprivate")
    if linux_of(spec).rootfs_propagation in SHARING:
        linux_of(spec).rootfs_propagation = "rprivate"


def is_everything(rule: DeviceRule) -> bool:
    """Tell whether a rule opens every device, as --privileged does."""
    return rule.allow and rule.type in (None, "", "a")


def _node_is_fine(runtime: Runtime, device: Device) -> bool:
    kind = device.type
    return kind == "p" or any(
        grant.covers(kind, device.major or 0, device.minor or 0, "") for grant in (*ORDINARY, *(runtime.devices or ()))
    )


def _rule_is_fine(runtime: Runtime, rule: DeviceRule) -> bool:
    access = "rwm" if rule.access is None else rule.access
    if not rule.allow or (access == "m" and rule.type in ("b", "c")):
        return True  # making a node gives no use of it
    numbers = [None if number is None or number < 0 else number for number in (rule.major, rule.minor)]
    return any(grant.covers(rule.type or "a", numbers[0], numbers[1], access) for grant in (*ORDINARY, *(runtime.devices or ())))


def _rule_text(rule: DeviceRule) -> str:
    numbers = ":".join("*" if number is None or number < 0 else str(number) for number in (rule.major, rule.minor))
    return f"{rule.type or 'a'} {numbers} {'rwm' if rule.access is None else rule.access}"


def device_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield each device that it may not have, as a node and as what its control group lets it use."""
    if runtime.devices is None:
        return
    wants = "no devices of the host" if not runtime.devices else f"at most {', '.join(grant_text(grant) for grant in runtime.devices)}"
    for device in linux_of(spec).devices:
        if not _node_is_fine(runtime, device):
            yield Gap(f"device {device.path} ({device.type} {device.major or 0}:{device.minor or 0})", wants)
    for rule in resources_of(spec).devices:
        if not _rule_is_fine(runtime, rule):
            yield Gap(f"device {_rule_text(rule)}", wants)


def grant_text(grant: Grant) -> str:
    """Return a device for a reader."""
    numbers = f"{grant.type} {grant.major}:{'*' if grant.minor is None else grant.minor}"
    return f"{grant.path or numbers} {grant.access}"


def settle_devices(runtime: Runtime, spec: Spec) -> None:
    """Take them away."""
    if runtime.devices is None:
        return
    linux = linux_of(spec)
    linux.devices = tuple(device for device in linux.devices if _node_is_fine(runtime, device))
    resources_of(spec).devices = tuple(rule for rule in resources_of(spec).devices if _rule_is_fine(runtime, rule))


def privileged_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield what --privileged comes to: every device of the host."""
    if runtime.privileged is False and any(is_everything(rule) for rule in resources_of(spec).devices):
        yield Gap("privileged", "not privileged")


def settle_privileged(runtime: Runtime, spec: Spec) -> None:
    """Take the devices away; the other keys see to the rest."""
    if runtime.privileged is False:
        resources = resources_of(spec)
        resources.devices = tuple(rule for rule in resources.devices if not is_everything(rule))


WALLS: Final = (
    Wall("read-only", read_only_gaps, settle_read_only),
    Wall("mounts", mount_gaps, settle_mounts),
    Wall("tmpfs", tmpfs_gaps, settle_tmpfs),
    Wall("shm-size", shm_gaps, settle_shm),
    Wall("proc", proc_gaps, settle_proc),
    Wall("masked-paths", masked_gaps, settle_masked),
    Wall("readonly-paths", readonly_gaps, settle_readonly),
    Wall("privileged", privileged_gaps, settle_privileged),
    Wall("devices", device_gaps, settle_devices),
)
