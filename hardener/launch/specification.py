"""A request laid over a policy: the specification that is executed, and what it is judged to be.

    policy ─▶ base (what asks for nothing) ─▶ flags laid over it ─▶ violations: refused, or told ─▶ filter of system calls written out

Each flag takes exactly one thing away or adds one. It runs at every start, so it imports what the executor imports; what only some
requests need is imported where they need it.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.launch import base, cache, roots, walls
from hardener.linux.binding import MACHINE
from hardener.oci import json_text
from hardener.oci.runtime import INIT, OURS, Mount, Root, Spec, User
from hardener.policies import stored
from hardener.runtime import users
from hardener.runtime.job import Rootfs
from hardener.runtime.program import DEFAULT_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from hardener.launch.provenance import Provenance
    from hardener.launch.request import Request
    from hardener.oci.runtime import Linux, Process
    from hardener.policies.enforce import Violation
    from hardener.policies.runtime import Runtime
    from hardener.policies.stored import Stored
    from hardener.runtime.places import Places

UPPER: Final = "64m"


class Draft:
    """A specification, its root, volumes to be made, and where it is looser than its policy, one line each.

    `anonymous` are volumes that nobody else uses.
    """

    __slots__ = ("anonymous", "looser", "root", "rootfs", "spec", "volumes")

    def __init__(
        self,
        spec: Spec,
        rootfs: Rootfs,
        root: roots.Root,
        looser: tuple[str, ...],
        volumes: tuple[str, ...],
        anonymous: tuple[str, ...],
    ) -> None:
        self.spec = spec
        self.rootfs = rootfs
        self.root = root
        self.looser = looser
        self.volumes = volumes
        self.anonymous = anonymous


def draft(request: Request, places: Places, join: Callable[[str, str, str], str], unenforceable: tuple[str, ...] = ()) -> Draft:
    """Return what a request makes of its policy, or refuse it.

    `join` finds the namespace of another container (`walls.lay_namespaces`); `unenforceable` are the controllers whose limits this machine
    cannot enforce and the user does without.
    """
    policy = cache.load(policy_file(request.policy), places.cache)
    spec = policy.settled()
    provenance = _provenance(policy, places)
    root = roots.find(request, places, provenance)
    if spec.process is None or spec.linux is None:
        raise HardenError("a policy left nothing of a container", where=request.policy)
    process, linux = spec.process, spec.linux
    spec.root = Root(path=root.layers[-1], readonly=False if request.writable or request.keep else spec.root and spec.root.readonly)
    account = _account(request, root, process)
    _process(request, root, process, account)
    spec.hostname = request.hostname or request.name or None
    spec.domainname = request.domainname or None
    shared = walls.lay_namespaces(request, spec, linux, join)
    if not any(namespace.type == "uts" for namespace in linux.namespaces):
        spec.hostname = spec.domainname = None
    if not any(namespace.type == "network" and not namespace.path for namespace in linux.namespaces):
        linux.sysctl = {name: value for name, value in (linux.sysctl or {}).items() if name not in base.PORTS} or None
    walls.lay_ids(request, linux)
    walls.lay_capabilities(request, process)
    if request.annotations or request.init:
        _annotate(request, spec)
    copy_up: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    looser: tuple[str, ...] = ()
    anonymous: tuple[str, ...] = ()
    if request.asks() or unenforceable or root.user or root.volumes:
        from hardener.launch.files import lay as lay_files
        from hardener.launch.resources import without

        runtime = policy.runtime()
        profile = linux.seccomp = json_text.scan(policy.profile) if linux.seccomp == stored.APART else linux.seccomp
        bound = _further(request, spec, linux, process)
        files = lay_files(request, spec, runtime, places, root.volumes, provenance)
        copy_up, volumes, anonymous = tuple(files.copy_up), tuple(files.volumes), tuple(files.anonymous)
        looser = (*judge(runtime, spec), *files.notices)
        judged = tuple([mount.destination for mount in files.mounts if mount.type == "bind"])
        own = [mount for mount in spec.mounts if not any(mount is one for one in files.mounts)]
        asked = [*files.mounts, *files.stored, *shared, *bound]
        spec.mounts = (*own, *sorted(asked, key=lambda mount: mount.destination.count("/")))  # what lies deeper comes later
        if linux.seccomp is profile and policy.profile:
            linux.seccomp = stored.APART
        if linux.resources is not None:
            for name in unenforceable:
                without(name, linux.resources)
    # What is hidden of a root comes first: a policy or a user may mount below it, or in its place.
    taken = {mount.destination for mount in spec.mounts}
    spec.mounts = (*[mount for mount in root.mounts if mount.destination not in taken], *spec.mounts)
    linux.masked_paths += root.masked
    rootfs = Rootfs(
        layers=root.layers,
        upper=UPPER if request.writable and request.keep is None else None,
        keep=request.keep,
        map_root=root.map_root,
        copy_up=copy_up,
        judged=judged,
    )
    _write_filter(linux, process, policy, places)
    return Draft(spec, rootfs, root, looser, volumes, anonymous)


def _provenance(policy: Stored, places: Places) -> Provenance | None:
    """Return what a policy asks of images; None where that is nothing."""
    images = policy.images()
    if images is None:
        return None
    from hardener.launch.provenance import Provenance

    return Provenance(images, places.data)


def policy_file(policy: str) -> str:
    """Return a policy's name, or the absolute path of its file: what is kept of it is kept by that."""
    is_file = "/" in policy or policy.endswith((".yaml", ".yml"))
    return f"{posix.getcwd()}/{policy}" if is_file and not policy.startswith("/") else policy


