"""`harden image lint`: judge images by rules of their own, and put the findings where they can be mended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hardener.cli import image_options, judging, named
from hardener.cli.judging import Judging
from hardener.cli.terminal import write_report
from hardener.errors import HardenError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.engine.image_anchors import Anchors
    from hardener.engine.lint import Linter
    from hardener.images.image import Image
    from hardener.rules.image_contents import Contents


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden image lint`."""
    image_options.configure(parser)
    parser.add_argument("further", nargs="*", default=[], metavar="IMAGE", help="further images, judged and reported together")
    add = parser.add_argument_group("where findings stand").add_argument
    add(
        "--dockerfile",
        metavar="FILE",
        help="what the image was built from: findings stand in its lines, its ignore comments count",
    )
    add("--target", default="", metavar="STAGE", help="the stage of the Dockerfile that was built (default: the last)")
    add("--in", dest="inside", metavar="FILE", help="a compose file, Dockerfile or script that names the image: they stand at its name")
    parser.add_argument(
        "--sbom",
        metavar="FILE",
        help="also write what is installed, of one image: as SPDX when FILE ends in .spdx.json, or else as CycloneDX",
    )
    judging.configure(parser, shellcheck=False)
    parser.epilog = (
        "Without --dockerfile or --in, findings stand in the history of the image, shown as a Dockerfile would have it. What is of the\n"
        "base image is told by where its CMD or ENTRYPOINT stands in the history; --dockerfile knows better.\n"
        "exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, configuration or an image that cannot be read, 3 a bug in hardener"
    )


def run(args: Namespace) -> int:
    """Judge, report, and return the exit code."""
    from hardener.engine.image import lint

    if args.dockerfile and args.inside:
        raise HardenError("findings stand in one place", where="--dockerfile --in", how="give one of the two")
    if args.target and not args.dockerfile:
        raise HardenError("--target names a stage of a Dockerfile", where="--target", how="add --dockerfile FILE")
    if args.sbom and args.further:
        raise HardenError("a bill of materials is of one image", where="--sbom", how="name one image, or leave out --sbom")
    if args.sbom:
        from hardener.cli.image import sbom

        sbom.time_of_build()  # what is wrong with it is told before any work is done
    judged = Judging(args, os.getcwd())
    linter = judged.linter()
    images = image_options.images(args, named.here().data)
    found = [(image, _anchors(args, linter, image)) for image in images]  # all that can be wrong with options comes before the work
    outcome = lint(linter, ((_looked_through(args, image), anchors) for image, anchors in found))
    return judged.finish(outcome, noun="file" if args.dockerfile or args.inside else "image")


def _looked_through(args: Namespace, image: Image) -> Contents:
    from hardener.engine.image import analyse

    contents = analyse(image)
    if args.sbom:
        from hardener.cli.image import sbom

        kind = "spdx" if args.sbom.endswith(".spdx.json") else "cyclonedx"
        write_report(sbom.document(kind, image, contents.distribution, contents.packages or (), contents.unread), args.sbom)
    return contents


def _anchors(args: Namespace, linter: Linter, image: Image) -> Anchors | None:
    """Return where the findings of an image go; None: into its own text. Raises `HardenError` for a file that cannot be read."""
    path = args.dockerfile or args.inside
    if not path:
        return None
    from hardener.engine import targets
    from hardener.engine.image_anchors import InDockerfile, InNaming
    from hardener.finding import FileError

    absolute = os.path.abspath(os.path.join(linter.options.cwd, path))
    file = targets.read(targets.Target(path, absolute))
    if isinstance(file, FileError):
        raise HardenError(f"this file cannot be judged: it {file.message}", where=path, how="check the path")
    if args.inside:
        return InNaming(file, absolute, image, targets.kind_by_name(path))
    from hardener.sources import dockerfile

    return InDockerfile(dockerfile.parse(file, linter.config(absolute).build_args), absolute, args.target)
