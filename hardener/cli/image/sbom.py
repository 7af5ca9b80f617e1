"""`harden image sbom`: the packages of an image as a bill of materials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hardener.cli import image_options
from hardener.cli.terminal import say, write_report
from hardener.errors import EXIT_CLEAN
from hardener.images.sbom import FORMATS, writer

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


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
    from hardener.images.sbom.inventory import Inventory, moment
    from hardener.images.scan import scan

    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    image = image_options.image(args)
    created = moment(image, epoch)
    scanner = PackageScanner()
    view = scan(image, (scanner,))
    packages = scanner.packages(view)
    for note in scanner.notes:
        image_options.notice(note)
    shown = writer(args.format).write(Inventory(image, scanner.distribution(view), packages, scanner.notes, created))
    if args.output:
        write_report(shown, args.output)
    else:
        say(shown)
    return EXIT_CLEAN
