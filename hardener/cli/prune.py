"""`harden prune`: remove what no image and no container needs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hardener.cli import named
from hardener.cli.terminal import say
from hardener.errors import EXIT_CLEAN
from hardener.launch import stock

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker image prune` has them."""
    parser.add_argument("-a", "--all", action="store_true", help="also images with a name that no container was made of")
    parser.add_argument("-f", "--force", action="store_true", help="do not ask")


def run(args: Namespace) -> int:
    """Remove images without a name, blobs and unpacked layers of no image, and downloads that were cut off."""
    which = "all images that no container was made of" if args.all else "images without a name"
    question = f"This removes {which}, layers of no image, and what was fetched in part. Go on? [y/N] "
    if not args.force and not named.agreed(question, "harden prune"):
        return EXIT_CLEAN
    places = named.here()
    done = stock.prune(places, stock.writing(places), everything=args.all)
    head = ["Deleted Images:", *done.lines, ""] if done.lines else []
    say("\n".join([*head, f"Total reclaimed space: {named.decimal(done.freed)}", ""]))
    sys.stdout.flush()
    return EXIT_CLEAN
