"""Records of containers: what is known of a container with a name, kept so that any command can find and end it.

    DATA/containers/NAME/   job.json (what to start), state.json (how it is), log, log.1, …
    RUN/containers/NAME/    lock (held by whoever starts or supervises it), exits, stop, attach.sock

There is no daemon, so a record is only a claim, and every command that reads it holds it against the machine: a process is known by its
number, the moment of its start and the boot, for numbers are given away again. Who supervises a container holds the lock of its name
while it lives, and the kernel takes the lock back when it dies, however it dies. A container without a supervisor is ended, swept and
marked by the first command that sees it.

Nothing is seen half-written: a record appears by the renaming of a folder, changes by the renaming of a file, and goes by renaming too.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.linux import procfs
from hardener.oci import json_text
from hardener.oci.fields import BOOLEAN, INTEGER, STRING, STRINGS, Fields, Kind
from hardener.runtime import clock, leftovers, processes, removal
from hardener.runtime.locks import acquire, release
from hardener.runtime.places import NOT_YOURS, Places, ensure, listed, trouble, trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Final

    from hardener.runtime.job import Job

CREATED, RUNNING, PAUSED, RESTARTING, EXITED, DEAD = "created", "running", "paused", "restarting", "exited", "dead"
# What may follow what. Paused is a running container that the kernel says is frozen; dead is a record that cannot be read.
NEXT: Final = {CREATED: (RUNNING, EXITED), RUNNING: (RESTARTING, EXITED), RESTARTING: (RUNNING, EXITED), EXITED: (CREATED,)}
LIVE: Final = (CREATED, RUNNING, PAUSED, RESTARTING)
EEXIST, ENOTEMPTY = 17, 39
LOST, LOST_TO_BOOT = 137, 255
_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class State(Fields):
    """What state.json holds; `folder` is the record's own, `run` the one for what ends with it.

    `pid` and `started` (field 22 of /proc/PID/stat) are the container's first process, `supervisor` and `supervisor_started` the process
    that waits for it; with `detached` that is a supervisor, and there is a log. `cgroups` are the folders of its control groups. `note` is
    what else a user should know.
    """

    __slots__ = (
        *("boot_id", "cgroups", "created_at", "detached", "exit_code", "finished_at", "folder", "id", "name", "note", "oom", "pid"),
        *("remove", "restarts", "run", "started", "started_at", "status", "supervisor", "supervisor_started", "terminal"),
    )
    TABLE: ClassVar = {
        "id": ("id!", STRING),
        "name": ("name!", STRING),
        "status": ("status!", STRING),
        "pid": ("pid", INTEGER),
        "started": ("started", INTEGER),
        "supervisor": ("supervisor", INTEGER),
        "supervisor_started": ("supervisorStarted", INTEGER),
        "boot_id": ("bootId", Kind(STRING.parse, "")),
        "created_at": ("createdAt", Kind(STRING.parse, "")),
        "started_at": ("startedAt", STRING),
        "finished_at": ("finishedAt", STRING),
        "exit_code": ("exitCode", INTEGER),
        "oom": ("oom", Kind(BOOLEAN.parse, False)),
        "restarts": ("restarts", Kind(INTEGER.parse, 0)),
        "cgroups": ("cgroups", STRINGS),
        "detached": ("detached", Kind(BOOLEAN.parse, False)),
        "terminal": ("terminal", Kind(BOOLEAN.parse, False)),
        "remove": ("remove", Kind(BOOLEAN.parse, False)),
        "note": ("note", Kind(STRING.parse, "")),
    }
    id: str
    name: str
    status: str
    pid: int | None
    started: int | None
    supervisor: int | None
    supervisor_started: int | None
    boot_id: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    exit_code: int | None
    oom: bool
    restarts: int
    cgroups: tuple[str, ...]
    detached: bool
    terminal: bool
    remove: bool
    note: str
    folder: str
    run: str

    def become(self, status: str) -> None:
        """Go on to another status, when that may follow this one."""
        if status not in NEXT.get(self.status, ()):
            raise HardenError(f"the container {self.name} is {self.status} and cannot be {status} next")
        self.status = status

    @property
    def live(self) -> bool:
        """Tell whether somebody looks after it: it runs, or is about to."""
        return self.status in LIVE

    def job(self) -> Job:
        """Return what it is started from."""
        from hardener.runtime.job import Job

        path = f"{self.folder}/job.json"
        try:
            return Job.parse(json_text.scan(procfs.read(path, 1 << 24)))
        except (OSError, ValueError, HardenError) as error:
            raise _damaged(path, self.name, error) from error


def supervised(state: State) -> bool:
    """Tell whether the process that waits for a container is alive."""
    return processes.lives(state.supervisor, state.supervisor_started, state.boot_id)


def container_fd(state: State) -> int | None:
    """Return a pidfd of a container's first process, None when it has ended; the caller closes it."""
    return processes.watch(state.pid, state.started, state.boot_id)


