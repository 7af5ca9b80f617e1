"""`harden stats`: what containers use, once or again and again.

Columns, units and what counts as memory are those of `docker stats`.
"""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from typing import Final

from hardener.cli import named
from hardener.errors import EXIT_CLEAN, HardenError, suggest
from hardener.linux import procfs
from hardener.runtime import state
from hardener.runtime.places import Places
from hardener.runtime.state import State
from hardener.runtime.usage import Usage, usage

COLUMNS: Final = ("CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS")
KEYS: Final = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
FORMATS: Final = ("table", "json")
INTERVAL_S: Final = 1.0
UNKNOWN: Final = "--"
_CLEAR: Final = "\x1b[2J\x1b[H"


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker stats` has them."""
    parser.add_argument("-a", "--all", action="store_true", help="also those that have ended")
    parser.add_argument("--no-stream", action="store_true", help="once, and no more")
    parser.add_argument("--format", default="table", metavar="FORMAT", help="table, or json: one object a line")
    parser.add_argument("names", nargs="*", metavar="CONTAINER", help="a name, or the beginning of an id (default: all that run)")


def run(args: Namespace) -> int:
    """Print what each container uses, until interrupted or once."""
    if args.format not in FORMATS:
        how = suggest(args.format, FORMATS) or "table or json"
        raise HardenError(f"unknown format {args.format!r}", where="harden stats --format", how=how)
    places = named.here()
    before = _sample(places, args)
    while True:
        time.sleep(INTERVAL_S)
        now = _sample(places, args)
        rows = [_row(record, used, *_last(before, record, moment)) for record, used, moment in now]
        if args.format == "json":
            lines = [json.dumps({"Container": row[0], **dict(zip(KEYS, row, strict=True))}, ensure_ascii=False) for row in rows]
        else:
            lines = _table([COLUMNS, *rows])
        if not args.no_stream and args.format == "table" and sys.stdout.isatty():
            lines[0] = _CLEAR + lines[0]
        print("\n".join(lines) if lines else "", flush=True, end="\n" if lines else "")
        if args.no_stream:
            return EXIT_CLEAN
        before = now


def _sample(places: Places, args: Namespace) -> list[tuple[State, Usage, float]]:
    records = [state.find(places, name) for name in args.names] if args.names else state.containers(places)
    chosen = [record for record in records if args.names or args.all or record.live]
    return [(record, usage(record.cgroups, record.pid) if record.live else Usage(), time.monotonic()) for record in chosen]


def _last(before: list[tuple[State, Usage, float]], record: State, moment: float) -> tuple[int | None, float]:
    """Return what processor time a container had used the last time we looked, and how long ago that was."""
    return next(((used.cpu_ns, moment - then) for one, used, then in before if (one.id, one.pid) == (record.id, record.pid)), (None, 0.0))


def _row(record: State, used: Usage, cpu_ns: int | None, passed_s: float) -> tuple[str, ...]:
    busy = share = memory = UNKNOWN
    if used.cpu_ns is not None and cpu_ns is not None and passed_s > 0:
        busy = f"{max(used.cpu_ns - cpu_ns, 0) / passed_s / 1e7:.2f}%"
    if used.memory is not None:
        limit = used.memory_limit or _machine_memory()
        memory = f"{_binary(used.memory)} / {_binary(limit)}"
        share = f"{100 * used.memory / limit:.2f}%"
    network = _pair(used.received, used.sent)
    disks = _pair(used.read, used.written)
    return record.id, record.name, busy, memory, share, network, disks, UNKNOWN if used.pids is None else str(used.pids)


def _machine_memory() -> int:
    return next(int(line.split()[1]) << 10 for line in procfs.read("/proc/meminfo").splitlines() if line.startswith("MemTotal:"))


def _pair(one: int | None, other: int | None) -> str:
    return UNKNOWN if one is None or other is None else f"{named.decimal(one)} / {named.decimal(other)}"


def _binary(size: int) -> str:
    return named.scaled(size, 1024, ("B", "KiB", "MiB", "GiB", "TiB"), 4)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
