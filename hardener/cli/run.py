"""`harden run`: start a program in a container that is locked down unless told otherwise."""

from __future__ import annotations

import posix
import sys

from hardener.cli import run_flags
from hardener.errors import EXIT_CLEAN, HardenError, suggest
from hardener.launch import specification, values
from hardener.launch.request import Request
from hardener.launch.roots import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from hardener.launch.specification import Draft
    from hardener.runtime.cgroups import Layout
    from hardener.runtime.places import Places

EXIT_FAILED: Final = 125


def from_words(words: list[str]) -> int:
    """Run a container; the exit code is the program's, or 125, 126 or 127 when it did not start, for whatever reason."""
    try:
        return _run(words)
    except HardenError as error:
        from hardener.cli import complain

        complain(error)
        code = getattr(error, "code", EXIT_FAILED)  # a LaunchError knows
        return code if isinstance(code, int) else EXIT_FAILED


def _run(words: list[str]) -> int:
    options, rest = run_flags.parse(words)
    if "--help" in options:
        sys.stdout.write(run_flags.usage())
        return EXIT_CLEAN
    environment = _environment()
    request = understand(options, rest, environment)
    from hardener.runtime import cgroups
    from hardener.runtime.places import places

    where = places(posix.geteuid(), environment)
    machine = cgroups.read_layout()
    if "--bundle" in options:
        from hardener.launch import bundle

        made = bundle.draft(request, where, strictly="--policy" in options)
    else:
        made = _draft(request, where, _unenforceable(request, machine), quiet="--quiet" in options)
    if "--print-spec" in options:
        import json

        print(json.dumps(made.spec.dump(), indent=2))
        return EXIT_CLEAN
    _tell(made.looser)
    if "--dry-run" in options:
        return _describe(request, made, where, machine)
    sys.stdout.flush()
    return _start(request, made, where, machine, named=bool(options.get("--name", [""])[-1]), interactive="--interactive" in options)


def _draft(request: Request, places: Places, unenforceable: tuple[str, ...], *, quiet: bool) -> Draft:
    """Return what is to be started; on the way images that are not here are fetched, and signatures that a policy wants, each once."""
    fetched: list[str] = []
    while True:
        try:
            return specification.draft(request, places, lambda name, kind, _: _join(places, name, kind), unenforceable)
        except HardenError as error:
            from hardener.launch.images import Absent

            if not isinstance(error, Absent) or error.name in fetched:
                fetched.append(_verify(error, places, fetched))
                continue
            from hardener.cli import fetching

            fetching.fetch(error.name, places, error.platform, quiet=quiet)
            fetched.append(error.name)
            request.pull = "missing"


def _verify(error: HardenError, places: Places, done: list[str]) -> str:
    """Look for the signature that is missing, and return what was looked for; raise the error when it is about something else."""
    from hardener.launch.provenance import Unverified

    if not isinstance(error, Unverified) or (what := f"{error.rule.where} {error.subject.digest}") in done:
        raise error
    from hardener.cli import fetching

    fetching.verify(error, places)
    return what


def _tell(notices: Iterable[str]) -> None:
    for notice in notices:
        print(f"harden: {notice}", file=sys.stderr)


