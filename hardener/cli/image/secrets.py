"""`harden image secrets`: the credentials in all layers of images, also the deleted ones, and in configuration and history."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from hardener.cli import image_options, judging, named
from hardener.cli.judging import Judging

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.finding import Report
    from hardener.rules.image_contents import Contents

RULES: Final = "HI3"
"""How the ids of the rules on credentials begin."""


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden image secrets`."""
    image_options.configure(parser)
    parser.add_argument("further", nargs="*", default=[], metavar="IMAGE", help="further images, searched and reported together")
    judging.configure(parser, shellcheck=False)
    parser.epilog = (
        "Every file of every layer is searched, also what later layers delete or overwrite: who pulls the image gets all of it. Files\n"
        "that a package manager has installed, and that are as it installed them, are left out. No credential is ever shown in full.\n"
        "exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, configuration or an image that cannot be read, 3 a bug in hardener"
    )


def run(args: Namespace) -> int:
    """Search, report, and return the exit code."""
    from hardener.engine.image import analyse, lint

    judged = Judging(args, os.getcwd())
    linter = judged.linter()
    images = image_options.images(args, named.here().data)
    layers: dict[str, dict[int, str]] = {}
    found = []
    for image in images:
        contents = analyse(image, secrets_alone=True)
        layers[contents.document.file.path] = _layers(contents)
        found.append((contents, None))
    outcome = lint(linter, found, RULES)

    def text(report: Report, color: bool) -> str:
        from hardener.reports.leaks import by_layer

        return by_layer(report, layers, color=color)

    return judged.finish(outcome, text=text)


def _layers(contents: Contents) -> dict[int, str]:
    """Return what each line of an image's text that made a layer made."""
    document = contents.document
    count = len(contents.image.layers)
    return {
        document.file.line_of(document.of(layer).span.start): f"layer {layer.index + 1} of {count}, {layer.descriptor.digest[:19]}"
        for layer in contents.image.layers
    }
