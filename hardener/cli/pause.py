"""`harden pause`: hold all processes of containers still."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.errors import HardenError
from hardener.runtime import freezer, state
from hardener.runtime.state import State


def configure(parser: ArgumentParser) -> None:
    """Declare what `docker pause` takes."""
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Pause each container; return when none of its processes runs."""
    return named.each_container(named.here(), args.names, _pause)


def _pause(record: State) -> None:
    if record.status != state.RUNNING:
        how = f"harden unpause {record.name} lets it go on" if record.status == state.PAUSED else f"harden start {record.name} starts it"
        what = f"the container {record.name} is {record.status}, and only what runs can be paused"
        raise HardenError(what, where="harden pause", how=how)
    freezer.freeze(record.cgroups, True)
