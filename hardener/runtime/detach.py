"""From a command to the supervisor of a container that outlives it.

    command                        first stage                        second stage (supervisor.py)
      | fork, fork, exec ────────────▶ reads the job, plans
      |                                starts the container
      | ◀──────────── report, closed ─ or says why not
      | returns                        exec ──────────────────────────────▶ keeps logs, waits
                                       ▲                                    │
                                       └───────── exec, to start it again ──┘

Both stages are one process, the container's parent all along, and what it holds goes on as open descriptors. Each begins with a fresh
interpreter: the second needs little of what the first does, and stays in memory for as long as the container lives.
"""

from __future__ import annotations

import posix
import sys

from hardener.errors import HardenError
from hardener.linux import signals
from hardener.oci import json_text
from hardener.runtime.places import Places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, NoReturn

    from hardener.runtime.job import Job
    from hardener.runtime.parent import Launch
    from hardener.runtime.state import State

_BOOT: Final = "import sys; sys.path.insert(0, sys.argv[1]); from hardener.runtime import {0}; {0}.main(sys.argv[2:])"
_LIMIT: Final = 1 << 20


def detach(places: Places, state: State, lock: int, *, client: int | None = None) -> list[str]:
    """Start the container of a record under a supervisor of its own; return what a user should know. Raises `LaunchError`.

    The lock of the record becomes the supervisor's; `client` is a connected socket of who is attached from the first byte on.
    """
    report, theirs = posix.pipe2(posix.O_CLOEXEC)
    words = [f"run={places.run}", f"data={places.data}", f"name={state.name}", f"lock={lock}", f"report={theirs}"]
    kept = [lock, theirs]
    if client is not None:
        words.append(f"client={client}")
        kept.append(client)
    child = posix.fork()
    if not child:
        try:
            posix.setsid()
            if posix.fork():  # the supervisor is nobody's child, and gets no terminal again
                posix._exit(0)
            posix.chdir("/")
            null = posix.open("/dev/null", posix.O_RDWR)
            for stream in (0, 1, 2):
                posix.dup2(null, stream)
            only(kept)
            become("detach", words, kept)
        finally:
            posix._exit(125)
    posix.close(theirs)
    posix.waitpid(child, 0)
    try:
        return _hear(report)
    finally:
        posix.close(report)


def become(module: str, words: list[str], kept: Iterable[int]) -> NoReturn:
    """Go on as another stage, with some descriptors."""
    for fd in kept:
        posix.set_inheritable(fd, True)
    package = sys.modules["hardener"].__file__ or ""
    root = package.rpartition("/")[0].rpartition("/")[0]
    interpreter = sys.executable or posix.readlink("/proc/self/exe")
    posix.execve(interpreter, [interpreter, "-I", "-S", "-c", _BOOT.format(module), root, *words], {})


def only(kept: Iterable[int]) -> None:
    """Close all descriptors but the standard streams and these."""
    for name in posix.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in kept:
            posix.closerange(fd, fd + 1)


def read(words: list[str]) -> dict[str, str]:
    """Return the words that one stage hands to the next."""
    return dict(word.split("=", 1) for word in words)


def _hear(report: int) -> list[str]:
    from hardener.runtime.parent import LaunchError

    said = b""
    while chunk := posix.read(report, _LIMIT):
        said += chunk
    if not said:
        raise LaunchError("the container's supervisor was killed before the container ran", how="see what killed it: dmesg, journalctl -k")
    answer = json_text.scan(said.decode("utf-8", "surrogateescape"))
    if not isinstance(answer, dict):
        raise TypeError(answer)
    if "what" in answer:
        raise LaunchError(answer["what"], where=answer["where"], how=answer["how"], code=answer["code"])
    return list(answer["notices"])


# --- first stage ----------------------------------------------------------------------------------------------------------------


def main(words: list[str]) -> NoReturn:
    """Start a container, say how that went, and go on as its supervisor."""
    from hardener.runtime import state as records

    given = read(words)
    place = Places(given["run"], given["data"], "")
    lock = int(given["lock"])
    report = int(given["report"]) if "report" in given else None
    signals.block(signals.ORDINARY)  # what comes while we start waits for the second stage
    state = records.load(place, given["name"])
    if state is None:  # not possible while we have its lock
        posix._exit(125)
    try:
        _start(state, given, lock, report)
    except HardenError as error:
        code = getattr(error, "code", 125)
        _give_up(state, lock, code, error.what, restarting="report" not in given)
        _say(report, {"what": error.what, "where": error.where, "how": error.how, "code": code})
    except Exception as error:  # ours to mend, but the command waits for an answer and the name must be given free
        what = f"this is a bug in hardener: {type(error).__name__}: {error}"
        _give_up(state, lock, 125, what, restarting="report" not in given)
        _say(report, {"what": what, "where": "supervisor", "how": "please report it", "code": 125})
    posix._exit(125)