# --- reading --------------------------------------------------------------------------------------------------------------------


def containers(places: Places) -> list[State]:
    """Return all containers that have a record, newest first, as they are now."""
    home = f"{places.data}/containers"
    found = []
    names = listed(home)
    for name in {*listed(f"{places.run}/containers")}.difference(names):  # its end was cut short when its record had gone already
        lock = acquire(places, name, patience_s=0)
        if lock is not None:
            release(f"{places.run}/containers/{name}", lock)
    for name in names:
        if name.startswith("."):
            _sweep(f"{home}/{name}")
        elif (state := now(places, name)) is not None:
            found.append(state)
    return sorted(found, key=lambda state: state.created_at, reverse=True)


def find(places: Places, word: str) -> State:
    """Return the container of a name, or of the beginning of an id that is no other's."""
    if _is_name(word) and (state := now(places, word)) is not None:
        return state
    known = containers(places)
    meant = [state for state in known if word and state.id.startswith(word)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise HardenError(f"{word!r} is the beginning of {len(meant)} ids", how=f"write more of it: {', '.join(one.id for one in meant)}")
    how = suggest(word, [state.name for state in known]) or "`harden ps -a` lists the containers"
    raise HardenError(f"there is no container {word!r}", how=how)


def now(places: Places, name: str) -> State | None:
    """Read a record and hold it against the machine; None when there is none, or none any more."""
    state = load(places, name)
    if state is None or not state.live:
        return state
    if supervised(state):
        if state.status == RUNNING and leftovers.frozen(state.cgroups):
            state.status = PAUSED
        return state
    return _settle(places, state)


def load(places: Places, name: str) -> State | None:
    """Read a record as it is written, whatever the machine says; None when there is none."""
    folder = f"{places.data}/containers/{name}"
    trust(folder)
    try:
        state = State.parse(json_text.scan(procfs.read(f"{folder}/state.json")))
        if state.name != name or state.status not in NEXT:
            raise ValueError("it is another container's, or in no state that there is")
    except FileNotFoundError:
        if not _exists(folder):
            return None
        state = _unreadable(name, "it has no state.json")
    except NotADirectoryError:
        return None
    except (ValueError, HardenError) as error:
        state = _unreadable(name, str(error))
    except OSError as error:
        raise HardenError(f"{folder}/state.json cannot be read: {posix.strerror(error.errno or 0)}", how=NOT_YOURS) from error
    state.folder = folder
    state.run = f"{places.run}/containers/{name}"
    return state


def _unreadable(name: str, reason: str) -> State:
    return State(id="", name=name, status=DEAD, note=f"its record is damaged: {reason}; harden rm -f {name} removes it")


def _damaged(path: str, name: str, error: Exception) -> HardenError:
    return HardenError(f"{path} is damaged: {error}", how=f"harden rm -f {name} removes the record; then run it anew")


def _exists(path: str) -> bool:
    try:
        posix.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


# --- writing --------------------------------------------------------------------------------------------------------------------


def claim(places: Places, job: Job, *, detached: bool) -> tuple[State, int]:
    """Make the record of a new container, and return it with the lock of its name; a name that is taken is an error.

    Without a name, the job gets the container's id for one.
    """
    home = f"{places.data}/containers"
    ensure(places.data)
    ensure(home)
    identity = posix.urandom(6).hex()
    job.name = name = job.name or identity
    if not _is_name(name):
        raise HardenError(f"{name!r} is not a name for a container", where="--name", how="letters, digits, '_', '.' and '-', at most 128")
    _refuse_taken(places, name)
    run = f"{places.run}/containers/{name}"
    lock = acquire(places, name)
    if lock is None:
        _refuse_taken(places, name)
        raise _taken(name, "another command is just starting a container of that name")
    try:
        terminal = bool(job.spec.process and job.spec.process.terminal)
        state = State(id=identity, name=name, status=CREATED, created_at=clock.moment(), detached=detached, terminal=terminal)
        state.remove = job.remove
        state.folder, state.run = f"{home}/{name}", run
        adopt(state)
        fresh = f"{home}/.new-{state.supervisor}-{state.supervisor_started}-{identity}"
        try:
            posix.mkdir(fresh, 0o700)
            write(f"{fresh}/job.json", json_text.write(job.dump()))
            write(f"{fresh}/state.json", json_text.write(state.dump()))
            posix.rename(fresh, state.folder)
        except OSError as error:
            removal.remove_own(fresh)
            if error.errno in (EEXIST, ENOTEMPTY):
                raise _taken(name, "a container has it") from error
            raise trouble(error, state.folder) from error
        except HardenError:
            removal.remove_own(fresh)
            raise
    except BaseException:
        release(run, lock)
        raise
    return state, lock


def adopt(state: State) -> None:
    """Enter the calling process as the one that waits for a container."""
    state.boot_id = processes.boot_id()
    state.supervisor = posix.getpid()
    state.supervisor_started = processes.start_of(state.supervisor)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 128 and name[0] not in "._-" and _LETTERS.issuperset(name)


def _refuse_taken(places: Places, name: str) -> None:
    if (state := now(places, name)) is not None:
        raise _taken(name, f"a container has it, which is {state.status}", live=state.live)


def _taken(name: str, by: str, *, live: bool = True) -> HardenError:
    how = f"choose another name, or harden rm {'-f ' if live else ''}{name}" + ("" if live else f"; harden start {name} starts it again")
    return HardenError(f"the name {name!r} is taken: {by}", where="--name", how=how)


def save(state: State) -> None:
    """Write state.json anew, in one step."""
    path = f"{state.folder}/state.json"
    try:
        write(path, json_text.write(state.dump()))
    except OSError as error:
        raise trouble(error, path) from error


def write(path: str, content: str) -> None:
    """Replace a file in one step, so that it is the old one or the new one whatever happens."""
    fresh = f"{path}.{posix.getpid()}"
    fd = posix.open(fresh, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
    try:
        try:
            rest = content.encode("utf-8", "surrogateescape")
            while rest:
                rest = rest[posix.write(fd, rest) :]
            posix.fsync(fd)
        finally:
            posix.close(fd)
        posix.rename(fresh, path)
    except OSError:
        posix.unlink(fresh)
        raise


def remove(state: State) -> None:
    """Remove a record, with --rm together with the volumes that were made for it; the caller holds its lock."""
    names = _own_volumes(state) if state.remove else ()
    gone = f"{state.folder.rpartition('/')[0]}/.gone-{posix.urandom(6).hex()}"
    try:
        posix.rename(state.folder, gone)
        removal.remove_own(gone)
    except FileNotFoundError:
        return
    except OSError as error:
        raise trouble(error, state.folder) from error
    if names:
        _remove_volumes(state, names)


def _own_volumes(state: State) -> tuple[str, ...]:
    try:
        return state.job().anonymous
    except HardenError:  # damaged: what it does not tell stays, and `harden volume prune` finds it
        return ()


def _remove_volumes(state: State, names: tuple[str, ...]) -> None:
    from hardener.runtime import volumes

    places = Places(state.run.rpartition("/containers/")[0], state.folder.rpartition("/containers/")[0], "")
    for name in names:
        try:
            if (volume := volumes.find(places, name)) is not None:
                volumes.remove(places, volume)
        except HardenError:  # another container was given it by its name since
            continue


def _sweep(path: str) -> None:
    """Remove what a command that was killed has left: a record not yet there, or not there any more."""
    kind, *rest = path.rpartition("/")[2].split("-")
    if kind == ".gone" or (kind == ".new" and len(rest) == 3 and not processes.lives(int(rest[0]), int(rest[1]), processes.boot_id())):
        removal.remove_own(path)


# --- marks --------------------------------------------------------------------------------------------------------------------


def prepare(state: State, groups: tuple[str, ...]) -> None:
    """Note who starts a container, and the folders of its control groups before they are made: whoever cleans up must know them."""
    adopt(state)
    state.cgroups = groups
    save(state)


def running(state: State, pid: int, *, restarts: int = 0) -> None:
    """Note that a container runs."""
    state.pid = pid
    state.started = processes.start_of(pid)
    state.started_at = clock.moment()
    state.finished_at = state.exit_code = None
    state.oom = False
    state.note = ""
    state.restarts = restarts
    state.become(RUNNING)
    save(state)


def again(state: State) -> State | None:
    """Read a record once more."""
    made = load(Places(state.run.rpartition("/containers/")[0], state.folder.rpartition("/containers/")[0], ""), state.name)
    return made if made is not None and made.id == state.id else None


def mark(state: State, signal: str | None = "") -> bool:
    """Note that the end of a container is wanted, and by which signal it is killed in the place of; False when it has just ended.

    None takes the note back.
    """
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        if signal is None:
            posix.unlink(f"{state.run}/stop")
            return True
        fd = posix.open(f"{state.run}/stop", flags, 0o600)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise trouble(error, state.run) from error
    try:
        posix.write(fd, signal.encode())
    finally:
        posix.close(fd)
    return True


def marked(state: State) -> str | None:
    """Return None when the end of a container is not wanted; else the number of the signal that it had no say in, or ""."""
    try:
        return procfs.read(f"{state.run}/stop").strip()
    except FileNotFoundError:
        return None


# --- ends -----------------------------------------------------------------------------------------------------------------------


def finish(state: State, code: int, *, oom: bool = False, note: str = "") -> None:
    """Note how a container ended; the record is not written yet."""
    state.exit_code = code
    state.oom = oom
    state.note = note
    state.finished_at = clock.moment()
    state.pid = state.started = None


def begin(run: str) -> None:
    """Make the file in which those who wait for a container will read of its ends."""
    posix.close(posix.open(f"{run}/exits", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600))


def tell_end(run: str, code: int) -> None:
    """Tell those who wait for a container how it ended."""
    fd = posix.open(f"{run}/exits", posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
    try:
        posix.write(fd, f"{code}\n".encode())
    finally:
        posix.close(fd)


def ends(run: str) -> list[int]:
    """Return the exit codes of a container since it was started by a user."""
    try:
        return [int(line) for line in procfs.read(f"{run}/exits").split()]
    except FileNotFoundError:
        return []


def _settle(places: Places, state: State) -> State | None:
    """End what a supervisor that is no more has left of a container."""
    lock = acquire(places, state.name)
    if lock is None:  # another command does it, or starts it again
        return load(places, state.name)
    kept = True  # also when this fails
    try:
        again = load(places, state.name)
        if again is None or not again.live:
            kept = False
            return again
        if supervised(again):
            return again
        state = again
        booted = state.boot_id != processes.boot_id()
        known = ends(state.run)
        if not booted:
            leftovers.end(state)
        told = state.status != CREATED and len(known) > state.restarts
        why = "this machine was booted" if booted else "its supervisor was killed, and it with it"
        if state.status == CREATED:
            why = "its launcher was killed before it ran"
        state.exit_code = known[-1] if told else LOST_TO_BOOT if booted else LOST
        state.note = "" if told else why
        state.finished_at = clock.moment()
        state.pid = state.started = None
        state.become(EXITED)
        kept = not _keep(state)
        return None if state.remove and not kept else state
    finally:
        if kept:
            posix.close(lock)
        else:
            release(state.run, lock)


def _keep(state: State) -> bool:
    """Write an end down; False where nothing can be written now, and then what is known of it must stay where it is."""
    try:
        if state.remove:
            remove(state)
        else:
            save(state)
    except HardenError:
        return False
    return True
