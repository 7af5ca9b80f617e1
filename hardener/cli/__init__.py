"""The command line: one module per command, one table that lists them, and the only place that prints.

`main` imports the chosen command alone, and nothing else: a container starts behind this page, and `typing` or `argparse` would take as
long as its walls. Exit codes: 0 clean, 1 findings at or above the threshold, 2 usage, configuration or unreadable input, 3 a bug in
hardener.
"""

from __future__ import annotations

import gc
import sys

from hardener import __version__
from hardener.errors import EXIT_BUG, EXIT_CLEAN, EXIT_USAGE, HardenError, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, HelpFormatter, Namespace
    from collections.abc import Sequence
    from typing import Final, NoReturn, Protocol

    class Command(Protocol):
        """What the module of a command offers."""

        def configure(self, parser: ArgumentParser) -> None:
            """Declare options and arguments."""

        def run(self, args: Namespace) -> int:
            """Do the work; return the exit code. May raise `HardenError`."""


# Name -> what it does, in one line; the module is hardener.cli.<name>.
COMMANDS: Final = {
    "lint": "check Dockerfiles, compose files, stacks and `docker run` lines; the exit code is the gate",
    "gate": "hold what lint checks to a policy; say which of its keys are violated, and by what",
    "explain": "say why a rule exists, how to fix what it finds, with examples",
    "run": "run a program in a container that is locked down unless told otherwise",
    "image": "look into images: what is in them, and what should not be",
    "pull": "fetch images from their registries, verified",
    "images": "list the images that are here",
    "tag": "give an image one more name",
    "save": "write images to an archive, for docker, podman, skopeo or another machine",
    "load": "take images of an archive, of docker save or of OCI, into the store",
    "rmi": "take names away from images, and remove those that have none left",
    "prune": "remove images, layers and downloads that nothing needs",
    "volume": "make, list, show and remove named volumes",
    "ps": "list the containers that run, or with -a all that have a name",
    "exec": "run another program in a container that runs, behind the same walls",
    "inspect": "show the walls of containers as the kernel shows them, or all there is to know of them",
    "logs": "print what a detached container has written",
    "attach": "be the standard streams of a container that runs",
    "stop": "ask containers to end, and end them when they do not",
    "start": "start containers again that have ended",
    "restart": "stop containers and start them again",
    "kill": "send a signal to containers",
    "pause": "hold all processes of containers still",
    "unpause": "let paused containers go on",
    "stats": "show what containers use: processor, memory, network, disks, processes",
    "wait": "wait until containers have ended, and print their exit codes",
    "rm": "remove containers that have ended",
    "rules": "list the rules",
    "config": "show the configuration that applies to a file, and where it comes from",
    "convert": "write a service as a compose file, a `docker run` line or the flags of `harden run`",
    "init": "write a configuration file, also from .hadolint.yaml",
}

# What docker has and we do not: what to do instead.
_MISSING: Final = {
    "build": "build with docker or buildah; `harden lint` says what is wrong with the Dockerfile",
    "compose": "`harden convert --to harden compose.yaml` writes the flags of each service for `harden run`",
    "cp": "share a folder with -v, or: harden exec CONTAINER cat FILE",
    "create": "harden run -d --name NAME … creates and starts",
    "network": "there is no network but loopback yet: harden run --network host, or container:NAME",
    "port": "there are no published ports yet: harden run --network host",
    "rename": "harden rm it, and run it with another --name",
    "top": "harden exec CONTAINER ps, or harden stats",
    "update": "harden rm it, and run it with other limits",
}


def command_of(name: str) -> Command:
    """Return the module of a command."""
    from importlib import import_module

    module: Command = import_module(f"hardener.cli.{name}")
    return module


def usage() -> str:
    """Return the help of `harden` itself."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return f"""usage: harden [--version] [--help] COMMAND …

Find what is wrong with Dockerfiles, compose files and run lines; run programs in containers that are locked down.

commands:
{rows}

`harden COMMAND --help` shows the options of a command.

