"""`harden rmi`: take names away from images, and remove those that have none left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.cli import named
from hardener.launch import stock

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker rmi` has them."""
    parser.add_argument(
        "-f", "--force", action="store_true", help="also one that a container was made of, and all names of a digest; none is no error"
    )
    parser.add_argument("--no-prune", action="store_true", help="docker's: there are no parents without a name here")
    parser.add_argument("names", nargs="+", metavar="IMAGE", help="a name, or the beginning of a digest")


def run(args: Namespace) -> int:
    """Remove each image."""
    places = named.here()

    def act(name: str) -> None:
        if args.force and stock.reading(places).find(name) is None:  # it is gone, which is what was asked for
            return
        for line in stock.remove(places, stock.writing(places), name, force=args.force).lines:
            print(line)

    return named.each(args.names, act)
