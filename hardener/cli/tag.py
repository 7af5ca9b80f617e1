"""`harden tag`: give an image one more name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.cli import named
from hardener.errors import EXIT_CLEAN
from hardener.launch import stock

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: ArgumentParser) -> None:
    """Declare arguments as `docker tag` has them."""
    parser.add_argument("source", metavar="IMAGE", help="a name, or the beginning of a digest")
    parser.add_argument("target", metavar="NAME[:TAG]", help="the name that it is to have, too; whatever has it loses it")


def run(args: Namespace) -> int:
    """Give the name."""
    from hardener.images.storing import nameable

    wanted = nameable(args.target, "harden tag")
    store = stock.writing(named.here())
    store.tag(wanted, stock.known(store, args.source))
    return EXIT_CLEAN