exit codes: 0 clean, 1 findings at or above --fail-on, 2 usage, configuration or unreadable input, 3 a bug in hardener;
of run and exec the program's: 125 it did not start, 126 it is not executable, 127 it is not there, 128+N signal N
"""


def start() -> NoReturn:
    """Be the program `harden`: run, and leave without taking the interpreter apart, which takes longer than a container's walls."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_streams()
    if sys.stdout.encoding != "utf-8":
        _escape_strange()
    code = _launch() if sys.argv[1:2] == ["run"] else main()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except OSError as error:
        code = _unwritten(error, code)
    import atexit

    if "posix" in sys.builtin_module_names and not atexit._ncallbacks() and "threading" not in sys.modules:
        import posix

        posix._exit(code)  # nothing waits to be done
    sys.exit(code)


def _unwritten(error: OSError, code: int) -> int:
    """Say that our output could not be written; return the exit code. A reader that has left is no error."""
    from os import devnull, dup2

    with open(devnull, "w", encoding="utf-8") as null:  # what is still buffered must go somewhere
        dup2(null.fileno(), 1)
    if isinstance(error, BrokenPipeError):
        return code
    complain(HardenError(f"the output cannot be written: {error.strerror}", where="standard output", how="make room, or send it elsewhere"))
    return code or EXIT_USAGE


