"""What `harden gate` shares with `harden lint`: which texts are judged, and how."""

import os
from typing import TYPE_CHECKING

from hardener.cli.lint import _assignments, _read_line, _read_stdin, _shellcheck, _targets, cache_folder, compose_options
from hardener.cli.terminal import today
from hardener.engine.configs import Configs
from hardener.engine.lint import Options, lint
from hardener.finding import Report
from hardener.rules.load import builtin

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.policies.model import Policy


def inputs(parser: "ArgumentParser") -> None:
    """Declare the options that say what is judged."""
    parser.usage = "%(prog)s [options] [PATH ...]\n       %(prog)s [options] -f FILE ...\n       %(prog)s [options] -- docker run ..."
    what = parser.add_argument_group("what is judged")
    add = what.add_argument
    add("paths", nargs="*", metavar="PATH", help="files, folders (searched for all that we judge), - for standard input (default: .)")
    add("--exclude", action="append", default=[], metavar="GLOB", help="leave out what matches when folders are searched")
    add("--no-gitignore", action="store_true", help="also judge what .gitignore excludes")
    add("--stdin-filename", default="<stdin>", metavar="PATH", help="the path to report for -, whose configuration applies")
    add("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="the value of an ARG, as for docker build")
    add("-f", "--file", action="append", default=[], metavar="FILE", help="judge exactly these compose files, merged in order")
    add(
        "--compose-profile",
        action="append",
        default=[],
        metavar="NAME",
        help="judge only services that run with these profiles (default: all)",
    )
    add("--env-file", action="append", default=[], metavar="FILE", help="take variables of compose files from these files instead of .env")
    add("--use-environment", action="store_true", help="take variables from the environment as well; they outrank the files")
    add("--swarm", action="store_true", help="judge compose files as stacks, as docker stack deploy would run them")
    add("--rules", action="append", default=[], metavar="DIR", help="load further rules from a folder or a file")
    shell = what.add_mutually_exclusive_group()
    shell.add_argument("--shellcheck", action="store_true", default=None, help="run ShellCheck from wherever it is installed")
    shell.add_argument("--no-shellcheck", dest="shellcheck", action="store_false", help="do without (default: use the `shell` extra's)")
    add("--config", metavar="FILE", help="use this configuration instead of the nearest .harden.yaml or pyproject.toml")
    add("--isolated", action="store_true", help="read no configuration file")


def judge(args: "Namespace", policy: "Policy") -> Report:
    """Judge what the options name under a policy, and return all that was found: nothing is hidden, no baseline taken notice of."""
    cwd = os.getcwd()
    given: dict[str, object] = {
        "rules": args.rules,
        "exclude": args.exclude,
        "build-args": _assignments("--build-arg", args.build_arg, "NAME=VALUE"),
    }
    overlay = {key: value for key, value in given.items() if value}
    configs = Configs(cwd, explicit=args.config, isolated=args.isolated, overlay=overlay, policy=policy)
    found = _targets(args, configs, cwd)
    options = Options(
        today=today(),
        jobs=os.cpu_count() or 1,
        fingerprints=args.format == "json",
        shellcheck=_shellcheck(args.shellcheck),
        stdin=_read_line(args.line) if args.line else _read_stdin,
        cwd=cwd,
        compose=compose_options(args, cwd),
    )
    outcome = lint(found.files, configs, builtin(cache_folder()), options)
    return Report(
        tuple(outcome.findings),
        tuple(outcome.suppressed),
        tuple(sorted(outcome.files)),
        (*found.errors, *outcome.errors),
        tuple(outcome.notices),
        tuple(rule for _, rule in sorted(outcome.rules.items())),
        policy.gate.fail_on,
    )
