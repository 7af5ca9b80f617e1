"""`harden pull`: fetch images from their registries into the store, verified."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hardener.cli import image_options, named
from hardener.cli.terminal import say
from hardener.errors import HardenError
from hardener.launch import stock

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.runtime.places import Places


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker pull` has them, and how registries are spoken to."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print the names in full, and nothing else")
    image_options.registry_flags(parser)
    parser.add_argument("names", nargs="+", metavar="NAME[:TAG|@DIGEST]", help="an image of a registry, by default of docker.io")


def run(args: Namespace) -> int:
    """Fetch each image; its digest and its name in full come last."""
    places = named.here()
    try:
        return named.each(args.names, lambda name: _pull(name, places, args))
    except KeyboardInterrupt:
        os._exit(130)  # threads may wait for a registry that is silent; what has come is continued by the next pull


def _pull(text: str, places: Places, args: Namespace) -> None:
    from hardener.cli import progress
    from hardener.images.listing import familiar
    from hardener.images.progress import Silent
    from hardener.images.pull import pull
    from hardener.oci import reference

    text = text.removeprefix("docker://")
    transport = text.partition(":")[0]
    if transport in ("oci", "oci-archive", "docker-archive", "docker-daemon"):
        how = "harden load -i FILE or DIR takes it into the store" if transport != "docker-daemon" else "docker save NAME | harden load"
        raise HardenError(f"harden pull fetches from registries, not from {transport}:", where=text, how=how)
    if text.startswith(("http://", "https://")):
        raise HardenError("this is an address, not a name of an image", where=text, how=f"leave out {text.partition('://')[0]}://")
    if why := reference.error(text):
        raise HardenError(f"{text!r} is no name of an image: {why}", where="harden pull", how="write [REGISTRY/]NAME[:TAG|@DIGEST]")
    with Silent() if args.quiet else progress.display() as shown:
        options = image_options.options(args, None if args.quiet else shown.note)
        done = pull(reference.split(text), stock.writing(places), args.platform, options, shown)
    if args.quiet:
        say(f"{done.name}\n")
        return
    status = "Downloaded newer image for" if done.new else "Image is up to date for"
    say(f"Digest: {done.descriptor.digest}\nStatus: {status} {familiar(done.name)}\n{done.name}\n")
