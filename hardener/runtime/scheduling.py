"""When the process gets a processor and the disk: scheduling policy, niceness, and the priority of its input and output.

Set from outside: to be preferred takes CAP_SYS_NICE, which the container has not.

Source: sched_setattr(2), ioprio_set(2), runtime-spec 1.2.
"""

from __future__ import annotations

from hardener.errors import HardenError, suggest
from hardener.linux import calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec

POLICIES: Final = {"SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_IDLE": 5, "SCHED_DEADLINE": 6}
REALTIME: Final = ("SCHED_FIFO", "SCHED_RR")
FLAGS: Final = {"SCHED_FLAG_RESET_ON_FORK": 1, "SCHED_FLAG_RECLAIM": 2, "SCHED_FLAG_DL_OVERRUN": 4}
CLASSES: Final = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
NUMBERS: Final = ("nice", "priority", "runtime", "deadline", "period")


class Scheduling:
    """`policy`, `flags` and the five numbers for sched_setattr(2), `io` for ioprio_set(2); None leaves one as it is."""

    __slots__ = ("io", "named", "scheduler")

    def __init__(self, scheduler: tuple[int, int, dict[str, int]] | None, io: int | None, named: tuple[str, ...]) -> None:
        self.scheduler = scheduler
        self.io = io
        self.named = named

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [*self.named]


def plan(spec: Spec) -> Scheduling | None:
    """Return what is asked for; None when nothing is. An unknown word, or a number that does not fit the policy, is an error."""
    process = spec.process
    if process is None or (process.scheduler is None and process.io_priority is None):
        return None
    named = []
    scheduler = io = None
    if process.scheduler is not None:
        scheduler = _scheduler(process.scheduler)
        named.append(" ".join(["scheduler", *[f"{key}={value}" for key, value in _fields(process.scheduler, "process.scheduler").items()]]))
    if process.io_priority is not None:
        io = _io(process.io_priority)
        named.append(" ".join(["input and output", *[str(value) for value in _fields(process.io_priority, "process.ioPriority").values()]]))
    return Scheduling(scheduler, io, tuple(named))


def _fields(given: object, where: str) -> dict[str, object]:
    if not isinstance(given, dict):
        raise HardenError(f"{where} must be an object", where=where)
    return given


def _scheduler(given: object) -> tuple[int, int, dict[str, int]]:
    where = "process.scheduler"
    fields = _fields(given, where)
    policy = _word(fields.get("policy"), POLICIES, f"{where}.policy")
    flags = 0
    listed = fields.get("flags") or []
    for flag in listed if isinstance(listed, list) else [listed]:
        flags |= _word(flag, FLAGS, f"{where}.flags")
    numbers = {}
    for name in NUMBERS:
        value = fields.get(name) or 0
        if not isinstance(value, int) or isinstance(value, bool):
            raise HardenError(f"{value!r} is not a whole number", where=f"{where}.{name}")
        numbers[name] = value
    if not -20 <= numbers["nice"] <= 19:
        raise HardenError(f"{numbers['nice']} is not between -20 and 19", where=f"{where}.nice")
    if not 0 <= numbers["priority"] <= 99 or (numbers["priority"] > 0) != (fields["policy"] in REALTIME):
        raise HardenError(
            f"{numbers['priority']} is no priority of {fields['policy']}",
            where=f"{where}.priority",
            how="1 to 99 for SCHED_FIFO and SCHED_RR",
        )
    if any(numbers[name] < 0 for name in NUMBERS[2:]) or (numbers["runtime"] > 0) != (fields["policy"] == "SCHED_DEADLINE"):
        raise HardenError("runtime, deadline and period belong to SCHED_DEADLINE, which needs them", where=where)
    return policy, flags, numbers


def _io(given: object) -> int:
    where = "process.ioPriority"
    fields = _fields(given, where)
    kind = _word(fields.get("class"), CLASSES, f"{where}.class")
    level = fields.get("priority") or 0
    if not isinstance(level, int) or isinstance(level, bool) or not 0 <= level <= 7:
        raise HardenError(f"{level!r} is not between 0 and 7", where=f"{where}.priority")
    return kind << 13 | level


def _word(word: object, known: dict[str, int], where: str) -> int:
    if not isinstance(word, str) or word not in known:
        raise HardenError(f"unknown {word!r}", where=where, how=suggest(str(word), [*known]) or f"known: {', '.join(known)}")
    return known[word]


def apply(plan: Scheduling, pid: int) -> None:
    """Set it on a process."""
    if plan.scheduler is not None:
        policy, flags, numbers = plan.scheduler
        calls.sched_setattr(pid, policy, flags, *[numbers[name] for name in NUMBERS])
    if plan.io is not None:
        calls.ioprio_set(pid, plan.io)
