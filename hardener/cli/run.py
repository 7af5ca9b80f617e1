"""`harden run`: start a program in a container that is locked down unless told otherwise."""

from __future__ import annotations

import os
import sys

from hardener.errors import EXIT_CLEAN, HardenError, suggest
from hardener.launch.request import UPPER, Request, size
from hardener.launch.roots import HOST
from hardener.launch.specification import specification
from hardener.runtime import kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Flag -> (its value in the help, "" for a switch; what it does).
FLAGS: Final = {
    "--rootfs": ("DIR", "the root filesystem; or write `host`: this machine's own, read-only, with what is private hidden"),
    "--env": ("NAME[=VALUE]", "set a variable; without a value, hand on ours (also -e)"),
    "--workdir": ("DIR", "the working directory (also -w; default /)"),
    "--user": ("USER[:GROUP]", "names or numbers, looked up in the root's own /etc/passwd (also -u; default root of the container)"),
    "--volume": ("SOURCE:DIR[:ro]", "bind a file or folder (also -v)"),
    "--memory": ("SIZE", "memory, with no swap beside it (also -m; default 512m)"),
    "--pids-limit": ("NUMBER", "processes and threads (default 256)"),
    "--cpus": ("NUMBER", "processors (default 1)"),
    "--allow-unenforced": ("LIMIT", "go without memory, pids or cpu where it cannot be enforced, instead of refusing"),
    "--cap-add": ("NAME", "a capability; there is none by default"),
    "--read-only": ("", "keep the root filesystem read-only (the default)"),
    "--writable": ("", "let the root be written to, in memory; it is gone afterwards"),
    "--network": ("none|host", "none has a loopback interface and nothing else (the default)"),
    "--hostname": ("NAME", "the host name inside (default: the container's name)"),
    "--name": ("NAME", "the name of the container"),
    "--tty": ("", "a terminal of its own (also -t)"),
    "--interactive": ("", "keep standard input open: it always is (also -i)"),
    "--dry-run": ("", "print what would be done, step by step"),
    "--print-spec": ("", "print the config.json that would be executed"),
    "--help": ("", "print this (also -h)"),
}
SHORT: Final = {
    "-e": "--env",
    "-w": "--workdir",
    "-u": "--user",
    "-v": "--volume",
    "-m": "--memory",
    "-t": "--tty",
    "-i": "--interactive",
    "-h": "--help",
}
REPEATED: Final = ("--env", "--volume", "--cap-add", "--allow-unenforced")
# What `--allow-unenforced` may name: the controller of control groups, and the attribute of a request.
LIMITS: Final = {"memory": "memory", "pids": "pids", "cpu": "cpus"}


def from_words(words: list[str]) -> int:
    """Run a container; the exit code is the program's, or 125, 126 or 127 when it did not start."""
    options, rest = read(words)
    if "--help" in options:
        sys.stdout.write(usage())
        return EXIT_CLEAN
    request = understand(options, rest)
    from hardener.runtime import cgroups, container, parent
    from hardener.runtime.job import Rootfs

    machine = cgroups.read_layout()
    for limit in options.get("--allow-unenforced", []):
        if limit not in LIMITS:
            raise HardenError(
                f"{limit!r} is not a limit", where="--allow-unenforced", how=suggest(limit, [*LIMITS]) or "memory, pids or cpu"
            )
        if not cgroups.writable(machine, limit):
            setattr(request, LIMITS[limit], 0)
            print(f"harden: not enforced: {limit}", file=sys.stderr)
    spec = specification(request)
    if "--print-spec" in options:
        import json

        print(json.dumps(spec.dump(), indent=2))
        return EXIT_CLEAN
    # The root user inside must not be the owner of what root alone may read on this machine.
    rootfs = Rootfs(upper=UPPER if request.writable else None, map_root=request.root != HOST)
    made = container.plan(spec, bundle=os.getcwd(), name=request.name, machine=machine, rootfs=rootfs, cache=request.cache)
    if "--dry-run" in options:
        for step, lines in container.describe(made):
            print(f"{step}:\n  " + "\n  ".join(lines))
        return EXIT_CLEAN
    if request.network == "host":
        print("harden: looser than the default: this machine's network", file=sys.stderr)
    sys.stdout.flush()
    try:
        outcome = container.run(made)
    except parent.LaunchError as error:
        from hardener.cli import complain

        complain(error)
        return error.code
    for notice in outcome.notices:
        print(f"harden: {notice}", file=sys.stderr)
    return outcome.code


