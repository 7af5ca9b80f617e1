"""`harden unpause`: let paused containers go on."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.errors import HardenError
from hardener.runtime import freezer, state


def configure(parser: ArgumentParser) -> None:
    """Declare what `docker unpause` takes."""
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Let each container go on."""
    places = named.here()

    def act(name: str) -> None:
        record = state.find(places, name)
        if record.status != state.PAUSED:
            raise HardenError(f"the container {record.name} is {record.status}, not paused", where="harden unpause")
        freezer.freeze(record.cgroups, False)
        print(name)

    return named.each(args.names, act)
