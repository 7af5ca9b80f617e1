"""`harden ps`: the containers that run, or all that have a record."""

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Final

from hardener.cli import named
from hardener.errors import EXIT_CLEAN, HardenError, suggest
from hardener.runtime import clock, health, state
from hardener.runtime.job import Job
from hardener.runtime.state import State

COLUMNS: Final = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "NAMES")
COMMAND_WIDTH: Final = 20
FORMATS: Final = ("table", "json")
NONE: Final = "none"  # health that is not checked
FILTERS: Final = ("ancestor", "exited", "health", "id", "label", "name", "status")
HEALTHS: Final = (health.STARTING, health.HEALTHY, health.UNHEALTHY, NONE)
STATUSES: Final = (state.CREATED, state.RESTARTING, state.RUNNING, state.PAUSED, state.EXITED, state.DEAD)


class Row:
    """One container, its record and what it was started from; the job is None when it cannot be read."""

    def __init__(self, record: State) -> None:
        self.state = record
        self.job: Job | None = None
        try:
            if record.status != state.DEAD:
                self.job = record.job()
        except HardenError as error:
            record.note = str(error)

    @property
    def command(self) -> str:
        """What runs in it."""
        process = self.job.spec.process if self.job else None
        return " ".join(process.args) if process else ""

    @property
    def labels(self) -> dict[str, str]:
        """What was written on it."""
        return self.job.labels if self.job else {}

    @property
    def image(self) -> str:
        """What its root was made of."""
        return self.job.image if self.job else ""

    def created(self) -> str:
        """How long it has been there."""
        return f"{clock.lasting(_since(self.state.created_at))} ago" if self.state.created_at else ""

    def status(self) -> str:
        """How it is, in docker's words."""
        record = self.state
        match record.status:
            case state.RUNNING | state.PAUSED:
                return f"Up {clock.lasting(_since(record.started_at))}{self._aside()}"
            case state.RESTARTING:
                return f"Restarting ({record.exit_code}) {clock.lasting(_since(record.finished_at))} ago"
            case state.EXITED:
                return f"Exited ({record.exit_code}) {clock.lasting(_since(record.finished_at))} ago"
            case _:
                return record.status.capitalize()

    @property
    def health(self) -> str:
        """What its checks say: starting, healthy, unhealthy; none when there are none, or it does not run."""
        known = health.read(self.state) if self.state.live and self.job is not None and self.job.health is not None else None
        return str(known["Status"]) if known else NONE

    def _aside(self) -> str:
        if self.state.status == state.PAUSED:
            return " (Paused)"
        word = self.health
        return "" if word == NONE else f" (health: {word})" if word == health.STARTING else f" ({word})"


def _since(moment: str | None) -> float:
    return max(0.0, (time.time_ns() - clock.parse(moment)) / clock.SECOND_NS) if moment else 0.0


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker ps` has them."""
    parser.add_argument("-a", "--all", action="store_true", help="also those that have ended")
    parser.add_argument("-q", "--quiet", action="store_true", help="only the ids")
    parser.add_argument("-f", "--filter", action="append", default=[], metavar="KEY=VALUE", help=f"only some: {', '.join(FILTERS)}")
    parser.add_argument("--format", default="table", metavar="FORMAT", help="table, or json: one object a line")
    parser.add_argument("--no-trunc", action="store_true", help="whole commands")
    parser.add_argument("-n", "--last", type=int, default=-1, metavar="N", help="the last N containers, in whatever state")
    parser.add_argument("-l", "--latest", action="store_true", help="the last container, in whatever state")


def run(args: Namespace) -> int:
    """Print the containers, newest first."""
    if args.format not in FORMATS:
        raise HardenError(
            f"unknown format {args.format!r}", where="harden ps --format", how=suggest(args.format, FORMATS) or "table or json"
        )
    tests = [_filter(text) for text in args.filter]
    rows = [Row(record) for record in state.containers(named.here())]
    last = 1 if args.latest else args.last
    if last >= 0:
        rows = rows[:last]
    elif not args.all and not any(text.startswith(("status=", "exited=")) for text in args.filter):
        rows = [row for row in rows if row.state.live]
    rows = [row for row in rows if all(test(row) for test in tests)]
    if args.quiet:
        lines = [row.state.id for row in rows]
    elif args.format == "json":
        lines = [json.dumps(_object(row), ensure_ascii=False) for row in rows]
    else:
        lines = _table([COLUMNS, *(_cells(row, whole=args.no_trunc) for row in rows)])
    for line in lines:
        print(line)
    return EXIT_CLEAN


def _filter(text: str) -> Callable[[Row], bool]:
    key, equals, value = text.partition("=")
    if key not in FILTERS or not equals:
        how = suggest(key, FILTERS) or f"write KEY=VALUE with one of {', '.join(FILTERS)}"
        raise HardenError(f"{text!r} is not a filter", where="harden ps --filter", how=how)
    if key == "status" and value not in STATUSES:
        raise HardenError(f"{value!r} is not a status", where="harden ps --filter", how=suggest(value, STATUSES) or ", ".join(STATUSES))
    if key == "health" and value not in HEALTHS:
        raise HardenError(f"{value!r} is no health", where="harden ps --filter", how=suggest(value, HEALTHS) or ", ".join(HEALTHS))
    if key == "exited" and not value.lstrip("-").isdigit():
        raise HardenError(f"{value!r} is not an exit code", where="harden ps --filter", how="write exited=137")
    label, has_value, wanted = value.partition("=")
    tests: dict[str, Callable[[Row], bool]] = {
        "ancestor": lambda row: row.image == value,
        "exited": lambda row: row.state.status == state.EXITED and row.state.exit_code == int(value),
        "health": lambda row: row.health == value,
        "id": lambda row: row.state.id.startswith(value),
        "label": lambda row: label in row.labels and (not has_value or row.labels[label] == wanted),
        "name": lambda row: value in row.state.name,
        "status": lambda row: row.state.status == value,
    }
    return tests[key]


def _cells(row: Row, *, whole: bool) -> tuple[str, ...]:
    command = row.command
    if not whole and len(command) > COMMAND_WIDTH:
        command = command[: COMMAND_WIDTH - 1] + "…"
    return (row.state.id, row.image, f'"{_printable(command)}"', row.created(), row.status(), row.state.name)


def _printable(text: str) -> str:
    """Keep what a container is called with from writing to the terminal of who looks at it."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _object(row: Row) -> dict[str, object]:
    record = row.state
    return {
        "ID": record.id,
        "Names": record.name,
        "Image": row.image,
        "Command": f'"{row.command}"',
        "CreatedAt": record.created_at,
        "RunningFor": row.created(),
        "State": record.status,
        "Status": row.status(),
        "Health": row.health,
        "ExitCode": record.exit_code,
        "Pid": record.pid,
        "Restarts": record.restarts,
        "OOMKilled": record.oom,
        "Labels": ",".join(f"{key}={value}" for key, value in row.labels.items()),
        "Policy": row.job.policy if row.job else "",
        "Note": record.note,
    }
