"""A container from its specification: all plans first, then effect. The public face of the executor."""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.oci.runtime import unsupported
from hardener.runtime import (
    cgroups,
    hostname,
    idmaps,
    mounts,
    namespaces,
    network,
    parent,
    privileges,
    program,
    rlimits,
    seccomp,
    sync,
    sysctls,
    terminal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.oci.runtime import Spec
    from hardener.runtime.cgroups import Layout
    from hardener.runtime.job import Rootfs
    from hardener.runtime.parent import Launch, Outcome, Started

# Every step of a launch by its name in `Launch`, in the order in which a reader thinks of them.
STEPS = (
    *("program", "namespaces", "idmaps", "mounts", "privileges", "seccomp", "cgroups", "rlimits", "network", "sysctls", "hostname"),
    "terminal",
)


def plan(spec: Spec, *, bundle: str, name: str, machine: Layout, rootfs: Rootfs | None = None) -> Launch:
    """Return all plans of a container, or refuse it. Without `rootfs` its root is that of the specification."""
    missing = unsupported(spec)
    if missing:
        raise HardenError(f"hardener does not support {', '.join(missing)}", where="config.json", how="leave it out")
    if not name or not all(character.isalnum() or character in "_-.+" for character in name) or name in (".", ".."):
        raise HardenError(f"{name!r} is not a name for a container", how="letters, digits, '-', '_', '+' and '.'")
    launch = parent.Launch()
    launch.bundle = bundle
    launch.machine = machine
    launch.program = program.plan(spec)
    launch.namespaces = namespaces.plan(spec)
    launch.idmaps = idmaps.plan(spec)
    launch.cgroups = cgroups.plan(spec, machine, name)
    launch.rlimits = rlimits.plan(spec)
    launch.network = network.plan(spec)
    launch.sysctls = sysctls.plan(spec)
    launch.mounts = mounts.plan(spec, bundle, rootfs)
    launch.hostname = hostname.plan(spec)
    launch.terminal = terminal.plan(spec)
    launch.privileges = privileges.plan(spec, name)
    launch.seccomp = seccomp.plan(spec)
    return launch


def describe(launch: Launch) -> list[tuple[str, list[str]]]:
    """Return what a launch would do, step by step, for `--dry-run`."""
    plans = ((step, getattr(launch, step)) for step in STEPS)
    return [(step, made.lines() if made is not None else ["nothing"]) for step, made in plans]


def run(launch: Launch, tell: Callable[[Started], None] = lambda started: None) -> Outcome:
    """Start a container and wait for its end; raises `parent.LaunchError` when it does not start. `tell` hears when it runs."""
    try:
        return parent.run(launch, tell)
    except OSError as error:
        raise parent.LaunchError(sync.describe(error), where="container start") from error
