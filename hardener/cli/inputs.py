"""What the commands that judge share: the options that say which texts are judged, and how they are read."""

import os
import sys
from typing import TYPE_CHECKING, Final

from hardener.engine import targets
from hardener.engine.configs import Configs
from hardener.errors import HardenError
from hardener.finding import FileError
from hardener.text import SourceFile

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _ArgumentGroup
    from collections.abc import Callable

    from hardener.sources import compose


def configure(parser: "ArgumentParser") -> None:
    """Declare the options that say what is judged."""
    parser.usage = "%(prog)s [options] [PATH ...]\n       %(prog)s [options] -f FILE ...\n       %(prog)s [options] -- docker run ..."
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="files, folders (searched for all that we judge), - for standard input (default: .)")
    add = parser.add_argument_group("what is judged").add_argument
    add("--exclude", action="append", default=[], metavar="GLOB", help="leave out what matches when folders are searched")
    add("--no-gitignore", action="store_true", help="also judge what .gitignore excludes")
    add("--stdin-filename", default="<stdin>", metavar="PATH", help="the path to report for -, whose configuration applies")
    add("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="the value of an ARG, as for docker build")
    add = parser.add_argument_group("compose files").add_argument
    add("-f", "--file", action="append", default=[], metavar="FILE", help="judge exactly these compose files, merged in order")
    add("--compose-profile", action="append", default=[], metavar="NAME", help="only services that run with these profiles (default: all)")
    add("--env-file", action="append", default=[], metavar="FILE", help="take variables from these files instead of .env")
    add("--use-environment", action="store_true", help="take variables from the environment as well; they outrank the files")
    add("--swarm", action="store_true", help="judge compose files as stacks, as docker stack deploy would run them")


def configure_rules(parser: "_ArgumentGroup", *, shellcheck: bool = True) -> None:
    """Declare the options that say where rules and configuration come from."""
    add = parser.add_argument
    add("--rules", action="append", default=[], metavar="DIR", help="load further rules from a folder or a file")
    add("--config", metavar="FILE", help="use this configuration instead of the nearest .harden.yaml or pyproject.toml")
    add("--isolated", action="store_true", help="read no configuration file")
    if not shellcheck:
        return
    shell = parser.add_mutually_exclusive_group()
    shell.add_argument("--shellcheck", action="store_true", default=None, help="run ShellCheck from wherever it is installed")
    shell.add_argument("--no-shellcheck", dest="shellcheck", action="store_false", help="do without (default: use the `shell` extra's)")


def reader(args: "Namespace") -> "Callable[[], bytes]":
    """Return what reads standard input, or the command line behind `--` in its place."""
    return _line_reader(args.line) if args.line else _read_stdin


def find(args: "Namespace", configs: Configs, cwd: str) -> targets.Targets:
    """Return what is to be judged; a file of variables that cannot be read is an error like any other file that was named."""
    found = _find(args, configs, cwd)
    unreadable = tuple([file for path in args.env_file if isinstance(file := _variables(path, cwd), FileError)])
    return targets.Targets(found.files, (*found.errors, *unreadable)) if unreadable else found


def _variables(path: str, cwd: str) -> SourceFile | FileError:
    return targets.read(targets.Target(path, os.path.abspath(os.path.join(cwd, path))))


def _find(args: "Namespace", configs: Configs, cwd: str) -> targets.Targets:
    if args.line:
        if args.paths or args.file:
            raise HardenError("a command line behind -- is judged alone", how="leave the paths out, or judge them in a run of their own")
        return targets.Targets((targets.Target(LINE, os.path.join(cwd, LINE), "shell", is_stdin=True),), ())
    every = getattr(args, "secrets", False)  # of `lint` alone
    if every and args.file:
        raise HardenError("--secrets searches every file, -f judges compose files", how="leave one of them out")
    options = targets.Options(cwd, args.stdin_filename, not args.no_gitignore, configs.excludes, every)
    if not args.file:
        return targets.find(args.paths, options)
    files = [(path, os.path.abspath(os.path.join(cwd, path))) for path in args.file]
    project = targets.Target(*files[0], "compose", layers=tuple(files[1:]), exact=True)
    if not args.paths:
        return targets.Targets((project,), ())
    found = targets.find(args.paths, options)
    return targets.Targets((project, *(target for target in found.files if target.file != project.file)), found.errors)


LINE: Final = "<command line>"
"""How reports name the command that follows `--`."""


def _line_reader(words: list[str]) -> "Callable[[], bytes]":
    from shlex import join

    return lambda: join(words).encode("utf-8", "surrogateescape")


def compose_options(args: "Namespace", cwd: str) -> "compose.Options | None":
    """Return how compose files are to be read; None when nothing was asked for. Files that `find` has refused are left out."""
    if not (args.compose_profile or args.env_file or args.use_environment or args.swarm):
        return None
    from hardener.sources import compose

    return compose.Options(
        profiles=tuple(args.compose_profile) or None,
        env_files=None
        if not args.env_file
        else tuple(
            [os.path.abspath(os.path.join(cwd, path)) for path in args.env_file if not isinstance(_variables(path, cwd), FileError)]
        ),
        environment=dict(os.environ) if args.use_environment else None,
        swarm=args.swarm,
    )


def cache_folder() -> str:
    """Return where compiled rules are kept between runs; empty when the environment names no home."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "hardener") if os.path.isabs(base) else ""


_stdin: list[bytes] = []


def _read_stdin() -> bytes:
    if not _stdin:  # it can be read once, and is asked for twice when ShellCheck looks at it too
        _stdin.append(sys.stdin.buffer.read())
    return _stdin[0]


def shellcheck(wanted: bool | None) -> str | None:
    """Return the path of shellcheck, or None to do without. Raises `HardenError` when it is wanted and not there."""
    if wanted is False:
        return None
    from hardener.engine.shellcheck import find_binary

    found = find_binary(anywhere=wanted is True)
    if found is None and wanted:
        raise HardenError("shellcheck is not installed", how="pip install 'hardener[shell]', or install it from your distribution")
    return found


def assignments(option: str, texts: list[str], form: str) -> dict[str, str]:
    """Return the `NAME=VALUE` arguments of an option. Raises `HardenError`."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise HardenError(f"{option} takes {form}, not {text!r}", how=f"write {option} {form}")
        values[name] = value
    return values