def _environment() -> dict[str, str]:
    return {name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape") for name, value in posix.environ.items()}


def _join(places: Places, name: str, kind: str) -> str:
    from hardener.runtime import detach

    return detach.namespace(places, name, kind)


def _unenforceable(request: Request, machine: Layout) -> tuple[str, ...]:
    if not request.unenforced:
        return ()
    from hardener.launch.resources import UNENFORCED
    from hardener.runtime import cgroups

    found = []
    for limit in request.unenforced:
        if limit not in UNENFORCED:
            how = suggest(limit, UNENFORCED) or f"one of {', '.join(UNENFORCED)}"
            raise HardenError(f"{limit!r} is not a limit", where="--allow-unenforced", how=how)
        if not cgroups.writable(machine, limit):
            found.append(limit)
    if found:
        _tell([f"not enforced: {', '.join(found)}"])
    return tuple(found)


def _describe(request: Request, made: Draft, places: Places, machine: Layout) -> int:
    from hardener.cli import tame
    from hardener.runtime import container

    plan = container.plan(made.spec, bundle=posix.getcwd(), name=request.name, machine=machine, rootfs=made.rootfs, cache=places.cache)
    print(f"policy:\n  {tame(request.policy)}")
    for line in made.looser:
        print(f"  {tame(line)}")
    for step, lines in container.describe(plan):  # an image has its words in it
        print(f"{step}:\n  " + "\n  ".join([tame(line) for line in lines]))
    return EXIT_CLEAN


def _start(request: Request, made: Draft, places: Places, machine: Layout, *, named: bool, interactive: bool) -> int:
    from hardener.runtime import container

    if request.terminal and interactive and not request.detach and not posix.isatty(0):
        raise HardenError("the input device is not a TTY", where="harden run -it", how="leave -t, or run it on a terminal")
    if made.volumes or made.anonymous:
        from hardener.runtime import volumes

        for name in made.volumes:
            volumes.use(places, name)
        for name in made.anonymous:
            volumes.create(places, name, anonymous=True)
    kept = False
    try:
        if named or request.detach or request.restart is not None:
            code = _recorded(request, made, places, named=named, interactive=interactive)
            kept = request.detach or not request.remove
            return code
        if request.sets_health():
            _tell(["its health is not checked: that takes a --name or -d"])
        plan = container.plan(made.spec, bundle=posix.getcwd(), name=request.name, machine=machine, rootfs=made.rootfs, cache=places.cache)
        outcome = container.run(plan)
    finally:
        if made.anonymous and not kept:  # nobody could name them
            for name in made.anonymous:
                if (volume := volumes.find(places, name)) is not None:
                    volumes.remove(places, volume)
    _tell(outcome.notices)
    return outcome.code


def _recorded(request: Request, made: Draft, places: Places, *, named: bool, interactive: bool) -> int:
    from hardener.launch import jobs
    from hardener.runtime import lifecycle

    job = jobs.of(request, made, interactive=interactive)
    if not named:
        job.name = ""
    launched = lifecycle.launch(job, places, detached=request.detach)
    _tell(launched.notices)
    if request.detach:
        print(launched.id)
    return launched.code


# --- words ------------------------------------------------------------------------------------------------------------------------


def understand(options: dict[str, list[str]], rest: list[str], environment: dict[str, str]) -> Request:
    """Return the request that options and words make."""
    request = Request()
    _root(request, options, rest)
    for name, texts in options.items():
        flag = run_flags.FLAGS[name]
        if not hasattr(request, flag.attribute):
            flag.read(texts[-1], name)  # which may refuse it
            continue
        if not flag.value:
            setattr(request, flag.attribute, True)
        elif not flag.repeated:
            setattr(request, flag.attribute, flag.read(texts[-1], name))
        elif flag.attribute not in ("environment", "labels", "annotations"):
            setattr(request, flag.attribute, texts)
    request.name = request.name or f"run-{posix.getpid()}"
    request.environment = values.variables(options.get("--env-file", []), options.get("--env", []), environment)
    request.labels = {**_label_files(options), **values.pairs(options.get("--label", []), "--label")}
    request.annotations = values.pairs(options.get("--annotation", []), "--annotation")
    request.volumes = [_from_here(entry) for entry in request.volumes]
    request.mounts = [_mount_from_here(entry) for entry in request.mounts]
    for one, other in (("--read-only", "--writable"), ("--read-only", "--keep")):
        if one in options and other in options:
            raise HardenError(f"{one} and {other} contradict each other", where="harden run", how="leave one of them")
    if request.keep is not None:
        request.keep = _absolute(request.keep)
    return request


def _root(request: Request, options: dict[str, list[str]], rest: list[str]) -> None:
    given = options.get("--rootfs")
    if "--bundle" in options:
        request.root = _absolute(options["--bundle"][-1])
        further = [*(name for name in options if name not in run_flags.BESIDE_A_BUNDLE), *(word for word in rest if word != "--")]
        if further:
            raise HardenError(f"{further[0]} beside a bundle", where="--bundle", how="its config.json says all of it: change it there")
    elif given is not None:
        request.root, request.rootfs = _absolute(given[-1]), True
        if not given[-1]:
            raise HardenError("there is no root filesystem", where="--rootfs", how="name a folder")
    else:
        if rest[:1] == ["--"] and len(rest) > 1:  # as docker: what ends the options
            del rest[0]
        if not rest or rest[0] == "--":
            raise HardenError(
                "there is no root filesystem", where="harden run", how="harden run --rootfs DIR -- PROGRAM, or harden run host -- PROGRAM"
            )
        request.root = rest.pop(0)
        # What an entrypoint is given may look like an option.
        is_program = request.root == HOST and not options.get("--entrypoint", [""])[-1]
        if is_program and rest and rest[0] != "--" and rest[0].startswith("-"):
            how = f"options come before it: harden run {rest[0]} … {request.root}; or write -- before the program"
            raise HardenError(f"{rest[0]!r} stands behind the root filesystem", where="harden run", how=how)
    if rest[:1] == ["--"]:
        del rest[0]
    if not rest and "--entrypoint" not in options and (request.rootfs or request.root == HOST):
        raise HardenError("there is no program to run", where="harden run", how="write it after --")
    request.arguments = rest


def _label_files(options: dict[str, list[str]]) -> dict[str, str]:
    lines = [line.strip() for path in options.get("--label-file", []) for line in values.text_of(path, "--label-file").splitlines()]
    return values.pairs([line for line in lines if line and not line.startswith("#")], "--label-file")


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"{posix.getcwd()}/{path}"


def _from_here(text: str) -> str:
    source, colon, rest = text.partition(":")
    return f"{_absolute(source)}{colon}{rest}" if source.startswith(".") else text


def _mount_from_here(text: str) -> str:
    fields = text.split(",")
    for at, field in enumerate(fields):
        name, equals, value = field.partition("=")
        if name in ("source", "src") and equals and value.startswith("."):
            fields[at] = f"{name}={_absolute(value)}"
    return ",".join(fields)
