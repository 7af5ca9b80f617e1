"""Resource limits and the out-of-memory score of the container's first process, set from outside: raising one may take our rights."""

from __future__ import annotations

from hardener.errors import HardenError, suggest
from hardener.linux import calls, procfs
from hardener.linux.consts import RLIM_INFINITY
from hardener.linux.names import RLIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.oci.runtime import Spec


class Limits:
    """`limits` are (kind, soft, hard)."""

    __slots__ = ("limits", "oom_score_adj")

    def __init__(self, limits: tuple[tuple[str, int, int], ...], oom_score_adj: int | None) -> None:
        self.limits = limits
        self.oom_score_adj = oom_score_adj

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        rows = [f"{kind.lower()} {_number(soft)}:{_number(hard)}" for kind, soft, hard in self.limits]
        return rows if self.oom_score_adj is None else [*rows, f"oom_score_adj {self.oom_score_adj}"]


def _number(value: int) -> str:
    return "unlimited" if value == RLIM_INFINITY else str(value)


def plan(spec: Spec) -> Limits | None:
    """Return the limits; an unknown or double kind, or a soft limit above its hard one, is an error."""
    process = spec.process
    if process is None or (not process.rlimits and process.oom_score_adj is None):
        return None
    found: dict[str, tuple[str, int, int]] = {}
    for limit in process.rlimits:
        kind = limit.type.removeprefix("RLIMIT_")
        if kind not in RLIMITS or kind == limit.type:
            names = [f"RLIMIT_{name}" for name in RLIMITS]
            raise HardenError(
                f"unknown limit {limit.type!r}", where="process.rlimits", how=suggest(limit.type, names) or f"known: {', '.join(names)}"
            )
        if kind in found:
            raise HardenError(f"{limit.type} is set twice", where="process.rlimits", how="leave one of them")
        soft, hard = (value & RLIM_INFINITY for value in (limit.soft, limit.hard))  # -1 is how some write "unlimited"
        if soft > hard:
            raise HardenError(f"{limit.type}: the soft limit {soft} is above the hard one, {hard}", where="process.rlimits")
        found[kind] = (kind, soft, hard)
    score = process.oom_score_adj
    if score is not None and not -1000 <= score <= 1000:
        raise HardenError(f"{score} is not between -1000 and 1000", where="process.oomScoreAdj")
    return Limits(tuple(found.values()), score)


def apply(plan: Limits, pid: int) -> None:
    """Set them on a process."""
    if plan.oom_score_adj is not None and procfs.read(f"/proc/{pid}/oom_score_adj").strip() != str(plan.oom_score_adj):
        procfs.write(f"/proc/{pid}/oom_score_adj", str(plan.oom_score_adj))
    for kind, soft, hard in plan.limits:
        if kind == "CORE" and hard == 0 and _refuse_piped_core(pid):
            continue
        calls.prlimit(pid, kind, soft, hard)


def _refuse_piped_core(pid: int) -> bool:
    """Set the limit that keeps a core dump from a program of this machine, which the kernel would start whatever the limit, but for 1.

    Source: core(5); `do_coredump` in fs/coredump.c. A core dump to a file is not written either: it is larger than that.
    """
    if not procfs.read("/proc/sys/kernel/core_pattern").startswith("|"):
        return False
    try:
        calls.prlimit(pid, "CORE", 1, 1)
    except PermissionError:  # ours is 0, and cannot be raised
        return False
    return True