def _open_streams() -> None:
    """Open the standard streams that were closed before we started: what is opened next would get their numbers, and their readers."""
    from os import O_RDWR, close, devnull, dup2
    from os import open as open_file

    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = open_file(devnull, O_RDWR)
            dup2(opened, fd)
            if opened != fd:
                close(opened)
            setattr(sys, name, open(fd, "r" if fd == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115  (for as long as we run)


def _escape_strange() -> None:
    """Write what the output's encoding has no letter for as `\\u2026`, as Python does on standard error, and do not fail."""
    from io import TextIOWrapper

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


# What a launch needs when something is made that the next one finds: not worth to be read by that.
_RARE: Final = ("hardener.cli.fetching", "hardener.images.unpack", "hardener.linux.filters", "hardener.sources")


def _launch() -> int:
    """Run `harden run` with its code from one file, or two; the first launch that needs no more than the usual modules makes them."""
    import posix

    from hardener.runtime import kept, packed

    variables = ((name, posix.environ.get(name.encode())) for name in ("HARDENER_ROOT", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "HOME"))
    _collect_rarely()
    cache = kept.folder(posix.geteuid(), {name: value.decode("utf-8", "surrogateescape") for name, value in variables if value})
    before = {*sys.modules}
    found = packed.use(cache)
    code = main()
    ours = [name for name in sys.modules if name.startswith("hardener.") and name not in before]
    if not any(name.startswith(_RARE) for name in ours):
        (packed.keep_further if found else packed.keep)(cache, ours)
    return code


def _collect_rarely() -> None:
    # Imports and documents are full of objects that stay; the default thresholds would look through them a hundred times.
    gc.set_threshold(30_000, 20, 50)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `harden` with the given arguments (default: those of the process) and return the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    _collect_rarely()
    try:
        code = _main(args)
    except HardenError as error:
        complain(error)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if not _is_of_output(error):
            return _bug(f"{type(error).__name__}: {error}")
        return _unwritten(error, 0)
    except RecursionError:
        return _bug("the input is nested too deeply")
    except Exception as error:  # the last line of defence: whatever gets here is ours to mend
        return _bug(f"{type(error).__name__}: {error}")
    return code


def _is_of_output(error: OSError) -> bool:
    # Only `cli` prints, and argparse for it.
    from errno import EDQUOT, EFBIG, EIO, ENOSPC, EPIPE

    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    module = str(trace.tb_frame.f_globals.get("__name__")) if trace else ""
    printed = module == "argparse" or module.startswith("hardener.cli")
    return printed and error.filename is None and error.errno in (EDQUOT, EFBIG, EIO, ENOSPC, EPIPE)


def _main(args: list[str]) -> int:
    if not args or args[0] in ("-h", "--help", "help"):
        if len(args) > 1 and args[0] == "help":
            return _main([*args[1:], "--help"])
        (sys.stdout if args else sys.stderr).write(usage())
        return EXIT_CLEAN if args else EXIT_USAGE
    name = args[0]
    if name in ("-V", "--version"):
        print(f"harden {__version__}")
        return EXIT_CLEAN
    if name not in COMMANDS:
        kind = "option" if name.startswith("-") else "command"
        how = _MISSING.get(name) or suggest(name, list(COMMANDS)) or "`harden --help` lists the commands"
        raise HardenError(f"unknown {kind} {name!r}", how=how)
    if name == "run":  # it reads its own words: where a program's begin, argparse cannot know
        from hardener.cli import run

        return run.from_words(args[1:])
    if name == "image":  # a family of commands, of which one is imported
        from hardener.cli import image

        return image.from_words(args[1:])
    command = command_of(name)
    parser = make_parser(name, COMMANDS[name])
    command.configure(parser)
    words, line = split_line(args[1:])
    try:
        parsed = parser.parse_args(words)
    except SystemExit as stop:  # argparse has said its piece
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    parsed.line = line
    return command.run(parsed)


def make_parser(name: str, summary: str) -> ArgumentParser:
    """Return a parser that complains as we do, and takes no abbreviations: an option added later must not change what a script means."""
    from argparse import ArgumentParser

    class Parser(ArgumentParser):
        def error(self, message: str) -> NoReturn:
            wrong = next((word.partition("=")[0] for word in message.split() if word.startswith("--")), "")
            known = [option for action in self._actions for option in action.option_strings]
            how = suggest(wrong, known) if message.startswith("unrecognized") else ""
            raise HardenError(message, where=self.prog, how=how or f"`{self.prog} --help` lists the options")

    return Parser(prog=f"harden {name}", description=f"{summary}.", formatter_class=_formatter, allow_abbrev=False)


def split_line(words: list[str]) -> tuple[list[str], list[str]]:
    """Return arguments without, and then, the command line that follows `--`, as in `harden lint -- docker run nginx`.

    What follows `--` may also be paths that begin with a dash; it is a command line when it starts a container engine.
    """
    if "--" in words:
        at = words.index("--")
        line = words[at + 1 :]
        program = next((word for word in line if not word.startswith("-") and word not in ("sudo", "doas")), "")
        if program.rpartition("/")[2] in ("docker", "podman", "nerdctl") and len(line) > 1:
            return words[:at], line
    return words, []


def _formatter(prog: str) -> HelpFormatter:
    # Argparse makes one for every argument it checks, and asks shutil for the width unless it is told: 5 ms of each start.
    from argparse import RawDescriptionHelpFormatter
    from os import environ, get_terminal_size

    try:
        width = int(environ.get("COLUMNS") or get_terminal_size().columns)
    except (OSError, ValueError):
        width = 80
    return RawDescriptionHelpFormatter(prog, width=max(width - 2, 40))


def complain(error: HardenError) -> None:
    """Print an error to standard error: what, where, how to fix."""
    lines = [f"harden: error: {tame(error.what)}"]
    if error.where:
        lines.append(f"  at: {tame(error.where)}")
    if error.how:
        lines.append(f"  fix: {tame(error.how)}")
    print("\n".join(lines), file=sys.stderr)


def tame(text: str) -> str:
    """Return a message that quotes what we did not write: it drives no terminal, and no line of it looks like one of ours."""
    lines = text.split("\n")
    if not all(line.isprintable() for line in lines):
        from hardener.reports.excerpt import visible

        lines = [visible(line) for line in lines]
    return "\n    ".join(lines)


def _bug(message: str) -> int:
    from os import environ
    from traceback import extract_tb, format_exc

    if environ.get("HARDEN_DEBUG"):
        print(format_exc(), file=sys.stderr)
    frames = extract_tb(sys.exc_info()[2])
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    what = f"this is a bug in hardener {__version__}: {message}"
    complain(HardenError(what, where=place, how="please report it; HARDEN_DEBUG=1 prints the whole trace"))
    return EXIT_BUG
