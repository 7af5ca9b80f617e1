"""`harden image sbom`: the packages of an image as a bill of materials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hardener.cli import image_options, named
from hardener.cli.terminal import say, write_report
from hardener.errors import EXIT_CLEAN
from hardener.images.sbom import FORMATS, writer

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.images.image import Image
    from hardener.images.packages.model import Distribution, Package


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden image sbom`."""
    image_options.configure(parser)
    group = parser.add_argument_group("output")
    group.add_argument(
        "--format", choices=tuple(FORMATS), default="cyclonedx", help="JSON of CycloneDX 1.6 or SPDX 2.3 (default: cyclonedx)"
    )
    group.add_argument("-o", "--output", metavar="FILE", help="write to a file instead of standard output")
    parser.epilog = (
        "Listed is what the final image has: deb, apk, rpm (of SQLite databases), Python, npm, and the modules in programs of Go. What a\n"
        "package of the distribution brought along is told with that one. The same image gives the same bytes: the time in it is\n"
        "$SOURCE_DATE_EPOCH, or when the image was made. What could not be read is told on standard error, and in the document."
    )


def run(args: Namespace) -> int:
    """Look through the image, and write what is in it."""
    from hardener.images.packages.scanner import PackageScanner
    from hardener.images.scan import scan

    time_of_build()
    image = image_options.image(args, named.here().data)
    scanner = PackageScanner()
    view = scan(image, (scanner,))
    packages = scanner.packages(view)
    shown = document(args.format, image, scanner.distribution(view), packages, scanner.notes)
    if args.output:
        write_report(shown, args.output)
    else:
        say(shown)
    return EXIT_CLEAN


def time_of_build() -> str:
    """Return SOURCE_DATE_EPOCH, an empty string when it is not set; raise HardenError when it is no time."""
    from hardener.images.sbom.inventory import seconds

    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds(epoch)
    return epoch


def document(kind: str, image: Image, distribution: Distribution, packages: tuple[Package, ...], unread: tuple[str, ...]) -> str:
    """Return the document of a format; what could not be read is told on standard error as well."""
    from hardener.images.sbom.inventory import Inventory, moment

    for note in unread:
        image_options.notice(note)
    return writer(kind).write(Inventory(image, distribution, packages, unread, moment(image, time_of_build())))