def _account(request: Request, root: roots.Root, process: Process) -> users.Account:
    """Return who the process is: what the user says, what the image says, root; but what a policy sets stays unless a user is named."""
    named = request.user if request.user is not None else root.user
    if named:
        return users.resolve(named, root.database("/etc/passwd"), root.database("/etc/group"))
    own = process.user
    return users.Account(own.uid or 0, own.gid or 0, (), "/") if own is not None else users.Account(0, 0, (), "/")


def _process(request: Request, root: roots.Root, process: Process, account: users.Account) -> None:
    groups = account.groups
    if request.groups:
        text = root.database("/etc/group")
        groups = tuple(dict.fromkeys((*groups, *(users.group(name, text, "--group-add") for name in request.groups))))
    old = process.user
    process.user = User(uid=account.uid, gid=account.gid, additional_gids=groups, umask=old.umask if old is not None else None)
    process.args = _arguments(request, root)
    process.cwd = request.working_directory or root.working_directory
    process.terminal = True if request.terminal else None
    given: dict[str, str] = {"PATH": DEFAULT_PATH, "HOME": account.home}
    if hostname := request.hostname or request.name:
        given["HOSTNAME"] = hostname
    if request.terminal:
        given["TERM"] = "xterm"
    for entry in (*root.environment, *request.environment):
        name, _, value = entry.partition("=")
        given[name] = value
    process.env = tuple([f"{name}={value}" for name, value in given.items()])


def _arguments(request: Request, root: roots.Root) -> tuple[str, ...]:
    """Return the words to execute, as docker joins entrypoint and command."""
    if request.entrypoint is not None:
        words = (*([request.entrypoint] if request.entrypoint else []), *request.arguments)
    else:
        words = (*root.entrypoint, *(request.arguments or root.command))
    if not words:
        raise HardenError("there is no program to run", where="harden run", how="write it after --")
    return words


def _annotate(request: Request, spec: Spec) -> None:
    for name in request.annotations:
        if name.startswith(OURS):
            raise HardenError(f"{name} is hardener's own", where="--annotation", how="use the flag for it")
    spec.annotations = {**(spec.annotations or {}), **request.annotations, **({INIT: "true"} if request.init else {})}


def _further(request: Request, spec: Spec, linux: Linux, process: Process) -> list[Mount]:
    """Lay limits, devices, parameters and security options over a specification; return what devices are bound for another name."""
    from hardener.launch import files, resources

    bound: list[Mount] = []
    if linux.resources is not None:
        resources.lay(request, spec, linux.resources)
        nodes, rules, bound = files.devices(request.devices, request.device_rules)
        linux.devices = (*linux.devices, *nodes)
        linux.resources.devices = (*linux.resources.devices, *rules)
    if request.cgroup_parent is not None:
        linux.cgroups_path = f"{request.cgroup_parent.rstrip('/')}/{request.name}"
    for text in request.sysctls:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise HardenError(f"{text!r} sets nothing", where="--sysctl", how="write NAME=VALUE")
        linux.sysctl = {**(linux.sysctl or {}), name: value}
    walls.lay_security(request, spec, linux, process)
    return bound


def judge(runtime: Runtime, spec: Spec, *, refuse: bool = True) -> tuple[str, ...]:
    """Return the lines of what the policy lets flags loosen; what it does not is an error that names all of it, or a line, too."""
    from hardener.policies import enforce

    found = enforce.violations(runtime, spec)
    if refuse and (refused := enforce.refused(found)):
        raise _refusal(refused)
    return tuple(dict.fromkeys(one.line for one in found))


def _refusal(refused: tuple[Violation, ...]) -> HardenError:
    """Return one error that names all that is refused: what is asked for, what the policy wants, and where it says so."""
    if any(one.key == "privileged" for one in refused):  # all else that --privileged takes down goes without saying
        from hardener.policies.enforce import PRIVILEGED

        refused = tuple(one for one in refused if one.key.partition(".")[0] not in PRIVILEGED)
    lines = [f"{one.says}; it wants {one.wants} ({one.key}{f', {one.where}' if one.where else ''})" for one in refused]
    keys = list(dict.fromkeys(one.key.partition(".")[0] for one in refused))
    head = f"the policy {refused[0].policy} does not allow this:"
    how = "leave it out, or choose a policy that allows it"
    if "privileged" not in keys:
        how += f" (`loosen: [{', '.join(keys)}]`)"
    return HardenError(f"{head} {lines[0]}" if len(lines) == 1 else "\n    ".join([head, *lines]), where="harden run", how=how)


def _write_filter(linux: Linux, process: Process, policy: Stored, places: Places) -> None:
    """Write the filter of system calls out; which rules of a profile count depends on capabilities, so it comes last."""
    if not linux.seccomp:
        return
    text, name = policy.profile, policy.name
    if linux.seccomp != stored.APART:
        from json import dumps

        text, name = dumps(linux.seccomp), "--security-opt seccomp"
    held = process.capabilities.bounding if process.capabilities is not None else ()
    release = [int(number) for number in posix.uname().release.split("-")[0].split(".")[:2]]
    linux.seccomp = cache.filter_rules(text, name, machine=MACHINE, kernel=(release[0], release[1]), capabilities=held, cache=places.cache)
