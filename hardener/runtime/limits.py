"""The limits of a specification as files of cgroup v1 and v2."""

from __future__ import annotations

from hardener.errors import HardenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from hardener.oci.runtime import Cpu, DeviceRule, Memory, Resources

SHARES_MIN: Final = 2
SHARES_MAX: Final = 262_144
# null, zero, full, random, urandom, tty, console, ptmx, and the terminals of devpts
_ORDINARY_DEVICES: Final = ("1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:1", "5:2", "136:*")


def weight(shares: int) -> int:
    """Return the cpu.weight (1 to 10000) of cpu shares (2 to 262144), linearly between the ends as runc and systemd do."""
    bounded = min(max(shares, SHARES_MIN), SHARES_MAX)
    return 1 + (bounded - SHARES_MIN) * 9999 // (SHARES_MAX - SHARES_MIN)


def translate(resources: Resources, *, apart: bool) -> list[tuple[str, list[tuple[str, str]], list[tuple[str, str]]]]:
    """Return (controller, v1 files, v2 files) for every limit that is set."""
    found = []
    if resources.memory is not None:
        found.append(("memory", *_memory(resources.memory)))
    if resources.cpu is not None:
        found += _cpu(resources.cpu)
    if resources.devices and not apart:
        found.append(("devices", _devices(resources.devices), []))
    if resources.pids is not None and resources.pids.limit:
        value = "max" if resources.pids.limit < 0 else str(resources.pids.limit)
        found.append(("pids", [("pids.max", value)], [("pids.max", value)]))
    return [row for row in found if row[1] or row[2]]


def _devices(rules: Sequence[DeviceRule]) -> list[tuple[str, str]]:
    writes = []
    for rule in rules:
        kind = rule.type or "a"
        if kind not in ("a", "b", "c"):
            raise HardenError(f"{kind!r} is no type of device", where="linux.resources.devices", how="a, b or c")
        major, minor = ("*" if number is None or number < 0 else str(number) for number in (rule.major, rule.minor))
        whole = kind == "a" and (major, minor) == ("*", "*")
        writes.append((f"devices.{'allow' if rule.allow else 'deny'}", "a" if whole else f"{kind} {major}:{minor} {rule.access or 'rwm'}"))
    if not rules[0].allow:
        writes += [("devices.allow", f"c {device} rwm") for device in _ORDINARY_DEVICES]
    return writes


def _memory(memory: Memory) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    for name in ("kernel", "kernel_tcp", "swappiness", "disable_oom_killer"):
        if getattr(memory, name):
            raise HardenError(
                f"memory.{name} cannot be set", where="linux.resources.memory", how="cgroup v2 has no such limit; leave it out"
            )
    old, new = [], []
    if memory.limit:
        old.append(("memory.limit_in_bytes", str(memory.limit)))
        new.append(("memory.max", "max" if memory.limit < 0 else str(memory.limit)))
    if memory.reservation:
        old.append(("memory.soft_limit_in_bytes", str(memory.reservation)))
        new.append(("memory.low", str(memory.reservation)))
    if memory.swap:
        if memory.swap > 0 and (not memory.limit or memory.limit < 0 or memory.swap < memory.limit):
            raise HardenError("swap is memory and swap together: at least the memory limit", where="linux.resources.memory.swap")
        old.append(("memory.memsw.limit_in_bytes", str(memory.swap)))
        new.append(("memory.swap.max", "max" if memory.swap < 0 else str(memory.swap - (memory.limit or 0))))
    return old, new


def _cpu(cpu: Cpu) -> list[tuple[str, list[tuple[str, str]], list[tuple[str, str]]]]:
    if cpu.realtime_period or cpu.realtime_runtime or cpu.idle or cpu.burst:
        raise HardenError("realtime, idle and burst cannot be set", where="linux.resources.cpu")
    old, new = [], []
    if cpu.shares:
        old.append(("cpu.shares", str(cpu.shares)))
        new.append(("cpu.weight", str(weight(cpu.shares))))
    if cpu.quota or cpu.period:
        period = cpu.period or 100_000
        quota = cpu.quota or -1
        old += [("cpu.cfs_period_us", str(period)), ("cpu.cfs_quota_us", str(quota))]
        new.append(("cpu.max", f"{quota if quota > 0 else 'max'} {period}"))
    sets = [(f"cpuset.{key}", value) for key, value in (("cpus", cpu.cpus), ("mems", cpu.mems)) if value]
    return [("cpu", old, new), ("cpuset", sets, sets)]
