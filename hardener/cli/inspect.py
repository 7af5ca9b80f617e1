"""`harden inspect`: the walls of a running container as the kernel shows them, and what its record says."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from hardener.cli import named
from hardener.cli.terminal import say
from hardener.errors import HardenError
from hardener.linux import calls
from hardener.reports.excerpt import one_line
from hardener.runtime import cgroups, container, detach, enter, health, state, walls

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.runtime.job import Job
    from hardener.runtime.state import State
    from hardener.runtime.walls import Wall

HEADER = ("WALL", "STATE", "DETAIL")


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden inspect`."""
    parser.add_argument(
        "--format",
        choices=("table", "json"),
        default=None,
        help="the walls as a table (the default on a terminal), or all there is to know as JSON (elsewhere)",
    )
    parser.add_argument(
        "--pid", action="append", type=int, default=[], metavar="NUMBER", help="any process: another engine's container, too"
    )
    parser.add_argument("names", nargs="*", metavar="CONTAINER", help="a name, or the beginning of an id")
    parser.epilog = (
        "What is said of a container that runs comes from the kernel: namespaces, capabilities, mounts, control groups of the live\n"
        "process. What is said of one that has ended is the plan by which it would be started again."
    )


def run(args: Namespace) -> int:
    """Show each container; the names come first."""
    if not args.names and not args.pid:
        raise HardenError("there is no container to inspect", where="harden inspect", how="name one: `harden ps -a` lists them")
    reports = []

    def look(name: str) -> None:
        reports.append(_container(state.find(named.here(), name)))

    def look_at(pid: str) -> None:
        reports.append(_process(int(pid)))

    code = [named.each(args.names, look), named.each(map(str, args.pid), look_at)]
    if (args.format or ("table" if sys.stdout.isatty() else "json")) == "json":
        say(json.dumps([report.dump() for report in reports], indent=2) + "\n")
    else:
        say("\n".join(report.table(_width()) for report in reports))
    return max(code)


class Report:
    """What is to be said of one container or process."""

    def __init__(self, title: str, found: list[Wall], record: State | None = None, job: Job | None = None) -> None:
        self.title = title
        self.walls = found
        self.record = record
        self.job = job
        self.health = health.read(record) if record is not None and job is not None and job.health is not None else None

    def dump(self) -> dict[str, object]:
        """Return it as JSON."""
        found = [{"wall": wall.name, "state": wall.state, "closed": wall.closed, "detail": wall.detail} for wall in self.walls]
        known: dict[str, object] = {"title": self.title, "walls": found}
        if self.record is not None:
            known = {**self.record.dump(), "live": self.record.live, **known}
            if self.health is not None:
                known["health"] = self.health
        if self.job is not None:
            known |= {"looser": [*self.job.looser], "policy": self.job.policy, "image": self.job.image, "job": self.job.dump()}
        return known

    def table(self, width: int) -> str:
        """Return it as a table that fits into a width."""
        rows = [(wall.name, wall.state, wall.detail) for wall in self.walls]
        if self.job is not None:
            rows += [("looser than policy", self.job.policy, line) for line in self.job.looser]
        if self.health is not None:
            rows.append(("health", str(self.health["Status"]), _last_check(self.health)))
        left = max(len(row[0]) for row in (HEADER, *rows)) + 3
        middle = max(len(row[1]) for row in (HEADER, *rows)) + 3
        lines = [self.title]
        for name, state_, detail in (HEADER, *rows):
            first, *more = _wrapped(detail, max(width - left - middle, 20))
            lines.append(f"{name:<{left}}{state_:<{middle}}{first}".rstrip())
            lines += [f"{'':<{left + middle}}{line}" for line in more]
        return "\n".join(lines) + "\n"


def _last_check(known: dict[str, object]) -> str:
    log = known.get("Log")
    last = log[-1] if isinstance(log, list) and log else None
    if not isinstance(last, dict):
        return "not checked yet"
    said = one_line(str(last.get("Output", "")).strip())
    return f"{known.get('FailingStreak')} failures in a row; the last check exited with {last.get('ExitCode')}{f': {said}' if said else ''}"


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _width() -> int:
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns)
    except (OSError, ValueError):
        return 120


def _container(record: State) -> Report:
    job = record.job()
    pidfd = state.container_fd(record) if record.status in (state.RUNNING, state.PAUSED) else None
    if record.pid is None or pidfd is None:
        title = f"{record.name} is {record.status}: this is what it would be started with"
        return Report(title, _planned(record, job), record, job)
    title = f"{record.name} is {record.status}: process {record.pid}, image {job.image or job.rootfs.layers[-1:]}, policy {job.policy}"
    return Report(title, [*_live(record.pid, pidfd), _unseen(record, job)], record, job)


def _process(pid: int) -> Report:
    try:
        pidfd = calls.pidfd_open(pid)
    except OSError as error:
        raise HardenError(f"there is no process {pid}", where="harden inspect --pid", how="`ps -e` lists them") from error
    return Report(f"process {pid}", _live(pid, pidfd))


def _live(pid: int, pidfd: int) -> list[Wall]:
    """Read the walls of a process; the pidfd, which is closed here, proves that it was that one all the time."""
    try:
        pid, pidfd = enter.member(pid, pidfd)
        found = walls.read(pid, cgroups.read_layout())
        calls.pidfd_send_signal(pidfd, 0)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise HardenError(f"the process {pid} has just ended", where="harden inspect", how="name one that runs") from error
    except PermissionError as error:
        raise HardenError(f"the process {pid} is not yours to look into", where="harden inspect", how="as who it was started by") from error
    finally:
        os.close(pidfd)
    return found


def _unseen(record: State, job: Job) -> Wall:
    """Return what the kernel does not show of a process, as it was asked for: where that cannot be had, a container does not start."""
    plan = detach.plan(job, record).landlock
    return walls.Wall(
        "Landlock", not plan.missing, "off" if plan.missing else "on", plan.missing or "as planned: the kernel does not show it"
    )


def _planned(record: State, job: Job) -> list[Wall]:
    rows = container.describe(detach.plan(job, record))
    return [walls.Wall(step, True, "planned", line) for step, lines in rows for line in lines]
