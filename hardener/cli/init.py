"""`harden init`: write a configuration to start from."""

import os
from typing import TYPE_CHECKING

from hardener.errors import HardenError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NAME = ".harden.yaml"
_HADOLINT = (".hadolint.yaml", ".hadolint.yml")


def configure(parser: "ArgumentParser") -> None:
    """Declare the options of `harden init`."""
    parser.add_argument(
        "folder", nargs="?", default=".", metavar="FOLDER", help=f"where to write {NAME} (default: .); - for standard output"
    )
    parser.add_argument(
        "--from-hadolint",
        nargs="?",
        const="",
        metavar="FILE",
        help="translate a hadolint configuration (default: the .hadolint.yaml of the folder)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite a configuration that is there already")


def run(args: "Namespace") -> int:
    """Write the file and say so."""
    to_output = args.folder == "-"
    path = os.path.normpath(os.path.join(args.folder, NAME))
    if not to_output and os.path.lexists(path) and not args.force:
        raise HardenError("there is a configuration already", where=path, how="edit it, or overwrite it with --force")
    text = _text(args.from_hadolint, "." if to_output else args.folder)
    if to_output:
        print(text, end="")
        return 0
    from hardener.cli.terminal import write_report

    write_report(text, path)
    print(f"wrote {path}")
    return 0


def _text(hadolint: str | None, folder: str) -> str:
    from hardener.engine import starter, targets
    from hardener.engine.selection import Selector
    from hardener.finding import FileError

    if hadolint is None:
        return starter.template()
    path = hadolint or next((path for name in _HADOLINT if os.path.isfile(path := os.path.join(folder, name))), "")
    if not path:
        raise HardenError(f"there is no {' or '.join(_HADOLINT)}", where=folder, how="name the file: --from-hadolint FILE")
    path = os.path.normpath(path)
    file = targets.read(targets.Target(path, os.path.abspath(path)))
    if isinstance(file, FileError):
        raise HardenError(f"the file {file.message}", where=path, how="correct the path, or its permissions")
    from hardener.cli.inputs import cache_folder
    from hardener.rules.load import builtin

    return starter.from_hadolint(file, Selector(source.rule for source in builtin(cache_folder())))
