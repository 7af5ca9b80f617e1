"""`harden image`: what is in an image, and what should not be; one module per subcommand, and the table that lists them.

Only the module of the chosen subcommand is imported: each declares its options with `configure(parser)` and does its work in `run(args)`.
"""

from __future__ import annotations

import sys

from hardener.errors import EXIT_CLEAN, EXIT_USAGE, HardenError, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.cli import Command

# Name -> what it does, in one line; the module is hardener.cli.image.<name>.
SUBCOMMANDS: Final[dict[str, str]] = {
    "lint": "judge images: who they run as, what they hold, what they show, where they come from; the exit code is the gate",
    "secrets": "find the credentials in all layers, deleted ones included, in configuration and history",
    "layers": "list the layers: size, what made them, what they added, changed and deleted, and what is wasted",
    "diff": "show what is different in a second image: packages, files, configuration",
    "cves": "match the packages of an image with a mirror of OSV advisories, offline",
    "sbom": "write what is installed in an image as a bill of materials: CycloneDX or SPDX",
    "verify": "check the signatures of an image with public keys, and print the digest that is signed",
}


def load(name: str) -> Command:
    """Return the module of a subcommand."""
    from importlib import import_module

    module: Command = import_module(f"hardener.cli.image.{name}")
    return module


def usage() -> str:
    """Return the help of `harden image` itself."""
    width = max(map(len, SUBCOMMANDS), default=0)
    rows = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in SUBCOMMANDS.items())
    return f"""usage: harden image SUBCOMMAND … IMAGE

Look into images without running or unpacking them: from a registry, an engine, an archive, or an OCI image layout.

subcommands:
{rows}

`harden image SUBCOMMAND --help` shows the options of a subcommand.
"""


def from_words(words: list[str]) -> int:
    """Run a subcommand; return the exit code. Raises `HardenError`."""
    from hardener.cli import make_parser

    if not words or words[0] in ("-h", "--help"):
        (sys.stdout if words else sys.stderr).write(usage())
        return EXIT_CLEAN if words else EXIT_USAGE
    name = words[0]
    if name not in SUBCOMMANDS:
        kind = "option" if name.startswith("-") else "subcommand"
        how = suggest(name, list(SUBCOMMANDS)) or "`harden image --help` lists the subcommands"
        raise HardenError(f"unknown {kind} {name!r}", where="harden image", how=how)
    command = load(name)
    parser = make_parser(f"image {name}", SUBCOMMANDS[name])
    command.configure(parser)
    try:
        parsed = parser.parse_args(words[1:])
    except SystemExit as stop:  # argparse has said its piece
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    return command.run(parsed)
