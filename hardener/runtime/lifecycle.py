"""What commands do to containers with a record: start, stop, kill, wait, remove.

A container with a name that runs in the foreground is waited for by the command that started it, which holds its lock; a detached one by
its supervisor. To who stops or kills it they look alike: they signal the container itself and note in `stop` that its end is wanted, and
whoever waits for it does the rest.
"""

from __future__ import annotations

import posix
import select
import time

from hardener.errors import HardenError
from hardener.linux import signals
from hardener.runtime import leftovers, locks, processes
from hardener.runtime import state as records
from hardener.runtime.job import NO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.runtime.job import Job
    from hardener.runtime.places import Places
    from hardener.runtime.state import State

FOR_EVER_S: Final = 1e9
_STEP_S: Final = 0.01
_WRAP_UP_S: Final = 30.0


class Launched:
    """What became of a launch: the exit code for a shell, what a user should know, and the id of the container's record."""

    __slots__ = ("code", "id", "notices")

    def __init__(self, identity: str, code: int, notices: list[str]) -> None:
        self.id = identity
        self.code = code
        self.notices = notices


def launch(job: Job, places: Places, *, detached: bool = False) -> Launched:
    """Start a new container that has a record, and return its exit code, or 0 as soon as it runs detached.

    Without a name the job gets the id of the record for one. Raises `LaunchError`, whose `code` is the exit code, when it does not start:
    then there is no record. In the foreground a container with a terminal, a restart policy or a check of its health has a supervisor
    too, to which this command is attached, so that it can be left with the detach keys; the code is 0 then as well.
    """
    if job.remove and job.restart.kind != NO:
        raise HardenError("--rm and --restart contradict each other", where="harden run", how="leave one of them")
    supervised = detached or job.restart.kind != NO or bool(job.spec.process and job.spec.process.terminal)
    if job.health is not None and not supervised:
        supervised = job.interactive = True  # it must not lose its input by that
    state, lock = records.claim(places, job, detached=supervised)
    if detached:
        return Launched(state.id, 0, _detach(places, state, lock))
    if state.detached:
        code, notices = _attached(places, state, lock, job)
        return Launched(state.id, code, notices)
    return _foreground(job, state, lock)


def _detach(places: Places, state: State, lock: int, client: int | None = None) -> list[str]:
    from hardener.runtime import detach

    try:
        return detach.detach(places, state, lock, client=client)
    finally:
        posix.close(lock)  # it is the supervisor's now


def _attached(places: Places, state: State, lock: int, job: Job) -> tuple[int, list[str]]:
    from hardener.runtime import attach

    ours, theirs = attach.pair()
    try:
        notices = _detach(places, state, lock, theirs.fileno())
    finally:
        theirs.close()
    code = attach.relay(ours, state, keys=job.detach_keys, listening=job.interactive, closing=True)
    return (0 if code is None else code), notices


def _foreground(job: Job, state: State, lock: int) -> Launched:
    from hardener.runtime import container, detach

    try:
        records.begin(state.run)
        made = detach.plan(job, state)
        records.prepare(state, detach.folders(made))
        outcome = container.run(made, tell=lambda started: _tell(state, started.pid))
        asked = records.marked(state)
        code = 128 + int(asked) if asked and outcome.code == 128 + signals.KILL else outcome.code
        records.finish(state, code, oom=any(notice.startswith("memory:") for notice in outcome.notices), note="; ".join(outcome.notices))
        state.become(records.EXITED)
        if state.remove:
            records.remove(state)
        else:
            records.save(state)
        records.tell_end(state.run, code)
        return Launched(state.id, code, outcome.notices)
    except BaseException:
        if state.status != records.EXITED:
            records.remove(state)
        raise
    finally:
        locks.release(state.run, lock)


def _tell(state: State, pid: int) -> None:
    records.running(state, pid)
    if records.marked(state) is not None:  # `stop` was faster than the start
        posix.kill(pid, signals.KILL)


