"""`harden unpause`: let paused containers go on."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.errors import HardenError
from hardener.runtime import freezer, state
from hardener.runtime.state import State


def configure(parser: ArgumentParser) -> None:
    """Declare what `docker unpause` takes."""
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Let each container go on."""
    return named.each_container(named.here(), args.names, _go_on)


def _go_on(record: State) -> None:
    if record.status != state.PAUSED:
        how = f"harden ps -a --filter name={record.name} shows how it is"
        raise HardenError(f"the container {record.name} is {record.status}, not paused", where="harden unpause", how=how)
    freezer.freeze(record.cgroups, False)
