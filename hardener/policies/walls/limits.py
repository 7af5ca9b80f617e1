"""How much it may use: memory, swap, processes, processors, input and output."""

from __future__ import annotations

from hardener.oci.runtime import PERIOD_US, Cpu, Memory, Pids
from hardener.policies.runtime import NO_SWAP, size_text
from hardener.policies.walls.gap import Gap, Wall, resources_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from hardener.oci.runtime import Resources, Spec
    from hardener.policies.runtime import IoLimit, Runtime

PERIODS_US: Final = range(1_000, 1_000_001)  # what the kernel takes
QUOTA_MIN_US: Final = 1_000
SHARES: Final = 1024  # what a group has that says nothing
_RATES: Final = (
    ("read_bps", "throttleReadBpsDevice"),
    ("write_bps", "throttleWriteBpsDevice"),
    ("read_iops", "throttleReadIOPSDevice"),
    ("write_iops", "throttleWriteIOPSDevice"),
)


def _unified(resources: Resources, *files: str) -> list[str]:
    """Return the files of cgroup v2 that a specification writes by name, past the limits: `memory.max` and the like."""
    folders = tuple(file for file in files if file.endswith("."))
    return [name for name in resources.unified or {} if name in files or (folders and name.startswith(folders))]


def _without(resources: Resources, names: list[str]) -> None:
    if names:
        resources.unified = {name: value for name, value in (resources.unified or {}).items() if name not in names}


def _too_much(value: int | None, most: int) -> bool:
    """Tell whether a limit is more than a policy allows; none, zero and less are unlimited."""
    return value is None or value <= 0 or value > most


def _said(name: str, value: int | None) -> str:
    return f"{name} is not limited" if value is None else f"{name} unlimited" if value <= 0 else f"{name} {value}"


def memory_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield too much memory."""
    most = runtime.memory
    if most is None:
        return
    resources = resources_of(spec)
    limit = resources.memory.limit if resources.memory else None
    wants = f"at most {size_text(most)}"
    if _too_much(limit, most):
        yield Gap(f"memory {size_text(limit)}" if limit and limit > 0 else _said("memory", limit), wants)
    for name in _unified(resources, "memory.max", "memory.high"):
        yield Gap(f"cgroup file {name}", wants)


def settle_memory(runtime: Runtime, spec: Spec) -> None:
    """Limit it; what is reserved cannot be more than the limit."""
    most = runtime.memory
    if most is None:
        return
    resources = resources_of(spec)
    memory = resources.memory = resources.memory or Memory()
    if _too_much(memory.limit, most):
        memory.limit = most
    _lower_reservation(memory)
    _without(resources, _unified(resources, "memory.max", "memory.high"))


def _lower_reservation(memory: Memory) -> None:
    if memory.reservation is not None and memory.limit is not None and memory.reservation > memory.limit > 0:
        memory.reservation = memory.limit


def swap_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield too much swap; the specification counts memory and swap together."""
    most = runtime.memory_swap
    if most is None:
        return
    resources = resources_of(spec)
    memory = resources.memory or Memory()
    if most == NO_SWAP:
        wants, allowed = "no swap beyond the limit of memory", memory.limit or 0
    else:
        wants, allowed = f"at most {size_text(most)} of memory and swap", most
    if _too_much(memory.swap, allowed):
        yield Gap(f"memory-swap {size_text(memory.swap)}" if memory.swap and memory.swap > 0 else _said("memory-swap", memory.swap), wants)
    for name in _unified(resources, "memory.swap.max", "memory.swap.high"):
        yield Gap(f"cgroup file {name}", wants)


def settle_swap(runtime: Runtime, spec: Spec) -> None:
    """Limit it; memory and swap cannot be less than memory alone."""
    most = runtime.memory_swap
    if most is None:
        return
    resources = resources_of(spec)
    memory = resources.memory = resources.memory or Memory()
    limit = memory.limit if memory.limit is not None and memory.limit > 0 else None
    if most == NO_SWAP:
        memory.swap = limit
    else:
        swap = most if memory.swap is None or _too_much(memory.swap, most) else memory.swap
        if limit is not None and limit > swap:
            memory.limit = limit = min(limit, most)
            swap = max(swap, limit)
            _lower_reservation(memory)
        memory.swap = swap
    _without(resources, _unified(resources, "memory.swap.max", "memory.swap.high"))


def pids_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield too many processes."""
    most = runtime.pids
    if most is None:
        return
    resources = resources_of(spec)
    limit = resources.pids.limit if resources.pids else None
    if _too_much(limit, most):
        yield Gap(_said("pids", limit), f"at most {most}")
    for name in _unified(resources, "pids.max"):
        yield Gap(f"cgroup file {name}", f"at most {most}")


def settle_pids(runtime: Runtime, spec: Spec) -> None:
    """Limit them."""
    most = runtime.pids
    if most is None:
        return
    resources = resources_of(spec)
    if resources.pids is None or _too_much(resources.pids.limit, most):
        resources.pids = Pids(limit=most)
    _without(resources, _unified(resources, "pids.max"))


def _quota(cpus: float, period: int) -> int:
    return int(cpus * period + 1e-6)


def _period(cpu: Cpu) -> int:
    return cpu.period if cpu.period is not None and cpu.period > 0 else PERIOD_US


def cpus_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield too much time of processors."""
    most = runtime.cpus
    if most is None:
        return
    resources = resources_of(spec)
    cpu = resources.cpu or Cpu()
    wants = f"at most {most:g}"
    if _too_much(cpu.quota, _quota(most, _period(cpu))):
        yield Gap(f"cpus {cpu.quota / _period(cpu):g}" if cpu.quota and cpu.quota > 0 else _said("cpus", cpu.quota), wants)
    for name in _unified(resources, "cpu.max", "cpu.max.burst"):
        yield Gap(f"cgroup file {name}", wants)


