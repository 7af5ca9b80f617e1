"""`harden kill`: send a signal to containers."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.runtime import lifecycle, state


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker kill` has them."""
    parser.add_argument("-s", "--signal", default="KILL", metavar="SIGNAL", help="a name or a number (default KILL)")
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Send the signal to each container."""
    places = named.here()
    signal = named.signal_number(args.signal, "harden kill --signal")

    def act(name: str) -> None:
        lifecycle.kill(state.find(places, name), signal)
        print(name)

    return named.each(args.names, act)
