"""Limits: the flags of `docker run` as resources of a specification."""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.launch import values
from hardener.launch.files import real
from hardener.linux.consts import RLIM_INFINITY
from hardener.linux.names import RLIMITS
from hardener.oci.runtime import PERIOD_US, Cpu, Memory, Pids, Rlimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.request import Request
    from hardener.oci.runtime import Resources, Spec

_RATES: Final = (
    ("read_bps", "--device-read-bps", "throttleReadBpsDevice"),
    ("write_bps", "--device-write-bps", "throttleWriteBpsDevice"),
    ("read_iops", "--device-read-iops", "throttleReadIOPSDevice"),
    ("write_iops", "--device-write-iops", "throttleWriteIOPSDevice"),
)
UNENFORCED: Final = ("memory", "pids", "cpu")
"""What `--allow-unenforced` may name: controllers that a policy limits, by their fields in `linux.resources`."""


def lay(request: Request, spec: Spec, resources: Resources) -> None:
    """Set the limits that a request names; what it does not name stays as the policy has it."""
    _memory(request, resources)
    if request.pids is not None:
        resources.pids = Pids(limit=request.pids) if request.pids > 0 else None
    _cpu(request, resources)
    _block_io(request, resources)
    process = spec.process
    if process is not None:
        limits = {limit.type: limit for limit in process.rlimits}
        limits |= {limit.type: limit for limit in map(rlimit, request.limits)}
        process.rlimits = tuple(limits.values())
        if request.oom_score_adj is not None:
            process.oom_score_adj = request.oom_score_adj


def without(name: str, resources: Resources) -> None:
    """Take away the limits of a controller that this machine cannot enforce, which the user has agreed to."""
    setattr(resources, name, None)


def _memory(request: Request, resources: Resources) -> None:
    if all(value is None for value in (request.memory, request.memory_swap, request.memory_reservation, request.memory_swappiness)):
        return
    memory = resources.memory = resources.memory or Memory()
    if request.memory is not None:
        memory.limit = memory.swap = request.memory if request.memory > 0 else None  # no swap beside it, unless it is asked for
    if request.memory_swappiness is not None:
        memory.swappiness = request.memory_swappiness
    if request.memory_swap is not None:
        if memory.limit is None:
            raise HardenError("memory has no limit", where="--memory-swap", how="give --memory as well")
        if 0 < request.memory_swap < (memory.limit or 0):
            raise HardenError(
                "memory and swap together are less than memory alone", where="--memory-swap", how="it must be at least --memory"
            )
        memory.swap = request.memory_swap
    if request.memory_reservation is not None:
        if memory.limit is not None and request.memory_reservation > memory.limit:
            raise HardenError("more memory is reserved than there may be", where="--memory-reservation", how="it must be at most --memory")
        memory.reservation = request.memory_reservation


def _cpu(request: Request, resources: Resources) -> None:
    asked = (request.cpus, request.cpu_shares, request.cpu_quota, request.cpu_period, request.cpuset_cpus, request.cpuset_mems)
    if all(value is None for value in asked):
        return
    cpu = resources.cpu = resources.cpu or Cpu()
    if request.cpus is not None:
        if request.cpu_quota is not None or request.cpu_period is not None:
            raise HardenError("--cpus sets quota and period", where="--cpu-quota, --cpu-period", how="leave them or --cpus out")
        cpu.period, cpu.quota = (PERIOD_US, int(request.cpus * PERIOD_US + 1e-6)) if request.cpus > 0 else (None, None)
    if request.cpu_period is not None:
        cpu.quota = int((cpu.quota or 0) * request.cpu_period / (cpu.period or PERIOD_US)) if cpu.quota else None  # as many processors
        cpu.period = request.cpu_period
    if request.cpu_quota is not None:
        cpu.quota = request.cpu_quota if request.cpu_quota > 0 else None
        cpu.period = cpu.period or PERIOD_US
    if request.cpu_shares is not None:
        cpu.shares = request.cpu_shares
    for text, flag in ((request.cpuset_cpus, "--cpuset-cpus"), (request.cpuset_mems, "--cpuset-mems")):
        if text is not None and not all(_is_range(part) for part in text.split(",")):
            raise HardenError(f"{text!r} is not a list of numbers", where=flag, how="write 0-3,5")
    cpu.cpus = request.cpuset_cpus or cpu.cpus
    cpu.mems = request.cpuset_mems or cpu.mems


