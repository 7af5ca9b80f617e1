"""`harden pause`: hold all processes of containers still."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.errors import HardenError
from hardener.runtime import freezer, state


def configure(parser: ArgumentParser) -> None:
    """Declare what `docker pause` takes."""
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Pause each container; return when none of its processes runs."""
    places = named.here()

    def act(name: str) -> None:
        record = state.find(places, name)
        if record.status != state.RUNNING:
            raise HardenError(f"the container {record.name} is {record.status}, and only what runs can be paused", where="harden pause")
        freezer.freeze(record.cgroups, True)
        print(name)

    return named.each(args.names, act)
