"""Memory, CPU, processes, open files: what a service may take from the host, and limits that cannot be what was meant.

What Docker refuses is as dockerd's daemon/daemon_unix.go and docker/go-units have it; each case was tried on dockerd 20.10.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check
from hardener.rules.context import ServiceContext
from hardener.rules.services import at, in_force, is_complete, is_on, is_podman, missing
from hardener.sources.service import Service, Setting, Ulimit
from hardener.sources.unknown import UNKNOWN

_MIB: Final = 1024 * 1024
_LEAST_MEMORY: Final = 6 * _MIB  # dockerd's linuxMinMemory
_MOST_FILES: Final = 1_048_576  # fs.nr_open as the kernel sets it
_HUGE_SHM: Final = 16 * 1024 * _MIB
_PROTECTED: Final = -500  # from here on the kernel takes nearly every other process first


def _known(setting: Setting[int] | None) -> int | None:
    """Return a number that is set and known."""
    return None if setting is None or setting.value is UNKNOWN else setting.value


def _shown(size: int) -> str:
    """Return a size as people write it."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size < 1000 * unit else f"{size // unit} {name}"
    return f"{size} bytes"


def _may_lack_limits(service: Service) -> bool:
    """Whether a missing limit is worth a word: not for a tool that somebody runs by hand and watches."""
    return is_complete(service) and not service.is_one_off


# --- memory -----------------------------------------------------------------------------------------------------------------


def no_memory_limit(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that may take all memory; a reservation is no limit."""
    if service.memory is not None or not _may_lack_limits(service):
        return
    reserved = service.memory_reservation
    if reserved is not None:
        yield at(reserved, what=f"{service.name} reserves memory, but nothing limits what it takes")
    else:
        yield missing(service, what=f"{service.name} may take all memory of its host: it has no limit")


def unlimited_memory(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a memory limit that says there is none."""
    setting, value = service.memory, _known(service.memory)
    if setting is not None and value is not None and value <= 0:
        yield at(setting, name=service.name, value=setting.text or str(value))


def unlimited_swap(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report swap without end behind a memory limit."""
    setting, value, memory = service.memory_swap, _known(service.memory_swap), _known(service.memory)
    if setting is not None and value is not None and value < 0 and memory is not None and memory > 0 and in_force(service, "memswap_limit"):
        yield at(setting, limit=_shown(memory))


def oom_killer_off(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a container that is not stopped when memory runs out; worst where nothing else limits it."""
    setting = service.oom_kill_disable
    if setting is None or not is_on(setting) or not in_force(service, "oom_kill_disable"):
        return
    memory = service.memory
    if memory is None and is_complete(service):
        yield at(setting, severity=Severity.HIGH, consequence="and has no memory limit: the whole host stalls when memory runs out")
    elif memory is None or memory.value is UNKNOWN or memory.value > 0:
        yield at(setting, consequence="so at its memory limit it hangs instead of being restarted")
    else:
        yield at(setting, severity=Severity.HIGH, consequence="and has no memory limit: the whole host stalls when memory runs out")


def spared_by_oom_killer(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report an oom_score_adj that makes the kernel kill everything else first."""
    setting, value = service.oom_score_adj, _known(service.oom_score_adj)
    if setting is not None and value is not None and -1000 <= value <= _PROTECTED:
        instead = "never kills it" if value == -1000 else "kills nearly everything else first"
        yield at(setting, value=str(value), instead=instead)


def swappiness(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report mem_swappiness, which cgroup v2 does not have."""
    setting, value = service.memory_swappiness, _known(service.memory_swappiness)
    if setting is not None and value is not None and 0 <= value <= 100 and in_force(service, "mem_swappiness"):
        yield at(setting)


def large_shm(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report shared memory that is larger than what the service may use, or than most hosts have."""
    setting, size, memory = service.shm_size, _known(service.shm_size), _known(service.memory)
    if setting is None or size is None or not in_force(service, "shm_size"):
        return
    if memory is not None and 0 < memory < size:
        yield at(
            setting, size=_shown(size), what=f"the memory limit of {_shown(memory)} counts it in, so filling it gets the service killed"
        )
    elif size >= _HUGE_SHM:
        yield at(setting, size=_shown(size), what="it is memory of the host, and filling it takes that away")


# --- CPU and processes ------------------------------------------------------------------------------------------------------


def no_cpu_limit(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that may take all processors; shares are no limit."""
    if not _may_lack_limits(service):
        return
    for limit in (service.cpus, service.cpu_quota):
        if limit is not None and (limit.value is UNKNOWN or limit.value > 0):
            return
    if service.cpuset is None:
        yield missing(service, name=service.name)


def no_pids_limit(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that may start any number of processes."""
    if service.pids_limit is not None or not _may_lack_limits(service) or is_podman(service):
        return  # podman limits every container to 2048
    if not any(limit.name == "nproc" for limit in service.ulimits):
        yield missing(service, name=service.name)


def unlimited_pids(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a limit of processes that says there is none."""
    setting, value = service.pids_limit, _known(service.pids_limit)
    if setting is not None and value is not None and value <= 0:
        yield at(setting, value=setting.text or str(value))


# --- ulimits ----------------------------------------------------------------------------------------------------------------


def unbounded_ulimit(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report resource limits that are taken away, or raised beyond what the kernel grants."""
    for limit in service.ulimits:
        hard = limit.hard
        if hard is UNKNOWN:
            continue
        consequence = ""
        severity: Severity | None = None
        match limit.name:
            case "nproc" if hard == -1:
                consequence = "a fork bomb in it is one of the whole user, on the host"
                severity = Severity.MEDIUM
            case "core" if hard == -1:
                consequence = "each crash writes all its memory to disk, with the secrets in it"
            case "memlock" if hard == -1 and not _locks_memory(service):
                consequence = "it may hold memory that the kernel can then not reclaim"
            case "nofile" if hard == -1 or hard > _MOST_FILES:
                consequence = "programs that close or clear each possible file take minutes and gigabytes, and on many hosts it is refused"
        if consequence:
            value = "unlimited" if hard == -1 else str(hard)
            yield Match(
                limit.place.span,
                {"limit": limit.name, "value": value, "consequence": consequence},
                severity=severity,
                file=limit.place.file,
            )


def _locks_memory(service: Service) -> bool:
    """Whether a service asks for its memory to be locked, as Elasticsearch and its kin want it: the limit then has to go."""
    if any(name in ("IPC_LOCK", "CAP_IPC_LOCK") for name in [item.text.upper() for item in service.cap_add]):
        return True
    for variable in service.environment:
        name = variable.name.lower()
        if name.endswith("memory_lock") or name == "bootstrap_memory_lock":
            value = variable.value
            return value is None or value.value is UNKNOWN or value.value.lower() != "false"
    return False


# --- what Docker refuses ----------------------------------------------------------------------------------------------------


def impossible_limit(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report limits with which the container cannot be created."""
    if not is_podman(service):
        yield from _impossible_memory(service)
    setting, value = service.memory_swappiness, _known(service.memory_swappiness)
    if setting is not None and value is not None and not -1 <= value <= 100 and in_force(service, "mem_swappiness"):
        yield at(setting, reason="swappiness goes from 0 to 100")
    setting, value = service.oom_score_adj, _known(service.oom_score_adj)
    if setting is not None and value is not None and not -1000 <= value <= 1000:
        yield at(setting, reason="the score goes from -1000 to 1000")
    cpus = service.cpus
    if cpus is not None and cpus.value is not UNKNOWN:
        quota = service.cpu_quota
        if cpus.value < 0:
            yield Match(cpus.place.span, {"reason": "a number of CPUs is not negative"}, file=cpus.place.file)
        elif cpus.value > 0 and quota is not None and quota.value is not UNKNOWN and quota.value > 0 and service.origin != "stack":
            yield Match(
                quota.place.span, {"reason": "cpus and cpu_quota exclude each other"}, ((cpus.place, "cpus here"),), file=quota.place.file
            )
    for limit in service.ulimits:
        reason = _impossible_ulimit(limit)
        if reason:
            yield Match(limit.place.span, {"reason": reason}, file=limit.place.file)


def _impossible_memory(service: Service) -> Iterator[Match]:
    setting, memory = service.memory, _known(service.memory)
    if setting is not None and memory is not None and 0 < memory < _LEAST_MEMORY:
        yield at(setting, reason=f"a container needs at least 6 MiB, and this is {_shown(memory)}")
        return
    swap_setting, swap = service.memory_swap, _known(service.memory_swap)
    if swap_setting is not None and swap is not None and swap > 0 and in_force(service, "memswap_limit"):
        if setting is None:
            if is_complete(service):
                yield at(swap_setting, reason="it is memory and swap together, and works only beside a memory limit")
        elif memory is not None and 0 < swap < memory:
            reason = f"it is memory and swap together, and less than the {_shown(memory)} of memory alone"
            yield at(swap_setting, reason=reason, related=((setting.place, "the memory limit"),))
    reserved_setting, reserved = service.memory_reservation, _known(service.memory_reservation)
    if reserved_setting is not None and reserved is not None and reserved > 0 and service.origin != "stack":
        if setting is not None and memory is not None and 0 < memory < reserved:
            reason = f"the reservation is more than the limit of {_shown(memory)}"
            yield at(reserved_setting, reason=reason, related=((setting.place, "the memory limit"),))
        elif reserved < _LEAST_MEMORY:
            yield at(reserved_setting, reason=f"a reservation is at least 6 MiB, and this is {_shown(reserved)}")


def _impossible_ulimit(limit: Ulimit) -> str:
    soft, hard = limit.soft, limit.hard
    if soft is UNKNOWN or hard is UNKNOWN or hard == -1:
        return ""
    if soft == -1 or soft > hard:
        shown = "unlimited" if soft == -1 else str(soft)
        return f"the soft limit {shown} is above the hard limit {hard}"
    return ""


CHECKS: Final[Mapping[str, Check]] = {
    "HS701": no_memory_limit,
    "HS702": unlimited_memory,
    "HS703": unlimited_swap,
    "HS704": impossible_limit,
    "HS705": no_cpu_limit,
    "HS706": no_pids_limit,
    "HS707": unlimited_pids,
    "HS708": oom_killer_off,
    "HS709": spared_by_oom_killer,
    "HS710": unbounded_ulimit,
    "HS711": large_shm,
    "HS712": swappiness,
}