def settle_cpus(runtime: Runtime, spec: Spec) -> None:
    """Limit it."""
    most = runtime.cpus
    if most is None:
        return
    resources = resources_of(spec)
    cpu = resources.cpu = resources.cpu or Cpu()
    if _too_much(cpu.quota, _quota(most, _period(cpu))):
        if cpu.period is None or _period(cpu) not in PERIODS_US or _quota(most, _period(cpu)) < QUOTA_MIN_US:
            cpu.period = PERIOD_US
        cpu.quota = _quota(most, _period(cpu))
    _without(resources, _unified(resources, "cpu.max", "cpu.max.burst"))


def shares_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield too great a weight."""
    most = runtime.cpu_shares
    if most is None:
        return
    resources = resources_of(spec)
    shares = (resources.cpu.shares if resources.cpu else None) or SHARES
    if shares > most or shares < 0:
        yield Gap(f"cpu-shares {shares}", f"at most {most}")
    for name in _unified(resources, "cpu.weight", "cpu.weight.nice"):
        yield Gap(f"cgroup file {name}", f"at most {most}")


def settle_shares(runtime: Runtime, spec: Spec) -> None:
    """Lower it."""
    most = runtime.cpu_shares
    if most is None:
        return
    resources = resources_of(spec)
    shares = (resources.cpu.shares if resources.cpu else None) or SHARES
    if shares > most or shares < 0:
        resources.cpu = resources.cpu or Cpu()
        resources.cpu.shares = most
    _without(resources, _unified(resources, "cpu.weight", "cpu.weight.nice"))


def _block_io(resources: Resources) -> dict[str, object]:
    return dict(resources.block_io) if isinstance(resources.block_io, dict) else {}


def _rows(value: object) -> list[dict[str, object]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _numbers(limit: IoLimit) -> tuple[int, int]:
    major, _, minor = limit.device.partition(":")
    return int(major), int(minor)


def _heavier(weight: object, most: int) -> bool:
    return not isinstance(weight, int) or not 0 < weight <= most


def _is_bounded(row: dict[str, object], most: int) -> bool:
    rate = row.get("rate")
    return isinstance(rate, int) and 0 < rate <= most


def io_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield too great a weight, and each rate of a device that is too high or not limited."""
    wanted = runtime.io
    if wanted is None:
        return
    resources = resources_of(spec)
    given = _block_io(resources)
    if wanted.weight is not None:
        wants = f"a weight of at most {wanted.weight}"
        if _heavier(given.get("weight"), wanted.weight):
            yield Gap(f"io weight {given.get('weight') or 'is not set'}", wants)
        if any(_heavier(row.get("weight"), wanted.weight) for row in _rows(given.get("weightDevice"))):
            yield Gap("io weight of a device", wants)
    for limit in wanted.devices:
        major, minor = _numbers(limit)
        for attribute, field in _RATES:
            most = getattr(limit, attribute)
            if most is None:
                continue
            rows = [row for row in _rows(given.get(field)) if (row.get("major"), row.get("minor")) == (major, minor)]
            if not rows or not all(_is_bounded(row, most) for row in rows):
                yield Gap(f"io {attribute.replace('_', '-')} of {limit.device} is not limited enough", f"at most {most}")
    for name in _unified(resources, "io."):
        yield Gap(f"cgroup file {name}", "the limits of the policy")


def settle_io(runtime: Runtime, spec: Spec) -> None:
    """Lower weights and rates, and set those that are not set."""
    wanted = runtime.io
    if wanted is None:
        return
    resources = resources_of(spec)
    given = _block_io(resources)
    if wanted.weight is not None:
        if _heavier(given.get("weight"), wanted.weight):
            given["weight"] = wanted.weight
        light = [row for row in _rows(given.get("weightDevice")) if not _heavier(row.get("weight"), wanted.weight)]
        if "weightDevice" in given:
            given["weightDevice"] = light
    for limit in wanted.devices:
        major, minor = _numbers(limit)
        for attribute, field in _RATES:
            most = getattr(limit, attribute)
            if most is None:
                continue
            others = [row for row in _rows(given.get(field)) if (row.get("major"), row.get("minor")) != (major, minor)]
            own = [row for row in _rows(given.get(field)) if (row.get("major"), row.get("minor")) == (major, minor)]
            if not own or not all(_is_bounded(row, most) for row in own):
                own = [{"major": major, "minor": minor, "rate": most}]
            given[field] = [*others, *own]
    if given:
        resources.block_io = given
    _without(resources, _unified(resources, "io."))


WALLS: Final = (
    Wall("memory", memory_gaps, settle_memory),
    Wall("memory-swap", swap_gaps, settle_swap),
    Wall("pids", pids_gaps, settle_pids),
    Wall("cpus", cpus_gaps, settle_cpus),
    Wall("cpu-shares", shares_gaps, settle_shares),
    Wall("io", io_gaps, settle_io),
)
