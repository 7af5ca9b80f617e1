"""`harden lint`: from paths to a report and an exit code."""

import os
from typing import TYPE_CHECKING

from hardener.cli import inputs, judging
from hardener.cli.judging import Judging
from hardener.cli.terminal import today
from hardener.engine.lint import Options, lint
from hardener.rules.load import builtin

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: "ArgumentParser") -> None:
    """Declare the options of `harden lint`."""
    inputs.configure(parser)
    parser.add_argument("--diff", metavar="REF", help="only findings on lines changed since a git revision")
    parser.add_argument(
        "--secrets", action="store_true", help="search every file for credentials, and judge nothing else; they are never shown in full"
    )
    judging.configure(parser)
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes to use (default: one per core, where it pays)")
    parser.epilog = (
        "exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, configuration or unreadable input, 3 a bug in hardener\n"
        "ignore comments: # harden: ignore[HD101] reason   (also ignore-stage, ignore-file, expires=2027-01-31, and the peers' own)"
    )


def run(args: "Namespace") -> int:
    """Judge, report, and return the exit code."""
    cwd = os.getcwd()
    judged = Judging(args, cwd)
    found = inputs.find(args, judged.configs, cwd)
    options = Options(
        today=today(),
        honour_ignores=not args.no_ignores,
        warn_ignores=args.warn_ignores,
        jobs=args.jobs if args.jobs > 0 else os.cpu_count() or 1,
        fingerprints=judged.prepare(),
        shellcheck=inputs.shellcheck(args.shellcheck),
        stdin=inputs.reader(args),
        cwd=cwd,
        compose=inputs.compose_options(args, cwd),
    )
    outcome = lint(found.files, judged.configs, builtin(inputs.cache_folder()), options)
    return judged.finish(outcome, found.errors)