def _is_range(text: str) -> bool:
    low, dash, high = text.partition("-")
    ends = [low, high] if dash else [low]
    return all(end.isascii() and end.isdigit() for end in ends) and int(ends[0]) <= int(ends[-1])


def _block_io(request: Request, resources: Resources) -> None:
    made: dict[str, object] = dict(resources.block_io) if isinstance(resources.block_io, dict) else {}
    if request.blkio_weight is not None:
        if not 10 <= request.blkio_weight <= 1000:
            raise HardenError(f"{request.blkio_weight} is not a weight", where="--blkio-weight", how="it goes from 10 to 1000")
        made["weight"] = request.blkio_weight
    if request.device_weights:
        made["weightDevice"] = [_weight(text) for text in request.device_weights]
    for attribute, flag, key in _RATES:
        texts = getattr(request, attribute)
        if texts:
            made[key] = [_rate(text, flag) for text in texts]
    if made:
        resources.block_io = made


def _weight(text: str) -> dict[str, int]:
    flag = "--blkio-weight-device"
    numbers, weight = _device(text, flag)
    value = values.count(weight, flag)
    if not 10 <= value <= 1000:
        raise HardenError(f"{value} is not a weight", where=flag, how="it goes from 10 to 1000")
    return {**numbers, "weight": value}


def _rate(text: str, flag: str) -> dict[str, int]:
    numbers, rate = _device(text, flag)
    return {**numbers, "rate": values.count(rate, flag) if flag.endswith("iops") else values.size(rate, flag)}


def _device(text: str, flag: str) -> tuple[dict[str, int], str]:
    path, colon, value = text.rpartition(":")
    if not colon or not path.startswith("/"):
        raise HardenError(f"{text!r} limits no device", where=flag, how=f"write {flag} /dev/NAME:RATE")
    found = posix.stat(real(path, flag))
    if found.st_mode & 0o170000 != 0o060000:
        raise HardenError(f"{path} is not a block device", where=flag, how="lsblk lists them")
    return {"major": posix.major(found.st_rdev), "minor": posix.minor(found.st_rdev)}, value


def rlimit(text: str) -> Rlimit:
    """Return the limit of `NAME=SOFT[:HARD]`; -1 and unlimited are no limit."""
    name, equals, value = text.partition("=")
    if not equals:
        raise HardenError(f"{text!r} is not a limit", where="--ulimit", how="write NAME=SOFT:HARD, such as nofile=1024:2048")
    known = [one.lower() for one in RLIMITS]
    if name.lower() not in known:
        raise HardenError(f"unknown limit {name!r}", where=f"--ulimit {text}", how=suggest(name, known) or f"one of {', '.join(known)}")
    soft, _, hard = value.partition(":")
    numbers = [_limit(part, text) for part in (soft, hard or soft)]
    if numbers[0] > numbers[1]:
        raise HardenError("the soft limit is above the hard one", where=f"--ulimit {text}", how="write SOFT:HARD, SOFT being the lower one")
    return Rlimit(type=f"RLIMIT_{name.upper()}", soft=numbers[0], hard=numbers[1])


def _limit(text: str, whole: str) -> int:
    if text in ("-1", "unlimited"):
        return RLIM_INFINITY
    if not (text.isascii() and text.isdigit()) or int(text) > RLIM_INFINITY:
        raise HardenError(f"{text!r} is not a limit", where=f"--ulimit {whole}", how="a number, or unlimited")
    return int(text)
