"""One check of a container's health: a process of its own that enters the container as `harden exec` does, with the same walls.

Its parent is the supervisor, which reads what it reports: the exit code of the check and the beginning of what it wrote. When it takes
too long the check is killed. It has no input, and no more time than its parent lives.
"""

from __future__ import annotations

import posix
import select
import time

from hardener.errors import HardenError
from hardener.linux import calls, signals
from hardener.linux.consts import PR_SET_PDEATHSIG
from hardener.oci import json_text
from hardener.oci.runtime import Process
from hardener.runtime import cgroups, detach, enter, parent, waiting
from hardener.runtime import state as records
from hardener.runtime.health import FAILED, OUTPUT
from hardener.runtime.places import Places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

    from hardener.runtime.parent import Started
    from hardener.runtime.state import State


MOST: Final = OUTPUT + 4  # bytes that are read of an output: it is seen that there were more


def main(words: list[str]) -> NoReturn:
    """Check once, and report."""
    given = detach.read(words)
    parent_pid = posix.getppid()
    calls.prctl(PR_SET_PDEATHSIG, signals.KILL, name="PR_SET_PDEATHSIG")
    if posix.getppid() != parent_pid:  # it died before we asked to hear of it
        posix._exit(125)
    state = records.load(Places(given["run"], given["data"], ""), given["name"])
    try:
        code, output = check(state, float(given["timeout_s"])) if state is not None else (FAILED, "the container is gone")
    except HardenError as error:
        code, output = FAILED, str(error)
    posix.write(int(given["report"]), json_text.write({"code": code, "output": clipped(output)}).encode())
    posix._exit(0)


def clipped(output: str) -> str:
    """Return the beginning of an output, of so many bytes."""
    data = output.encode("utf-8", "replace")
    return output if len(data) <= OUTPUT else data[:OUTPUT].decode("utf-8", "ignore") + "..."


def check(state: State, timeout_s: float) -> tuple[int, str]:
    """Run the check of a container; return its exit code and what it wrote. Raises `HardenError` when it does not start."""
    job = state.job()
    pidfd = records.container_fd(state)
    if job.health is None or job.spec.process is None or state.pid is None or pidfd is None:
        raise HardenError("the container has ended")
    machine = cgroups.read_layout()
    door = enter.find(state.pid, pidfd, machine)
    try:
        given = {name: getattr(job.spec.process, name) for name in Process.TABLE}
        job.spec.process = Process(**{**given, "args": job.health.test, "terminal": None, "console_size": None})
        made = enter.plan(job.spec, state.name, machine)
        made.silent, made.signal_mask = (0,), set()
        ours, theirs = posix.pipe2(posix.O_CLOEXEC)
        for stream in (1, 2):
            posix.dup2(theirs, stream)
        posix.close(theirs)
        deadline_s = time.monotonic() + timeout_s
        try:
            started = enter.start(made, door)
        finally:
            null = posix.open("/dev/null", posix.O_RDWR | posix.O_CLOEXEC)
            for stream in (1, 2):
                posix.dup2(null, stream)
        return follow(started, ours, deadline_s, timeout_s)
    finally:
        door.close()


def follow(started: Started, out: int, deadline_s: float, timeout_s: float) -> tuple[int, str]:
    """Wait for the end of a check, or of its time; return its exit code and what it wrote."""
    poll = select.poll()
    poll.register(started.pidfd, select.POLLIN)
    poll.register(out, select.POLLIN)
    posix.set_blocking(out, False)
    data = b""
    while True:
        left_s = deadline_s - time.monotonic()
        ready = dict(poll.poll(max(0, int(left_s * 1000) + 1))) if left_s > 0 else {}
        if out in ready:
            chunk = posix.read(out, 1 << 16)
            data = (data + chunk)[:MOST]
            if not chunk:
                poll.unregister(out)
        if started.pidfd in ready:
            _, status = posix.waitpid(started.pid, 0)
            return waiting.exit_code(status), (data + _rest(out))[:MOST].decode("utf-8", "replace")
        if left_s <= 0:
            _kill_group(started.pid)
            parent.kill(started.pid, started.pidfd)
            said = (data + _rest(out))[:MOST].decode("utf-8", "replace")
            return FAILED, f"Health check exceeded timeout ({timeout_s:g}s){f': {said}' if said else ''}"


def _kill_group(pid: int) -> None:
    """Kill what a check has started, too: it leads a session, and its number is its own until it has been waited for."""
    try:
        posix.kill(-pid, signals.KILL)
    except (PermissionError, ProcessLookupError):  # it has become somebody whom we may not signal: who it is in its own ids, we may
        return


def _rest(out: int) -> bytes:
    """Return what a check has left in its pipe; who else holds it is not waited for."""
    try:
        return posix.read(out, MOST)
    except BlockingIOError:
        return b""
