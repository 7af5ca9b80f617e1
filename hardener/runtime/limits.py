"""The limits of a specification as files of cgroup v1 and v2.

What every container has is here; what only some ask for is in rare_limits.py, which is imported when it is needed.
Source: runtime-spec config-linux.md, docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/.
"""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.oci.runtime import PERIOD_US

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias

    from hardener.oci.runtime import Cpu, Memory, Resources

    # (file, value), and where a kernel may lack the file: the file to write instead, and its value.
    Write: TypeAlias = tuple[str, ...]
    Row: TypeAlias = tuple[str, list[Write], list[Write] | str]

SHARES_MIN: Final = 2
SHARES_MAX: Final = 262_144
SWAP_FILES: Final = ("memory.memsw.limit_in_bytes", "memory.swap.max")


def weight(shares: int) -> int:
    """Return the cpu.weight (1 to 10000) of cpu shares (2 to 262144), linearly between the ends as runc and systemd do."""
    bounded = min(max(shares, SHARES_MIN), SHARES_MAX)
    return 1 + (bounded - SHARES_MIN) * 9999 // (SHARES_MAX - SHARES_MIN)


def translate(resources: Resources) -> list[Row]:
    """Return (controller, v1 files, v2 files) for every limit that is set; for v2 the name of one that it does not have."""
    for name, part in (("", resources), ("memory", resources.memory), ("cpu", resources.cpu), ("pids", resources.pids)):
        if part is not None and part.extra:
            raise HardenError(
                f"hardener does not know the limit {', '.join(sorted(part.extra))}",
                where=f"linux.resources{name and f'.{name}'}",
                how="leave it out: a limit that is not kept would be worse than none",
            )
    found: list[Row] = []
    if resources.memory is not None:
        found.append(_memory(resources.memory))
    if resources.cpu is not None:
        found += _cpu(resources.cpu)
    if resources.pids is not None and resources.pids.limit:
        writes: list[Write] = [("pids.max", "max" if resources.pids.limit < 0 else str(resources.pids.limit))]
        found.append(("pids", writes, writes))
    if resources.block_io or resources.hugepage_limits or resources.network or resources.rdma:
        from hardener.runtime import rare_limits

        found += rare_limits.translate(resources)
    return [row for row in found if row[1] or row[2]]


def _memory(memory: Memory) -> Row:
    if memory.kernel:
        raise HardenError(
            "memory.kernel cannot be limited: kernels have given that up", where="linux.resources.memory", how="memory.limit counts it too"
        )
    if memory.use_hierarchy is False:
        raise HardenError("memory.useHierarchy cannot be off: groups below would escape the limit", where="linux.resources.memory")
    old: list[Write] = []
    new: list[Write] = []
    lacking = ""
    if memory.limit:
        old.append(("memory.limit_in_bytes", str(memory.limit)))
        new.append(("memory.max", "max" if memory.limit < 0 else str(memory.limit)))
    if memory.reservation:
        old.append(("memory.soft_limit_in_bytes", str(memory.reservation)))
        new.append(("memory.low", "max" if memory.reservation < 0 else str(memory.reservation)))
    if memory.swap:
        if memory.swap > 0 and (not memory.limit or memory.limit < 0 or memory.swap < memory.limit):
            raise HardenError("swap is memory and swap together: at least the memory limit", where="linux.resources.memory.swap")
        old.append(("memory.memsw.limit_in_bytes", str(memory.swap)))
        new.append(("memory.swap.max", "max" if memory.swap < 0 else str(memory.swap - (memory.limit or 0))))
    for only_old, file in (
        (memory.kernel_tcp, "memory.kmem.tcp.limit_in_bytes"),
        (memory.swappiness, "memory.swappiness"),
        (1 if memory.disable_oom_killer else None, "memory.oom_control"),
    ):
        if only_old is not None:
            old.append((file, str(only_old)))
            lacking = file
    return "memory", old, lacking or new


def _cpu(cpu: Cpu) -> list[Row]:
    old: list[Write] = []
    new: list[Write] = []
    lacking = ""
    if cpu.shares:
        old.append(("cpu.shares", str(cpu.shares)))
        new.append(("cpu.weight", str(weight(cpu.shares))))
    if cpu.idle:
        old.append(("cpu.idle", str(cpu.idle)))
        new.append(("cpu.idle", str(cpu.idle)))
    if cpu.quota or cpu.period:
        period = cpu.period or PERIOD_US
        quota = cpu.quota if cpu.quota and cpu.quota > 0 else -1
        old += [("cpu.cfs_period_us", str(period)), ("cpu.cfs_quota_us", str(quota))]
        new.append(("cpu.max", f"{quota if quota > 0 else 'max'} {period}"))
    if cpu.burst:
        old.append(("cpu.cfs_burst_us", str(cpu.burst)))
        new.append(("cpu.max.burst", str(cpu.burst)))
    for only_old, file in ((cpu.realtime_period, "cpu.rt_period_us"), (cpu.realtime_runtime, "cpu.rt_runtime_us")):
        if only_old:
            old.append((file, str(only_old)))
            lacking = file
    sets: list[Write] = [(f"cpuset.{key}", value) for key, value in (("cpus", cpu.cpus), ("mems", cpu.mems)) if value]
    return [("cpu", old, lacking or new), ("cpuset", sets, sets)]
