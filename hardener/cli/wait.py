"""`harden wait`: wait until containers have ended, and print their exit codes."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.runtime import lifecycle, state


def configure(parser: ArgumentParser) -> None:
    """Take names."""
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Wait for each container in turn."""
    places = named.here()
    found = []
    code = named.each(args.names, lambda name: found.append(state.find(places, name)))
    for record in found:
        print(lifecycle.wait(record), flush=True)
    return code
