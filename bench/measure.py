"""Runs a command and says what it cost: wall clock, processor time, peak memory.

A process inherits the peak memory of the one that started it until it grows beyond that, so commands are started by a launcher
that is itself tiny (an interpreter without `site`): this floor, about 9 MB, is below everything that is measured here.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LAUNCHER = """
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
err = os.memfd_create("err") if hasattr(os, "memfd_create") else os.open(os.devnull, os.O_WRONLY)
start = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2)])
_, status, usage = os.wait4(pid, 0)
wall = time.monotonic() - start
print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


class Cost(NamedTuple):
    """What one run cost; `peak_kb` is that of the largest process."""

    wall_s: float
    cpu_s: float
    peak_kb: int
    exit_code: int
    output: Path


class Summary(NamedTuple):
    """Several runs of the same command."""

    runs: int
    wall_s: float  # median
    wall_min_s: float
    cpu_s: float  # median
    peak_kb: int  # greatest
    exit_code: int


def run(
    command: Sequence[str], *, cwd: Path, output: Path, environment: Mapping[str, str], timeout_s: float, prefix: Sequence[str] = ()
) -> Cost | None:
    """Run a command once; None when it did not end in time. Its standard output goes to the file `output`.

    `prefix` starts the launcher elsewhere, in another mount namespace for example; the time it takes does not count.
    """
    launcher = [*prefix, sys.executable, "-I", "-S", "-c", LAUNCHER, str(output), *command]
    # Nowhere /dev/null: crun gives its standard streams to the user of the container, and with them this machine's null device.
    started = subprocess.Popen(
        launcher, cwd=cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        numbers, _ = started.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)  # a session of its own, made just above: nothing else is in it
        started.communicate()
        return None
    wall, cpu, peak, code = numbers.split()
    return Cost(float(wall), float(cpu), int(peak), int(code), output)


def summarize(costs: Sequence[Cost]) -> Summary:
    """Return medians; memory is the greatest that was seen."""
    return Summary(
        len(costs),
        statistics.median(cost.wall_s for cost in costs),
        min(cost.wall_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        max(cost.peak_kb for cost in costs),
        costs[-1].exit_code,
    )


def total_memory_kb(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> int:
    """Return the peak of the memory of a command and all its children together (PSS: shared pages count once), in kB.

    Sampled every 5 ms, which slows the command down: not for a run whose time counts.
    """
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as started:
        peak = 0
        while started.poll() is None:
            peak = max(peak, _pss_kb(started.pid))
            time.sleep(0.005)
    return peak


def _pss_kb(pid: int) -> int:
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as children:
                total += sum(_pss_kb(int(child)) for child in children.read().split())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return total  # it ended while we looked
    return total


def load(path: Path) -> object:
    """Return the JSON in a file, or None when it holds none."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None
