"""When a process gets a processor and the disk, as the specification says."""

from pathlib import Path
from typing import Any

import pytest
from launching import config, launch

from hardener.errors import HardenError
from hardener.oci.runtime import Spec
from hardener.runtime import scheduling

SEE = ("/bin/sh", "-c", "cut -d' ' -f19,41 /proc/self/stat; ionice")


@pytest.mark.parametrize("init", ["true", "false"])
@pytest.mark.parametrize(
    ("scheduler", "io", "seen"),
    [
        (None, None, ["0", "0", "none: prio 0"]),
        ({"policy": "SCHED_BATCH", "nice": 5}, {"class": "IOPRIO_CLASS_BE", "priority": 6}, ["5", "3", "best-effort: prio 6"]),
        ({"policy": "SCHED_IDLE"}, {"class": "IOPRIO_CLASS_IDLE"}, ["0", "5", "idle"]),
        ({"policy": "SCHED_OTHER", "nice": -3}, None, ["-3", "0", "none: prio 0"]),
        ({"policy": "SCHED_RR", "priority": 2}, {"class": "IOPRIO_CLASS_RT", "priority": 1}, ["0", "2", "realtime: prio 1"]),
    ],
)
def test_it_is_set_though_the_container_could_not(root: Path, folder: Path, init: str, scheduler: Any, io: Any, seen: list[str]) -> None:
    document = config(root, *SEE, process__scheduler=scheduler, process__ioPriority=io, annotations={"dev.hardener.init": init})
    if scheduler and scheduler["policy"] == "SCHED_RR":
        document["linux"]["resources"] = None  # a group of cgroup v1 has no real time unless it is given some
    result = launch(document, folder)
    first, second = result.out.splitlines()
    assert [*first.split(), second] == seen, result


@pytest.mark.parametrize(
    ("scheduler", "io", "message"),
    [
        ([], None, "process.scheduler must be an object"),
        ({}, None, "unknown None"),
        ({"policy": "SCHED_FIFI"}, None, "unknown 'SCHED_FIFI'"),
        ({"policy": "SCHED_FIFO"}, None, "0 is no priority of SCHED_FIFO"),
        ({"policy": "SCHED_FIFO", "priority": 100}, None, "100 is no priority"),
        ({"policy": "SCHED_OTHER", "priority": 1}, None, "1 is no priority of SCHED_OTHER"),
        ({"policy": "SCHED_OTHER", "nice": 20}, None, "20 is not between -20 and 19"),
        ({"policy": "SCHED_OTHER", "nice": "1"}, None, "'1' is not a whole number"),
        ({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_X"]}, None, "unknown 'SCHED_FLAG_X'"),
        ({"policy": "SCHED_OTHER", "runtime": 5}, None, "belong to SCHED_DEADLINE"),
        ({"policy": "SCHED_DEADLINE"}, None, "belong to SCHED_DEADLINE, which needs them"),
        (None, {"class": "IOPRIO_CLASS_BE", "priority": 8}, "8 is not between 0 and 7"),
        (None, {"class": "BE"}, "unknown 'BE'"),
    ],
)
def test_what_is_no_schedule(root: Path, scheduler: Any, io: Any, message: str) -> None:
    with pytest.raises(HardenError, match=message):
        scheduling.plan(Spec.parse(config(root, "x", process__scheduler=scheduler, process__ioPriority=io)))


def test_the_plan_can_be_read(root: Path) -> None:
    asked = {"policy": "SCHED_DEADLINE", "runtime": 10, "deadline": 20, "period": 30, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    made = scheduling.plan(Spec.parse(config(root, "x", process__scheduler=asked, process__ioPriority={"class": "IOPRIO_CLASS_IDLE"})))
    assert made is not None
    assert made.scheduler == (6, 1, {"nice": 0, "priority": 0, "runtime": 10, "deadline": 20, "period": 30})
    assert made.lines() == [
        "scheduler policy=SCHED_DEADLINE runtime=10 deadline=20 period=30 flags=['SCHED_FLAG_RESET_ON_FORK']",
        "input and output IOPRIO_CLASS_IDLE",
    ]
    assert scheduling.plan(Spec.parse(config(root, "x"))) is None
