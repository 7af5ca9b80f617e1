"""`harden exec`: run another program in a container that runs, behind the walls of the container."""

from __future__ import annotations

import os
import sys
from argparse import REMAINDER
from typing import TYPE_CHECKING, Final

from hardener.cli import complain, named
from hardener.errors import HardenError
from hardener.launch import values
from hardener.oci.runtime import Process, User
from hardener.runtime import cgroups, enter, parent, state

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.runtime.enter import Door
    from hardener.runtime.state import State

ALL: Final = (0, 1, 2)


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker exec` has them; all that follows the container is the program's."""
    parser.add_argument("-d", "--detach", action="store_true", help="do not wait for it: it has no streams, and stays when we go")
    parser.add_argument("-e", "--env", action="append", default=[], metavar="NAME[=VALUE]", help="set a variable; without a value, ours")
    parser.add_argument(
        "--env-file", action="append", default=[], metavar="FILE", help="set the variables of a file, one NAME[=VALUE] a line"
    )
    parser.add_argument("-i", "--interactive", action="store_true", help="hand our standard input on")
    parser.add_argument("--privileged", action="store_true", help="refused: a program in a container gets no more than the container")
    parser.add_argument("-t", "--tty", action="store_true", help="a terminal of its own")
    parser.add_argument("-u", "--user", default="", metavar="USER[:GROUP]", help="names or numbers, as the container's files have them")
    parser.add_argument("-w", "--workdir", default="", metavar="DIR", help="the working directory (default: the container's)")
    parser.add_argument("name", metavar="CONTAINER", help="a name, or the beginning of an id")
    parser.add_argument("program", nargs=REMAINDER, metavar="PROGRAM", help="the program and its arguments")
    parser.usage = "harden exec [OPTION …] CONTAINER PROGRAM [ARGUMENT …]"
    parser.epilog = (
        "It joins all namespaces and control groups of the container, with its capabilities, filter of system calls, limits and user\n"
        "unless -u names another one. Where Landlock stands, it cannot look into the other processes (/proc/1/environ, debuggers).\n\n"
        "The exit code is the program's; 125 it did not start, 126 it is not executable, 127 it is not there, 128+N signal N."
    )


def run(args: Namespace) -> int:
    """Run the program; the exit code is its own, or 125, 126 or 127 when it did not start."""
    try:
        return _run(args)
    except HardenError as error:
        complain(error)
        return error.code if isinstance(error, parent.LaunchError) else parent.EXIT_FAILED


def _run(args: Namespace) -> int:
    program = [*args.program, *(["--", *args.line] if args.line else [])]
    program = program[1:] if program[:1] == ["--"] else program
    if not program:
        raise HardenError("there is no program to run", where="harden exec", how=f"harden exec {args.name} PROGRAM [ARGUMENT …]")
    if args.privileged:
        raise HardenError(
            "a program in a container gets no more than the container has",
            where="harden exec --privileged",
            how="run a container with the capabilities that it needs: harden run --cap-add NAME",
        )
    if args.tty and args.interactive and not args.detach and not os.isatty(0):
        raise HardenError("the input device is not a TTY", where="harden exec -it", how="leave -t, or run it on a terminal")
    record = state.find(named.here(), args.name)
    door = _door(record)
    try:
        spec = record.job().spec
        if spec.process is None:
            raise HardenError("the container has no process", where=f"{record.folder}/job.json")
        spec.process = _process(spec.process, args, program, door)
        made = enter.plan(spec, record.name, cgroups.read_layout(), named.here().cache)
        if args.detach:
            made.detached, made.silent = True, ALL
            started = enter.start(made, door)
            parent.hang_up(started)
            return 0
        made.silent = () if args.interactive else (0,)
        sys.stdout.flush()
        return enter.run(made, door, typing=args.interactive).code
    finally:
        door.close()


def _door(record: State) -> Door:
    if record.status == state.PAUSED:
        raise HardenError(f"the container {record.name} is paused", where="harden exec", how=f"harden unpause {record.name}")
    pidfd = state.container_fd(record) if record.status == state.RUNNING else None
    if record.pid is None or pidfd is None:
        raise HardenError(f"the container {record.name} is not running", where="harden exec", how=f"harden start {record.name}")
    return enter.find(record.pid, pidfd, cgroups.read_layout())


def _process(container: Process, args: Namespace, program: list[str], door: Door) -> Process:
    """Return the process to start: the container's own with what is asked for put in its place."""
    given = {name: getattr(container, name) for name in Process.TABLE}
    environment = dict(entry.partition("=")[::2] for entry in container.env)
    if args.tty:
        environment.setdefault("TERM", "xterm")
    if args.user:
        account = enter.account(door, args.user)
        umask = container.user.umask if container.user else None
        given["user"] = User(uid=account.uid, gid=account.gid, additional_gids=account.groups, umask=umask)
        environment["HOME"] = account.home
    environment |= dict(entry.partition("=")[::2] for entry in values.variables(args.env_file, args.env, os.environ))
    given |= {
        "args": tuple(program),
        "env": tuple([f"{name}={value}" for name, value in environment.items()]),
        "cwd": args.workdir or container.cwd,
        "terminal": args.tty and not args.detach,
        "console_size": None,
    }
    return Process(**given)