def start(places: Places, state: State, *, attached: bool = False, listening: bool = False) -> tuple[int, list[str]]:
    """Start a container again that has ended; return its exit code when somebody is attached, else 0, and what a user should know."""
    if state.live:
        return (_beside(state, listening) if attached else 0), []
    _refuse_dead(state)
    lock = _hold(places, state)
    try:
        job = state.job()
        state.become(records.CREATED)
        state.detached = True
        records.adopt(state)
        records.save(state)
    except BaseException:
        locks.release(state.run, lock)
        raise
    if attached:
        job.interactive = listening
        return _attached(places, state, lock, job)
    return 0, _detach(places, state, lock)


def _beside(state: State, listening: bool) -> int:
    """Be the streams of a container that runs already, as `harden attach` is."""
    from hardener.runtime import attach

    code = attach.relay(attach.connect(state), state, keys=state.job().detach_keys, listening=listening, closing=False)
    return 0 if code is None else code


def _hold(places: Places, state: State) -> int:
    """Return the lock of a container that has ended."""
    lock = locks.acquire(places, state.name)
    again = None if lock is None else records.load(places, state.name)
    if lock is None or again is None or again.id != state.id or again.live:
        if lock is not None:
            locks.release(state.run, lock)
        raise HardenError(f"another command is working on the container {state.name}", how="try again when it is done")
    return lock


def _refuse_dead(state: State) -> None:
    if state.status == records.DEAD:
        raise HardenError(f"the container {state.name} cannot be used: {state.note}", how=f"harden rm -f {state.name}")


# --- ends -----------------------------------------------------------------------------------------------------------------------


def ask(state: State, pidfd: int, signal: int) -> None:
    """Send a signal to a container; when it is one that the program has no say in and would die of anywhere else, it dies."""
    from hardener.runtime import waiting

    if state.pid is None:
        return
    wanted = records.marked(state)
    if signal in waiting.FATAL:
        records.mark(state, str(signal))  # before: its end may be noted at once
    if not waiting.forward(state.pid, pidfd, signal) and signal in waiting.FATAL:
        records.mark(state, wanted)


class Ending:
    """A container that was asked to end: its first process, if it has one now, and when its time is over."""

    __slots__ = ("deadline_s", "pidfd", "state")

    def __init__(self, state: State, pidfd: int | None, timeout_s: int) -> None:
        self.state = state
        self.pidfd = pidfd
        self.deadline_s = time.monotonic() + (FOR_EVER_S if timeout_s < 0 else timeout_s)


def ask_to_stop(places: Places, state: State, timeout_s: int | None = None, signal: int | None = None) -> Ending | None:
    """Ask a container to end, by default in its own way and time; `see_off` waits for it. None when it has ended already."""
    _refuse_dead(state)
    if state.live:
        state = _settled(places, state)
    if not state.live or not records.mark(state):
        return None
    pidfd = records.container_fd(state)
    job = state.job()
    if pidfd is not None:
        ask(state, pidfd, job.stop_signal if signal is None else signal)
        leftovers.thaw(state.cgroups)  # what is paused cannot hear it
    else:
        _end_of_policy(state)
    return Ending(state, pidfd, job.stop_timeout_s if timeout_s is None else timeout_s)


def see_off(ending: Ending | None) -> None:
    """Wait until a container has ended that was asked to, kill it when its time is over, and return when its end is written down."""
    if ending is None:
        return
    if ending.pidfd is not None:
        if not _ends(ending.pidfd, ending.deadline_s - time.monotonic()):
            signals.send(ending.pidfd, signals.KILL)
        posix.close(ending.pidfd)
    _over(ending.state)


def _settled(places: Places, state: State) -> State:
    """Wait until a container that is being started runs, or has failed to."""
    deadline_s = time.monotonic() + _WRAP_UP_S
    while state.status == records.CREATED and time.monotonic() < deadline_s:
        records.mark(state)  # whoever starts it looks for this once it runs
        time.sleep(_STEP_S)
        again = records.now(places, state.name)
        if again is None or again.id != state.id:
            state.status = records.EXITED
            return state
        state = again
    return state


def _end_of_policy(state: State) -> None:
    """Tell a supervisor whose container does not run at the moment not to start it again."""
    supervisor = processes.watch(state.supervisor, state.supervisor_started, state.boot_id)
    if supervisor is not None:
        if state.detached:
            signals.send(supervisor, signals.TERM)
        posix.close(supervisor)


