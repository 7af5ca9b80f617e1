"""What the commands for containers with a record have in common."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable

from hardener.cli import complain
from hardener.errors import EXIT_CLEAN, EXIT_USAGE, HardenError, suggest
from hardener.runtime.places import Places, places


def here() -> Places:
    """Return where the records of this user are."""
    return places(os.geteuid(), os.environ)


def take_names(parser: ArgumentParser) -> None:
    """Declare that a command takes one container or more."""
    parser.add_argument("names", nargs="+", metavar="CONTAINER", help="a name, or the beginning of an id")


def each(names: Iterable[str], act: Callable[[str], None]) -> int:
    """Do something to each container; what fails with one is said, and the next one follows."""
    code = EXIT_CLEAN
    for name in names:
        try:
            act(name)
        except HardenError as error:
            sys.stdout.flush()
            complain(error)
            code = EXIT_USAGE
    return code


def signal_number(text: str, flag: str) -> int:
    """Return the number of a signal that is written as `TERM`, `SIGTERM`, `15` or `RTMIN+1`."""
    import signal

    name = text.upper().removeprefix("SIG")
    if name.isascii() and name.isdigit() and int(name) in {int(one) for one in signal.valid_signals()}:
        return int(name)
    base, plus, offset = name.partition("+")
    known = {one.name.removeprefix("SIG"): int(one) for one in signal.Signals}
    if base == "RTMIN" and plus and offset.isascii() and offset.isdigit() and int(offset) <= signal.SIGRTMAX - signal.SIGRTMIN:
        return int(signal.SIGRTMIN) + int(offset)
    if name in known:
        return known[name]
    raise HardenError(f"{text!r} is not a signal", where=flag, how=suggest(name, [*known]) or "`kill -l` lists them")
