"""`harden logs`: what a detached container has written."""

import posix
import select
import sys
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Iterable, Iterator

from hardener.cli import named
from hardener.errors import EXIT_CLEAN, HardenError
from hardener.linux import calls
from hardener.linux.consts import IN_CREATE, IN_MODIFY, IN_MOVED_TO
from hardener.runtime import clock, logs, processes, state
from hardener.runtime.logs import Entry
from hardener.runtime.state import State


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker logs` has them."""
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the container ends")
    parser.add_argument("-n", "--tail", default="all", metavar="N", help="only the last N lines")
    parser.add_argument("-t", "--timestamps", action="store_true", help="begin each line with its time")
    parser.add_argument("--since", default="", metavar="TIME", help="only what is newer: 10m, 2024-05-01T12:00:00Z or seconds since 1970")
    parser.add_argument("--until", default="", metavar="TIME", help="only what is older")
    parser.add_argument("name", metavar="CONTAINER", help="a name, or the beginning of an id")


def run(args: Namespace) -> int:
    """Print the log; what went to standard error goes there."""
    if args.tail != "all" and not (args.tail.isascii() and args.tail.isdigit()):
        raise HardenError(f"{args.tail!r} is not a number of lines", where="harden logs --tail", how="write a number, or all")
    tail = None if args.tail == "all" else int(args.tail)
    since_ns = clock.since(args.since, "harden logs --since") if args.since else None
    until_ns = clock.since(args.until, "harden logs --until") if args.until else None
    record = state.find(named.here(), args.name)
    reader = logs.Reader(record.folder)
    if not reader.found and not record.detached:
        raise HardenError(
            f"the container {record.name} was started in the foreground, so there is no log",
            how="its output went to where it was started; harden run -d keeps one",
        )
    try:
        entries = _select(reader.read(), tail=tail, since_ns=since_ns, until_ns=until_ns)
        _print(entries, timestamps=args.timestamps)
        if args.follow and record.live:
            _print(_select(_follow(record, reader), since_ns=since_ns, until_ns=until_ns), timestamps=args.timestamps)
    except BrokenPipeError:  # whoever read us has had enough
        posix._exit(EXIT_CLEAN)
    finally:
        reader.close()
    if reader.missed:
        print("harden: some lines were gone before they could be read", file=sys.stderr)
    return EXIT_CLEAN


def _select(entries: Iterable[Entry], *, tail: int | None = None, since_ns: int | None, until_ns: int | None) -> Iterable[Entry]:
    wanted = (entry for entry in entries if _within(entry, since_ns, until_ns))
    return wanted if tail is None else deque(wanted, maxlen=tail)


def _within(entry: Entry, since_ns: int | None, until_ns: int | None) -> bool:
    if since_ns is None and until_ns is None:
        return True
    try:
        at_ns = clock.parse(entry.moment)
    except ValueError:
        return False
    return (since_ns is None or at_ns >= since_ns) and (until_ns is None or at_ns <= until_ns)


def _print(entries: Iterable[Entry], *, timestamps: bool) -> None:
    for entry in entries:
        out = sys.stderr.buffer if entry.stream == logs.ERR else sys.stdout.buffer
        out.write((f"{entry.moment} ".encode() if timestamps else b"") + entry.line)
        out.flush()


def _follow(record: State, reader: logs.Reader) -> Iterator[Entry]:
    """Return what is written until the container's supervisor has gone; the kernel tells us when to look again."""
    supervisor = processes.watch(record.supervisor, record.supervisor_started, record.boot_id)
    if supervisor is None:
        yield from reader.read()
        return
    changes = calls.inotify(record.folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO)
    poll = select.poll()
    poll.register(supervisor, select.POLLIN)
    poll.register(changes, select.POLLIN)
    gone = False
    try:
        while not gone:
            yield from reader.read()
            gone = any(fd == supervisor for fd, _ in poll.poll())
            if not gone:
                posix.read(changes, 1 << 16)
        yield from reader.read()
    finally:
        posix.close(supervisor)
        posix.close(changes)
