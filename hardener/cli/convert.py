"""`harden convert`: a compose service as a `docker run` line, a run line as a compose service, either as the flags of `harden run`.

What the target cannot say is named on standard error, one line each; nothing is dropped in silence.
"""

import os
import sys
from typing import TYPE_CHECKING, Final

from hardener.cli.terminal import say
from hardener.errors import EXIT_CLEAN, EXIT_FINDINGS, HardenError, suggest
from hardener.sources import compose, runline
from hardener.text import SourceFile

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from hardener.sources.service import Project, Service
    from hardener.sources.write.texts import Loss

TARGETS: Final = ("compose", "run", "harden")
_UNREAD: Final = frozenset({"invalid-yaml", "unseen-file"})


def configure(parser: "ArgumentParser") -> None:
    """Declare the options of `harden convert`."""
    parser.add_argument("--to", choices=TARGETS, required=True, help="what to write: a compose file, `docker run` or `harden run` lines")
    parser.add_argument(
        "-f", "--file", action="append", default=[], metavar="FILE", help="a compose file; repeated, they are merged in order"
    )
    parser.add_argument("--service", action="append", default=[], metavar="NAME", help="only this service (repeatable)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when something cannot be said in the target")
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH | -- docker run …",
        help="a compose project's folder or file, a file with run lines, or one run line",
    )
    parser.epilog = (
        "examples:\n"
        "  harden convert --to compose -- docker run -d -p 80:80 nginx:1.27.3\n"
        "  harden convert --to run --service web compose.yaml\n"
        "  harden convert --to compose deploy.sh"
    )


def run(args: "Namespace") -> int:
    """Write the services; name on standard error what was lost."""
    project = _project(args)
    for problem in project.problems:
        # What else is wrong with a compose file, `harden lint` tells.
        if project.kind == "commands" or problem.code in _UNREAD:
            print(f"harden: {problem.place.at}: {problem.message}", file=sys.stderr)
    services = _chosen(project, args.service)
    if not services:
        raise HardenError(
            "there is no service to convert", where=project.file.path, how="name a compose file, or a file with `docker run` lines"
        )
    text, lost = _written(services, args.to)
    say(text)
    for loss in lost:
        print(f"harden: not said: {loss.name}: {loss.reason}", file=sys.stderr)
    return EXIT_FINDINGS if lost and args.strict else EXIT_CLEAN


def _written(services: "list[Service]", target: str) -> "tuple[str, list[Loss]]":
    if target == "compose":
        from hardener.sources.write.compose_file import compose_file

        text, found = compose_file(services)
        return text, list(found)
    from hardener.sources.write.run_line import harden_line, run_line

    parts: list[str] = []
    lost: list[Loss] = []
    for service in services:
        if target == "run":
            line, command = run_line(service), "docker create" if service.origin == "create" else "docker run"
        else:
            line, command = harden_line(service), "harden run"
        if line.operands:
            parts.append(line.text(command) + "\n")
        lost += [loss if len(services) == 1 else loss._replace(name=f"{service.name}: {loss.name}") for loss in line.lost]
    return "\n".join(parts), lost


def _chosen(project: "Project", names: "Iterable[str]") -> "list[Service]":
    """Return the services that are asked for; all of them, those that others wait for first."""
    wanted = list(names)
    found: list[Service] = []
    for name in wanted:
        service = project.service(name)
        if service is None:
            known = [other.name for other in project.services]
            raise HardenError(
                f"there is no service {name!r}", where=project.file.path, how=suggest(name, known) or f"there are {', '.join(known)}"
            )
        found.append(service)
    return found or _in_order(project)


def _in_order(project: "Project") -> "list[Service]":
    done: dict[str, Service] = {}
    out: list[Service] = []

    def visit(service: "Service") -> None:
        if done.get(service.name) is service:
            return
        done[service.name] = service
        for dependency in service.depends_on:
            other = project.service(dependency.name)
            if other is not None:
                visit(other)
        out.append(service)

    for service in project.services:
        visit(service)
    return out


def _project(args: "Namespace") -> "Project":
    cwd = os.getcwd()
    line: list[str] = args.line
    if sum([bool(args.file), args.path is not None, bool(line)]) > 1:
        raise HardenError("more than one thing to convert", how="name files with -f, or one path, or one run line behind `--`")
    if line:
        return runline.from_argv(line, cwd)
    if args.file:
        return _compose([os.path.abspath(path) for path in args.file])
    path = os.path.abspath(args.path or ".")
    if os.path.isdir(path):
        groups = _groups(path)
        if not groups:
            raise HardenError("there is no compose file", where=path, how="name a file with -f, or write a run line behind `--`")
        return _compose(groups[0])
    kind = runline.kind_of(path.replace(os.sep, "/"))
    if kind is None or (kind == "yaml" and not _is_ci(path)):
        # As for `harden lint PATH`, a project's own file stands for the project, its override included; -f takes it as it is.
        return _compose(next((group for group in _groups(os.path.dirname(path)) if path in group), [path]))
    return runline.find(_open(path), kind, os.path.dirname(path))


def _groups(folder: str) -> list[list[str]]:
    """Return the files of each compose project in a folder."""
    from hardener.sources.compose import discover

    return [[os.path.join(folder, name) for name in group] for group in discover.candidates(os.listdir(folder))]


def _is_ci(path: str) -> bool:
    from hardener.sources.compose import discover

    return not discover.is_compose(_open(path))


def _compose(paths: list[str]) -> "Project":
    return compose.load([_open(path) for path in paths], os.path.dirname(paths[0]), _read)


def _open(path: str) -> SourceFile:
    try:
        with open(path, "rb") as stream:
            return SourceFile.decode(os.path.relpath(path), stream.read())
    except OSError as error:
        raise HardenError(error.strerror or "cannot be read", where=os.path.relpath(path), how="name a file that exists") from None


def _read(path: str) -> SourceFile | str | None:
    """Open a file that a project names."""
    try:
        return _open(path)
    except HardenError as error:
        return None if not os.path.lexists(path) else error.what