def read(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the options, by their long names, and the words from the first one that is none."""
    options: dict[str, list[str]] = {}
    rest = [*words]
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        for name, value in _split(word):
            if name not in FLAGS:
                how = suggest(name, [*FLAGS, *SHORT]) or "`harden run --help` lists the options"
                raise HardenError(f"unknown option {name!r}", where="harden run", how=how)
            takes = bool(FLAGS[name][0])
            if not takes and value is not None:
                raise HardenError(f"{name} takes no value", where=f"harden run {word}")
            if takes and value is None:
                if not rest:
                    raise HardenError(f"{name} needs a value", where="harden run", how=f"{name} {FLAGS[name][0]}")
                value = rest.pop(0)
            if name in options and name not in REPEATED and takes:
                raise HardenError(f"{name} is given twice", where="harden run", how="leave one of them")
            options.setdefault(name, []).append(value or "")
    return options, rest


def _split(word: str) -> list[tuple[str, str | None]]:
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return [(name, value if equals else None)]
    found: list[tuple[str, str | None]] = []
    for at in range(1, len(word)):
        name = SHORT.get(f"-{word[at]}", f"-{word[at]}")
        if name in FLAGS and FLAGS[name][0]:  # -ePATH and -e=PATH: the rest is the value
            value = word[at + 1 :].removeprefix("=")
            return [*found, (name, value or None)]
        found.append((name, None))
    return found or [(word, None)]


def understand(options: dict[str, list[str]], rest: list[str]) -> Request:
    """Return the request that options and words make."""
    root = _last(options, "--rootfs")
    if not root:
        if not rest or rest[0] == "--":
            raise HardenError(
                "there is no root filesystem", where="harden run", how="harden run --rootfs DIR -- PROGRAM, or harden run host -- PROGRAM"
            )
        root = rest.pop(0)
        if root != HOST:
            how = "harden run --rootfs DIR for a folder; `host` is this machine's own root"
            raise HardenError(f"{root!r} is not a root filesystem", where="harden run", how=how)
    if rest[:1] == ["--"]:
        rest = rest[1:]
    elif rest and rest[0].startswith("-"):
        raise HardenError(
            f"{rest[0]!r} stands behind the root filesystem",
            where="harden run",
            how=f"options come before it: harden run {rest[0]} … {root}",
        )
    if not rest:
        raise HardenError("there is no program to run", where="harden run", how="write it after --")
    request = Request(root, rest)
    request.cache = kept.folder(os.geteuid(), os.environ)
    request.name = _last(options, "--name") or f"run-{os.getpid()}"
    request.environment = [made for entry in options.get("--env", []) if (made := _variable(entry)) is not None]
    request.volumes = [_from_here(entry) for entry in options.get("--volume", [])]
    request.capabilities = options.get("--cap-add", [])
    request.cwd = _last(options, "--workdir") or "/"
    request.user = _last(options, "--user")
    request.network = _last(options, "--network") or "none"
    request.hostname = _last(options, "--hostname")
    request.terminal = "--tty" in options
    request.writable = "--writable" in options
    if request.writable and "--read-only" in options:
        raise HardenError("--read-only and --writable contradict each other", where="harden run", how="leave one of them")
    if memory := _last(options, "--memory"):
        request.memory = size(memory, "--memory")
    if pids := _last(options, "--pids-limit"):
        request.pids = int(_positive(pids, "--pids-limit", whole=True))
    if cpus := _last(options, "--cpus"):
        request.cpus = _positive(cpus, "--cpus", whole=False)
    return request


def _last(options: dict[str, list[str]], name: str) -> str:
    return options.get(name, [""])[-1]


def _positive(text: str, flag: str, *, whole: bool) -> float:
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1 << 62:
        raise HardenError(f"{text!r} is not a {'whole ' if whole else ''}number above 0", where=flag, how="a limit cannot be switched off")
    return value


def _variable(entry: str) -> str | None:
    name, equals, _ = entry.partition("=")
    if not name:
        raise HardenError(f"{entry!r} is not NAME=value", where="--env")
    if equals:
        return entry
    return f"{name}={os.environ[name]}" if name in os.environ else None  # as docker: what is not set is not handed on


def _from_here(text: str) -> str:
    source, colon, rest = text.partition(":")
    return f"{os.path.abspath(source)}{colon}{rest}" if source.startswith(".") else text


def usage() -> str:
    """Return the help."""
    short = {long: name for name, long in SHORT.items()}
    rows = [
        (f"{short.get(name, '  ')}{',' if name in short else ' '} {name} {value}".rstrip(), text) for name, (value, text) in FLAGS.items()
    ]
    width = max(len(left) for left, _ in rows)
    table = "\n".join(f"  {left:<{width}}  {text}" for left, text in rows)
    return f"""usage: harden run [OPTION …] --rootfs DIR [--] PROGRAM [ARGUMENT …]
       harden run [OPTION …] host [--] PROGRAM [ARGUMENT …]

Run a program in a container: namespaces of its own, ids of nobody, no capabilities, no new privileges, a filter of system
calls, a read-only root, limits of memory, processes and processors, no network.

options:
{table}

The exit code is the program's; 125 the container did not start, 126 the program is not executable, 127 it is not there, 128+N signal N.
"""
