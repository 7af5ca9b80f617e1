"""`harden kill`: send a signal to containers."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.launch import values
from hardener.runtime import lifecycle


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker kill` has them."""
    parser.add_argument("-s", "--signal", default="KILL", metavar="SIGNAL", help="a name or a number (default KILL)")
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Send the signal to each container."""
    signal = values.signal(args.signal, "--signal")
    return named.each_container(named.here(), args.names, lambda record: lifecycle.kill(record, signal))
