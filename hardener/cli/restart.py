"""`harden restart`: stop containers and start them again."""

import sys
from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.runtime import lifecycle, state


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker restart` has them."""
    parser.add_argument("-t", "--time", "--timeout", type=int, metavar="SECONDS", help="how long to wait before it is killed; -1: for ever")
    parser.add_argument("-s", "--signal", default="", metavar="SIGNAL", help="what to send instead of its own stop signal")
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Restart each container, one after the other."""
    places = named.here()
    signal = named.signal_number(args.signal, "harden restart --signal") if args.signal else None

    def act(name: str) -> None:
        record = state.find(places, name)
        lifecycle.see_off(lifecycle.ask_to_stop(places, record, args.time, signal))
        _, notices = lifecycle.start(places, state.find(places, record.name))
        for notice in notices:
            print(f"harden: {notice}", file=sys.stderr)
        print(name)

    return named.each(args.names, act)
