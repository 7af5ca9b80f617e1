"""What the commands for containers with a record have in common."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable

from hardener.cli import complain
from hardener.errors import EXIT_CLEAN, EXIT_USAGE, HardenError
from hardener.launch import values
from hardener.runtime.places import Places, places
from hardener.runtime.state import State, find


def here() -> Places:
    """Return where the records of this user are."""
    return places(os.geteuid(), os.environ)


def take_names(parser: ArgumentParser) -> None:
    """Declare that a command takes one container or more."""
    parser.add_argument("names", nargs="+", metavar="CONTAINER", help="a name, or the beginning of an id")


def take_ending(parser: ArgumentParser) -> None:
    """Declare how containers are asked to end, and for how long."""
    parser.add_argument("-t", "--time", "--timeout", type=int, metavar="SECONDS", help="how long to wait before it is killed; -1: for ever")
    parser.add_argument("-s", "--signal", default="", metavar="SIGNAL", help="what to send instead of its own stop signal")


def signal_of(args: Namespace) -> int | None:
    """Return the signal that is asked for; None without one."""
    return values.signal(args.signal, "--signal") if args.signal else None


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


def each_container(places: Places, names: Iterable[str], act: Callable[[State], None]) -> int:
    """Look each container up, do something to it, and print what it was called by."""

    def one(name: str) -> None:
        act(find(places, name))
        print(name)

    return each(names, one)


def say(notices: Iterable[str]) -> None:
    """Tell a user, beside the output, what they should know."""
    for notice in notices:
        print(f"harden: {notice}", file=sys.stderr)


def agreed(question: str, command: str) -> bool:
    """Ask whether to go on; an error where nobody is there to answer."""
    if not sys.stdin.isatty():
        raise HardenError("there is nobody to ask", where=command, how="add --force")
    print(question, end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def decimal(size: int) -> str:
    """Return bytes as docker shows them: 126MB."""
    return scaled(size, 1000, ("B", "kB", "MB", "GB", "TB"), 3)


def scaled(size: int, step: int, units: tuple[str, ...], digits: int) -> str:
    """Return a size in the largest of some units that each are `step` times the one before."""
    value, at = float(size), 0
    while float(f"{value:.{digits}g}") >= step and at < len(units) - 1:
        value, at = value / step, at + 1
    return f"{value:.{digits}g}{units[at]}"
