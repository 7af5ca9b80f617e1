"""`harden rm`: remove containers that have ended."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.errors import HardenError
from hardener.runtime import lifecycle, state
from hardener.runtime.state import State


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker rm` has them."""
    parser.add_argument("-f", "--force", action="store_true", help="end it first if it runs; no error when there is none")
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Remove each container."""
    places = named.here()

    def act(name: str) -> None:
        record = _find(name)
        if record is not None:
            lifecycle.remove(places, record, force=args.force)
            print(name)

    def _find(name: str) -> State | None:
        try:
            return state.find(places, name)
        except HardenError as error:
            if args.force and error.what.startswith("there is no container"):  # as docker: it is gone, which is what was asked for
                return None
            raise

    return named.each(args.names, act)
