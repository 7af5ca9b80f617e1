"""The container's first process when one is asked for (`--init`): it starts the program, buries what dies, and hands signals on.

It is the process that init.py has set up, behind every wall that the program is behind. Nothing is executed for it, so what it runs is this
machine's interpreter; that is why nothing of the container may reach it: it is not dumpable, and its memory belongs to this machine's user
namespace, so /proc/1/{exe,mem,fd,root,…} and ptrace(2) are refused to all who have no CAP_SYS_PTRACE there (CVE-2016-9962, CVE-2019-5736).

It does what docker-init does (github.com/krallin/tini): the program leads a process group of its own, the foreground one of its terminal;
whatever signal can be meant for it is sent to it; the container ends when the program does, with its exit code.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import calls, signals
from hardener.linux.consts import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec

TITLE: Final = "harden-init"


class Reaper:
    """`first`: it is the first process of a new pid namespace, which ends with it. `terminal`: the program's input is one."""

    __slots__ = ("first", "terminal")

    def __init__(self, *, first: bool, terminal: bool) -> None:
        self.first = first
        self.terminal = terminal

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return ["starts the program, reaps, forwards signals"]

    def prepare(self) -> None:
        """Wipe what the command line of the launcher tells: the first process is there for all to see. While /proc is this machine's."""
        calls.rename(TITLE)

    def fork(self) -> None:
        """Start the child that becomes the program: this returns there. This process stays behind, and ends with it."""
        if not self.first:
            calls.prctl(PR_SET_CHILD_SUBREAPER, 1, name="PR_SET_CHILD_SUBREAPER")
        watched = signals.every()
        mask = signals.block((*watched, signals.TTOU))  # the last stops a background process that makes itself the foreground
        signals.catch(watched)  # who forwards a signal to us looks whether it would be lost: waiting.py
        program = calls.fork()
        if program:
            calls.close_range(0)  # not even the standard streams: their other ends see the program close its own
            posix._exit(_stand_by(program, watched))
        if not self.first:  # otherwise the kernel kills all when the first ends
            calls.prctl(PR_SET_PDEATHSIG, signals.KILL, name="PR_SET_PDEATHSIG")
        posix.setpgid(0, 0)
        if self.terminal:
            posix.tcsetpgrp(0, posix.getpgrp())
        signals.reset()
        signals.restore(mask)


def plan(spec: Spec) -> Reaper:
    """Return what the first process is to do."""
    own = {namespace.type for namespace in (spec.linux.namespaces if spec.linux else ()) if not namespace.path}
    if traces_us(spec):
        raise HardenError(
            "CAP_SYS_PTRACE without a user namespace reaches this machine's programs through the init process",
            where="--init",
            how="leave out --init, the capability, or --userns host",
        )
    return Reaper(first="pid" in own, terminal=bool(spec.process and spec.process.terminal))


def traces_us(spec: Spec) -> bool:
    """Tell whether a container could look into processes of ours that are in it: CAP_SYS_PTRACE counts where they come from."""
    held = spec.process.capabilities if spec.process else None
    apart = any(namespace.type == "user" for namespace in (spec.linux.namespaces if spec.linux else ()))
    return not apart and held is not None and "CAP_SYS_PTRACE" in (*held.bounding, *held.permitted, *held.inheritable)


def _stand_by(program: int, watched: tuple[int, ...]) -> int:
    """Hand signals on and reap until the program has ended; return the exit code."""
    while True:
        signal = signals.wait(watched)
        if signal != signals.CHLD:
            try:
                posix.kill(program, signal)
            except ProcessLookupError:  # its end is already on the way to us
                continue
            except PermissionError:  # it has changed its user: docker-init could not reach it either
                continue
        code = _reap(program)
        if code is not None:
            return code


def _reap(program: int) -> int | None:
    """Bury all that is dead; return the exit code of the program if it is among them."""
    code = None
    while True:
        try:
            pid, status = posix.waitpid(-1, posix.WNOHANG)
        except ChildProcessError:
            return code
        if not pid:
            return code
        if pid == program:
            ended = posix.waitstatus_to_exitcode(status)
            code = 128 - ended if ended < 0 else ended
