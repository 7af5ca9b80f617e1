"""`harden start`: start containers again that have ended."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.errors import HardenError
from hardener.launch import images
from hardener.runtime import lifecycle, state


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker start` has them."""
    parser.add_argument("-a", "--attach", action="store_true", help="show its output, hand signals on, and end with its exit code")
    parser.add_argument("-i", "--interactive", action="store_true", help="hand our standard input on")
    named.take_names(parser)


def run(args: Namespace) -> int:
    """Start each container."""
    places = named.here()
    attached = args.attach or args.interactive
    if attached and len(args.names) > 1:
        raise HardenError("only one container can be started and attached to", where="harden start", how="leave -a and -i, or name one")
    codes = [0]

    def act(name: str) -> None:
        record = state.find(places, name)
        if not record.live:
            images.bring_back(record, places)
        code, notices = lifecycle.start(places, record, attached=attached, listening=args.interactive)
        codes.append(code)
        named.say(notices)
        if not attached:
            print(name)

    return max(named.each(args.names, act), *codes)