def _give_up(state: State, lock: int, code: int, why: str, *, restarting: bool) -> None:
    from hardener.runtime import locks
    from hardener.runtime import state as records

    fresh = not (restarting or state.started_at)
    records.finish(state, code, note=why)
    try:
        if state.status != records.EXITED:
            state.become(records.EXITED)
        if state.remove or fresh:
            records.remove(state)  # `run` has failed: there is nothing that could be started again
        else:
            records.save(state)
    except HardenError:  # the disk, again: the next command finds that nobody supervises it
        return
    records.tell_end(state.run, code)
    locks.release(state.run, lock)


def _say(report: int | None, answer: dict[str, object]) -> None:
    if report is not None:
        try:
            posix.write(report, json_text.write(answer).encode())
        except BrokenPipeError:  # the command was killed; the container goes on all the same
            pass
        finally:
            posix.close(report)


def _start(state: State, given: dict[str, str], lock: int, report: int | None) -> NoReturn:
    from hardener.linux import calls
    from hardener.runtime import container, parent
    from hardener.runtime import state as records

    again = report is None
    if not again:
        records.begin(state.run)
    job = state.job()
    made = plan(job, state)
    made.signal_mask = set()
    records.prepare(state, folders(made))
    listener = int(given["listen"]) if again else _listen(state.run)
    ours, theirs = _streams(job)
    null = posix.open("/dev/null", posix.O_RDWR | posix.O_CLOEXEC)
    for stream in (0, 1, 2):
        posix.dup2(theirs.get(stream, null), stream)
    started = container.start(made)
    for stream in (0, 1, 2):
        posix.dup2(null, stream)
    try:
        records.running(state, started.pid, restarts=int(given.get("restarts", "0")))
    except (HardenError, OSError):
        calls.pidfd_send_signal(started.pidfd, signals.KILL)
        posix.waitpid(started.pid, 0)
        parent.end(made.cgroups)
        raise
    _say(report, {"notices": started.notices})
    kept = {"lock": lock, "listen": listener, "pidfd": started.pidfd}
    kept |= {"screen": started.screen} if started.screen is not None else ours
    if started.kept is not None:  # the lock of the folder that takes what it writes
        kept["kept"] = started.kept
    if "client" in given:
        kept["client"] = int(given["client"])
    words = [f"{key}={given[key]}" for key in ("run", "data", "name")]
    words += [f"{key}={fd}" for key, fd in kept.items()]
    words += [f"delay_ms={given.get('delay_ms', '0')}", f"restart={job.restart.kind}", f"most={job.restart.most or 0}"]
    words += [f"stop_signal={job.stop_signal}", f"stop_timeout_s={job.stop_timeout_s}"]
    if job.health is not None:
        from hardener.runtime import health

        words.append(f"health={health.words(job.health)}")
    become("supervisor", words, kept.values())


def plan(job: Job, state: State) -> Launch:
    """Return the plans of a container with a record. Its control groups are named after its id too: another user may take the same name."""
    from hardener.runtime import cgroups, container

    linux = job.spec.linux
    for one in linux.namespaces if linux is not None and job.joins else ():
        if job.joins and one.type in job.joins:
            places = Places(state.run.rpartition("/containers/")[0], state.folder.rpartition("/containers/")[0], "")
            one.path = namespace(places, job.joins[one.type], one.type)
    return container.plan(
        job.spec,
        bundle="/",
        name=f"{state.name}.{state.id}",
        machine=cgroups.read_layout(),
        rootfs=job.rootfs,
        freezer=True,
    )


def namespace(places: Places, name: str, kind: str) -> str:
    """Return the path of a namespace of a container that runs, for another one to join."""
    from hardener.runtime import namespaces
    from hardener.runtime import state as records

    found = records.find(places, name)
    if found.status != records.RUNNING or not found.pid:
        raise HardenError(f"the container {name} is not running", where=f"--{kind} container:{name}", how=f"harden start {name}")
    return f"/proc/{found.pid}/ns/{namespaces.FILES.get(kind, kind)}"


def folders(made: Launch) -> tuple[str, ...]:
    """Return the folders of the control groups of a plan."""
    return made.cgroups.directories if made.cgroups is not None else ()


def _streams(job: Job) -> tuple[dict[str, int], dict[int, int]]:
    """Return our ends and the container's of its standard streams; with a terminal they are the terminal."""
    if job.spec.process is not None and job.spec.process.terminal:
        return {}, {}
    ours, theirs = {}, {}
    for name, stream in (("out", 1), ("err", 2)):
        ours[name], theirs[stream] = posix.pipe2(posix.O_CLOEXEC)
    if job.interactive:
        theirs[0], ours["in"] = posix.pipe2(posix.O_CLOEXEC)
    return ours, theirs


def _listen(run: str) -> int:
    """Return the socket on which others attach: in a folder that is the user's alone, never an abstract one (CVE-2020-15257)."""
    import _socket

    # The path of a socket has 107 bytes, which a folder may have used up: the folder is named by its descriptor.
    folder = posix.open(run, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        mask = posix.umask(0o177)
        socket.bind(f"/proc/self/fd/{folder}/attach.sock")
        posix.umask(mask)
        socket.listen(16)
        return socket.detach()
    finally:
        posix.close(folder)
