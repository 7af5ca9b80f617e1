"""Inside: the page to audit. What runs between the birth of the child and execve, in the order that is the argument.

The child is a copy of the launcher. It trusts the plans, which were made before, and nothing of the container: from the moment the root
changes, an import, a look-up of a codec or a line of a traceback would read the container's files with our privileges. So the first act is
to seal the interpreter, and the only ways out are execve and `_exit`; what goes wrong is told to the parent as data.
"""

from __future__ import annotations

import posix
import sys

from hardener.errors import HardenError
from hardener.linux import calls, signals
from hardener.runtime import (
    cgroup_mount,
    cgroups,
    hostname,
    landlock,
    mounts,
    namespaces,
    network,
    privileges,
    program,
    seccomp,
    sync,
    sysctls,
    terminal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, TypeVar

    from hardener.runtime.parent import Launch
    from hardener.runtime.sync import Channel

    T = TypeVar("T")
    Step = tuple[str, Callable[[], object]]

FAILED = 125


def seal() -> None:
    """Take from the interpreter every way to find code (seen elsewhere: a planted `encodings/idna.py` ran as root)."""
    for places in (sys.path, sys.meta_path, sys.path_hooks, sys.path_importer_cache):
        places.clear()
    sys.excepthook = lambda *_: None  # a traceback would open source files


def run(launch: Launch, channel: Channel, doors: tuple[int, ...]) -> NoReturn:
    """Be the container's first process; never returns. `doors` lead into its control groups."""
    perform(channel, doors, lambda: [*_setup(launch), *walls(launch, channel)])


def perform(channel: Channel, doors: tuple[int, ...], plan: Callable[[], list[Step]]) -> NoReturn:
    """Seal, wait for the parent's word, and do all steps, the last of which does not return; what fails is told, and ends us."""
    step = "seal"
    try:
        seal()
        step = "cgroups"
        cgroups.go_in(doors)
        step = "wait"
        await_word(channel, sync.GO)
        for step, act in plan():  # noqa: B007  (the name is for the report)
            act()
    except OSError as error:
        channel.send(sync.ERROR, step, str(error.errno or 0), sync.describe(error))
    except HardenError as error:
        channel.send(sync.ERROR, step, "", error.what, error.where, error.how)
    except BaseException as error:  # whatever it is: the parent must hear of it, and nothing of the container may run
        channel.send(sync.ERROR, step, "", f"{type(error).__name__}: {error}")
    finally:
        posix._exit(FAILED)


def await_word(channel: Channel, word: str) -> None:
    """Wait until the parent says so; end when it is gone, or has given up."""
    if channel.receive() != (word,):
        posix._exit(FAILED)


def _setup(launch: Launch) -> list[Step]:
    """Return the steps that build what the container sees."""
    groups = cgroup_mount.sources(launch.machine, launch.cgroups)
    return [
        ("files", lambda: posix.umask(0)),  # what we make has the modes that we say, whatever the umask of who started us
        *([("init", launch.reaper.prepare)] if launch.reaper is not None else []),
        ("namespaces", lambda: namespaces.apply(launch.namespaces)),
        ("network", lambda: _do(network.apply, launch.network)),
        ("sysctls", lambda: _do(sysctls.apply, launch.sysctls)),
        ("mounts", lambda: mounts.apply(launch.mounts, launch.sources, launch.bundle, groups)),
        ("hostname", lambda: _do(hostname.apply, launch.hostname)),
    ]


def walls(launch: Launch, channel: Channel) -> list[Step]:
    """Return the steps between a finished room and the program in it: the same for the first process and for each that joins it later."""
    paths: list[str] = []
    install = ("seccomp", lambda: _do(seccomp.apply, launch.seccomp))
    last = launch.privileges.no_new_privileges
    return [
        ("terminal", lambda: _terminal(launch, channel)),
        ("working directory", lambda: program.enter(launch.program)),
        *([("labels", launch.labels.apply)] if launch.labels is not None else []),
        ("landlock", lambda: landlock.prepare(launch.landlock)),
        *([] if last else [install]),  # without no_new_privs the kernel takes a filter only from who still has CAP_SYS_ADMIN
        ("privileges", lambda: privileges.apply(launch.privileges, parent_gone=launch.detached)),
        ("landlock", lambda: landlock.apply(launch.landlock)),  # which asks for no_new_privs
        ("exec", lambda: paths.extend(program.find(launch.program))),
        ("ready", lambda: _ready(launch, channel)),
        *([("exec", lambda: program.hold(launch.program, paths))] if launch.program.guarded else []),
        *([install] if last else []),
        *([("init", launch.reaper.fork)] if launch.reaper is not None else []),
        ("exec", lambda: program.execute(launch.program, paths)),
    ]


def _do(apply: Callable[[T], None], plan: T | None) -> None:
    if plan is not None:
        apply(plan)


def _terminal(launch: Launch, channel: Channel) -> None:
    master = terminal.apply(launch.terminal)
    if master is not None:
        channel.send(sync.TERMINAL)
        calls.send_fd(channel.fd, master)
        posix.close(master)


def _ready(launch: Launch, channel: Channel) -> None:
    # Nothing of this machine stays open but the standard streams and the channel, which closes itself at execve (CVE-2024-21626).
    calls.close_range(3, channel.fd - 1)
    calls.close_range(channel.fd + 1)
    signals.reset()
    calls.reset_hidden_signals()
    signals.restore(())
    channel.send(sync.READY)
    await_word(channel, sync.START)
