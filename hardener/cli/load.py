"""`harden load`: take the images of an archive into the store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hardener.cli import named
from hardener.cli.terminal import say
from hardener.errors import EXIT_CLEAN, HardenError
from hardener.launch import stock

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker load` has them."""
    parser.add_argument(
        *("-i", "--input"), default="-", metavar="FILE", help="an archive, compressed or not, or an OCI layout (default: standard input)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="docker's: no progress is shown")
    parser.add_argument("--platform", default="", metavar="OS/ARCH", help="which of an image's platforms (default: all that are there)")


def run(args: Namespace) -> int:
    """Load the images, and print their names."""
    from hardener.cli import tame
    from hardener.images import loading

    if args.input == "-" and sys.stdin is not None and sys.stdin.isatty():
        raise HardenError("nothing comes from a terminal", where="harden load", how="name a file: -i FILE")
    for one in loading.load(args.input, stock.writing(named.here()), args.platform):
        say(f"Loaded image: {tame(one.name)}\n" if one.name else f"Loaded image ID: {one.descriptor.digest}\n")
    return EXIT_CLEAN
