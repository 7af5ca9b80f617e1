"""`harden image verify`: is an image signed with one of these keys, and what is its digest then?"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hardener.cli import image_options
from hardener.cli.terminal import say
from hardener.errors import EXIT_CLEAN, EXIT_FINDINGS, HardenError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.images.image import Image
    from hardener.images.signatures.verify import Verification


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden image verify`."""
    image_options.configure(parser)
    add = parser.add_argument_group("signatures").add_argument
    add(
        "--key", action="append", default=[], metavar="FILE", help="a public key (PEM), such as cosign.pub; several: one has to have signed"
    )
    add(
        *("--signed-as",),
        action="append",
        default=[],
        metavar="REPOSITORY",
        help="what the signature may call the image, when it is a copy: ghcr.io/acme/*, or * (may be repeated)",
    )
    add("--format", choices=("text", "json"), default="text", help="what goes to standard output (default: text)")
    parser.epilog = (
        "Signatures of cosign are looked for beside the image: in the registry's list of referrers, under the tag that stands in for\n"
        "that, and under cosign's own tag; in a layout, beside it. One with a certificate instead of a key is told, and counts for\n"
        "nothing; transparency logs are not asked. What holds is remembered: a policy's `require-signature` then lets it start offline.\n"
        "exit codes: 0 verified, 1 not verified, 2 usage, or an image or key that cannot be read"
    )


def run(args: Namespace) -> int:
    """Verify an image, say what came of it, and return the exit code."""
    if not args.key:
        raise HardenError("there is no key to verify with", where="harden image verify", how="--key cosign.pub")
    from hardener.images.signatures import beside, keys, verify
    from hardener.launch import verified
    from hardener.reports import signatures as report
    from hardener.runtime.places import places

    known = [keys.read(path) for path in args.key]
    home = places(os.geteuid(), os.environ)
    image: Image = image_options.image(args, home.data)
    shelf = beside.shelf(image, image_options.options(args))
    subject = verify.subject_of(image)
    found: Verification = verify.Verification(subject, args.image, (), ("what it comes from keeps no signatures: name its registry",))
    if shelf is not None:
        found = verify.verify(subject, shelf, known, args.signed_as)
    say(report.render_json(image, found) if args.format == "json" else report.render_text(image, found))
    if not found.valid:
        return EXIT_FINDINGS
    try:
        verified.record(home.data, found)
    except HardenError as error:
        print(f"harden: not remembered: {error.what}", file=sys.stderr)
    return EXIT_CLEAN
