"""`harden stop`: ask containers to end, and end them when they do not."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.runtime import lifecycle, state


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker stop` has them."""
    named.take_ending(parser)
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Stop each container; their time runs for all at once."""
    places = named.here()
    signal = named.signal_of(args)
    found = []

    def look(name: str) -> None:
        record = state.find(places, name)
        found.append((name, lifecycle.ask_to_stop(places, record, args.time, signal)))

    def end(name: str) -> None:
        lifecycle.see_off(found.pop(0)[1])
        print(name)

    code = named.each(args.names, look)
    return max(code, named.each([name for name, _ in found], end))
