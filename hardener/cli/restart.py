"""`harden restart`: stop containers and start them again."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.launch import images
from hardener.runtime import lifecycle, state
from hardener.runtime.state import State


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker restart` has them."""
    named.take_ending(parser)
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Restart each container, one after the other."""
    places = named.here()
    signal = named.signal_of(args)

    def restart(record: State) -> None:
        lifecycle.see_off(lifecycle.ask_to_stop(places, record, args.time, signal))
        ended = state.find(places, record.name)
        images.bring_back(ended, places)
        _, notices = lifecycle.start(places, ended)
        named.say(notices)

    return named.each_container(places, args.names, restart)