def kill(state: State, signal: int) -> None:
    """Send a signal to a container that runs; one that means its end is the end of its restart policy too, as with docker."""
    _refuse_dead(state)
    pidfd = records.container_fd(state) if state.live else None
    if pidfd is None:
        raise HardenError(f"the container {state.name} is not running", how=f"it is {state.status}; harden start {state.name} starts it")
    try:
        if signal in (signals.KILL, state.job().stop_signal):
            records.mark(state)
        if signal == signals.KILL:
            signals.send(pidfd, signal)
            leftovers.thaw(state.cgroups)
        else:
            ask(state, pidfd, signal)
    finally:
        posix.close(pidfd)


def remove(places: Places, state: State, *, force: bool = False) -> None:
    """Remove the record of a container that has ended; with `force`, end it first."""
    if state.live:
        if not force:
            how = f"harden stop {state.name} first, or harden rm -f {state.name}"
            raise HardenError(f"the container {state.name} is {state.status}", how=how)
        state = _settled(places, state)
        pidfd = records.container_fd(state) if state.live else None
        if state.live:
            records.mark(state)
        if pidfd is not None:
            signals.send(pidfd, signals.KILL)
            leftovers.thaw(state.cgroups)
            posix.close(pidfd)
        elif state.live:
            _end_of_policy(state)
        _over(state)
    elif state.status == records.DEAD and not force:
        raise HardenError(f"the container {state.name} cannot be read: {state.note}", how=f"harden rm -f {state.name}")
    lock = locks.acquire(places, state.name, patience_s=2.0)
    if lock is None:
        raise HardenError(f"another command is working on the container {state.name}", how="try again when it is done")
    try:
        again = records.load(places, state.name)
        if again is None or again.id != state.id:  # --rm, or another command, was faster
            return
        records.remove(state)
    finally:
        locks.release(state.run, lock)


def wait(state: State) -> int:
    """Wait for the end of a container, if it has not ended; return its exit code."""
    _refuse_dead(state)
    if not state.live:
        return state.exit_code or 0
    supervisor = processes.watch(state.supervisor, state.supervisor_started, state.boot_id)
    try:
        exits = posix.open(f"{state.run}/exits", posix.O_RDONLY | posix.O_CLOEXEC)
    except FileNotFoundError:  # it has just ended
        exits = -1
    try:
        if supervisor is not None and exits >= 0:
            return _exit_of(exits, supervisor, state)
    finally:
        for fd in (supervisor, exits):
            if fd is not None and fd >= 0:
                posix.close(fd)
    raise HardenError(
        f"the container {state.name} ended while its end was about to be waited for", how=f"harden ps -a --filter name={state.name}"
    )


def _exit_of(exits: int, supervisor: int, state: State) -> int:
    """Wait until one more exit code stands in a file, which stays open when its name is gone."""
    from hardener.linux import calls
    from hardener.linux.consts import IN_MODIFY

    before = state.restarts + (state.status == records.RESTARTING)
    changes = calls.inotify(f"/proc/self/fd/{exits}", IN_MODIFY)
    try:
        poll = select.poll()
        poll.register(changes, select.POLLIN)
        poll.register(supervisor, select.POLLIN)
        while True:
            codes = posix.pread(exits, 1 << 20, 0).split(b"\n")[:-1]
            if len(codes) > before:
                return int(codes[before])
            if any(fd == supervisor for fd, _ in poll.poll()):
                codes = posix.pread(exits, 1 << 20, 0).split(b"\n")[:-1]
                return int(codes[-1]) if codes else records.LOST
            posix.read(changes, 4096)
    finally:
        posix.close(changes)


def _over(state: State) -> None:
    """Wait until whoever waits for a container has written down its end, and has gone."""
    supervisor = processes.watch(state.supervisor, state.supervisor_started, state.boot_id)
    if supervisor is None:
        return
    try:
        if not _ends(supervisor, _WRAP_UP_S):
            raise HardenError(
                f"the supervisor of the container {state.name} does not end",
                where=f"process {state.supervisor}",
                how="see what it waits for",
            )
    finally:
        posix.close(supervisor)


def _ends(pidfd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(min(max(0, int(timeout_s * 1000)), 2**31 - 1)))
