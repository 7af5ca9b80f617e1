"""A container from its specification: all plans first, then effect. The public face of the executor."""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.oci.runtime import INIT, unsupported
from hardener.runtime import (
    cgroups,
    hostname,
    idmaps,
    landlock,
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
    from hardener.runtime.labels import Labels
    from hardener.runtime.parent import Launch, Outcome, Started
    from hardener.runtime.reaper import Reaper
    from hardener.runtime.scheduling import Scheduling

# Every step of a launch by its name in `Launch`, in the order in which a reader thinks of them.
STEPS = (
    *("program", "namespaces", "idmaps", "mounts", "privileges", "landlock", "labels", "seccomp", "cgroups", "rlimits", "network"),
    *("sysctls", "hostname", "terminal", "scheduling", "reaper"),
)


def plan(
    spec: Spec,
    *,
    bundle: str,
    name: str,
    machine: Layout,
    rootfs: Rootfs | None = None,
    cache: str = "",
    freezer: bool = False,
) -> Launch:
    """Return all plans of a container, or refuse it. Without `rootfs` its root is that of the specification.

    `cache` is the folder of what is kept between launches (kept.py). With `freezer` the container has the control groups that pausing and
    watching it take.
    """
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
    launch.cgroups = cgroups.plan(spec, machine, name, freezer=freezer)
    launch.rlimits = rlimits.plan(spec)
    launch.network = network.plan(spec)
    launch.sysctls = sysctls.plan(spec)
    launch.mounts = mounts.plan(spec, bundle, rootfs)
    launch.landlock = landlock.plan(spec, launch.mounts)
    launch.labels = _labels(spec)
    launch.hostname = hostname.plan(spec)
    launch.terminal = terminal.plan(spec)
    launch.reaper = _reaper(spec) if (spec.annotations or {}).get(INIT) == "true" else None
    launch.scheduling = _scheduling(spec) if spec.process and (spec.process.scheduler or spec.process.io_priority) else None
    launch.detached = False
    launch.silent = ()
    launch.privileges = privileges.plan(spec)
    launch.seccomp = seccomp.plan(spec, cache)
    return launch


def _labels(spec: Spec) -> Labels | None:
    process = spec.process
    if process is None or not (process.apparmor_profile or process.selinux_label):
        return None
    from hardener.runtime import labels  # before the fork, and only for those who ask for it

    return labels.plan(spec)


def _scheduling(spec: Spec) -> Scheduling | None:
    from hardener.runtime import scheduling  # only for those who ask for it

    return scheduling.plan(spec)


def _reaper(spec: Spec) -> Reaper:
    from hardener.runtime import reaper  # before the fork, and only for those who ask for it

    return reaper.plan(spec)


def describe(launch: Launch) -> list[tuple[str, list[str]]]:
    """Return what a launch would do, step by step, for `--dry-run`."""
    plans = ((step, getattr(launch, step)) for step in STEPS)
    return [(step, made.lines() if made is not None else ["nothing"]) for step, made in plans]


def run(launch: Launch, tell: Callable[[Started], None] = lambda started: None) -> Outcome:
    """Start a container and wait for its end; raises `parent.LaunchError` when it does not start. `tell` hears when it runs."""
    try:
        return parent.run(launch, tell)
    except OSError as error:
        raise _failed(error) from error


def start(launch: Launch) -> Started:
    """Start a container with our standard streams and leave the waiting to the caller; raises as `run` does."""
    try:
        return parent.start(launch)
    except OSError as error:
        raise _failed(error) from error


def _failed(error: OSError) -> parent.LaunchError:
    return parent.LaunchError(sync.describe(error), where="container start", how=parent.remedy(error.errno or 0))
