"""`harden stop`: ask containers to end, and end them when they do not."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.runtime import lifecycle, state


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker stop` has them."""
    parser.add_argument("-t", "--time", "--timeout", type=int, metavar="SECONDS", help="how long to wait before it is killed; -1: for ever")
    parser.add_argument("-s", "--signal", default="", metavar="SIGNAL", help="what to send instead of its own stop signal")
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Stop each container; their time runs for all at once."""
    places = named.here()
    signal = named.signal_number(args.signal, "harden stop --signal") if args.signal else None
    found = []

    def look(name: str) -> None:
        record = state.find(places, name)
        found.append((name, lifecycle.ask_to_stop(places, record, args.time, signal)))

    def end(name: str) -> None:
        lifecycle.see_off(found.pop(0)[1])
        print(name)

    code = named.each(args.names, look)
    return max(code, named.each([name for name, _ in found], end))
