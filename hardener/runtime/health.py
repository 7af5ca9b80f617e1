"""The health of a container, looked after by its supervisor: when it is checked, and what comes of it.

    starting ── a check succeeds ──▶ healthy ◀──▶ unhealthy ◀── `retries` in a row fail, those of the start period left out

Each check is a process of its own (probe.py) that ends with it, so that a supervisor stays small. What is known stands in health.json of
the record, in docker's words; nobody but the supervisor writes it. Only supervisors of containers with a check import this.
"""

from __future__ import annotations

import posix
import time

from hardener.linux import procfs, signals
from hardener.oci import json_text
from hardener.runtime import clock, detach, leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.runtime.job import Health
    from hardener.runtime.state import State

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
KEPT: Final = 5  # checks that are remembered, as docker does
OUTPUT: Final = 4096  # bytes of what each has written
GRACE_S: Final = 5.0  # that a probe gets beyond the time of its check
FAILED: Final = -1  # the exit code of a check that did not start, or did not end
_LIMIT: Final = 1 << 16  # bytes that a probe reports
_WORDS: Final = ("interval_ns", "timeout_ns", "start_period_ns", "start_interval_ns", "retries")


def words(health: Health) -> str:
    """Return how health is checked as a word that one stage hands to the next: numbers alone, the program stays in the job."""
    return ",".join([str(getattr(health, name)) for name in _WORDS])


class Monitor:
    """The checks of one life of a container. Its owner waits for `fd` and until `deadline_s`, and then calls `step`."""

    __slots__ = (
        *("_began_s", "_data", "_due_s", "_entries", "_interval_s", "_late_s", "_pid", "_retries", "_since", "_start_interval_s"),
        *("_start_period_s", "_start_s", "_state", "_streak", "_timeout_s", "_words", "fd", "status"),
    )

    def __init__(self, state: State, given: dict[str, str]) -> None:
        numbers = [int(number) for number in given["health"].split(",")]
        self._interval_s, self._timeout_s, self._start_period_s, self._start_interval_s = (ns / clock.SECOND_NS for ns in numbers[:4])
        self._retries = numbers[4]
        self._state = state
        self._words = [f"{key}={given[key]}" for key in ("run", "data", "name")]
        self.status = STARTING
        self._streak = 0
        self._entries: list[dict[str, object]] = []
        self._began_s = time.monotonic()
        self._due_s = self._began_s + self._pause_s()
        self.fd: int | None = None  # from which a check that runs reports
        self._pid = 0
        self._data = b""
        self._since = ""
        self._start_s = self._late_s = 0.0
        self._write()

    def _pause_s(self) -> float:
        early = self.status == STARTING and time.monotonic() - self._began_s < self._start_period_s
        return self._start_interval_s if early else self._interval_s

    @property
    def deadline_s(self) -> float:
        """When there is something to do, by the monotonic clock."""
        return self._due_s if self.fd is None else self._late_s

    def step(self, *, ready: bool) -> None:
        """Do what is due: begin a check, or take what one reports. `ready` says that there is something to read."""
        if self.fd is not None and ready:
            chunk = posix.read(self.fd, _LIMIT)
            self._data = (self._data + chunk)[:_LIMIT]
            if not chunk:
                self._end()
        elif time.monotonic() >= self.deadline_s:
            if self.fd is not None:
                self.stop()
                self._result(FAILED, "the check does not end")
            elif leftovers.frozen(self._state.cgroups):  # what is paused answers nothing
                self._due_s = time.monotonic() + self._pause_s()
            else:
                self._begin()

    def _begin(self) -> None:
        self._since, self._start_s = clock.moment(), time.monotonic()
        self._late_s = self._start_s + self._timeout_s + GRACE_S
        self._data = b""
        try:
            self.fd, theirs = posix.pipe2(posix.O_CLOEXEC)
        except OSError as error:  # too many are open: whatever happens here, the container goes on
            self._result(FAILED, f"the check could not be started: {posix.strerror(error.errno or 0)}")
            return
        try:
            self._pid = posix.fork()
        except OSError as error:  # there are too many processes, say
            for fd in (self.fd, theirs):
                posix.close(fd)
            self.fd = None
            self._result(FAILED, f"the check could not be started: {posix.strerror(error.errno or 0)}")
            return
        if self._pid:
            posix.close(theirs)
        else:
            try:
                detach.only([theirs])
                detach.become("probe", [*self._words, f"report={theirs}", f"timeout_s={self._timeout_s}"], [theirs])
            finally:
                posix._exit(125)

    def _end(self) -> None:
        data = self._data
        self.stop()
        try:
            told = json_text.scan(data.decode())
            code, output = (told["code"], told["output"]) if isinstance(told, dict) else (FAILED, "")
        except (ValueError, KeyError):
            code, output = FAILED, "the check was killed"
        self._result(code, output)

    def _result(self, code: int, output: str) -> None:
        if code != 0 and leftovers.frozen(self._state.cgroups):  # it was paused meanwhile, and could not answer
            self._due_s = time.monotonic() + self._pause_s()
            return
        entry: dict[str, object] = {"Start": self._since, "End": clock.moment(), "ExitCode": code, "Output": output}
        self._entries = [*self._entries[1 - KEPT :], entry]
        if code == 0:
            self.status, self._streak = HEALTHY, 0
        elif not (self.status == STARTING and self._start_s - self._began_s < self._start_period_s):
            self._streak += 1
            if self._streak >= self._retries:
                self.status = UNHEALTHY
        self._due_s = time.monotonic() + self._pause_s()
        self._write()

    def stop(self) -> None:
        """End a check that runs; nothing comes of it."""
        if self.fd is None:
            return
        posix.close(self.fd)
        self.fd = None
        posix.kill(self._pid, signals.KILL)  # nobody has waited for it: the number is still its own
        posix.waitpid(self._pid, 0)

    def _write(self) -> None:
        """Replace health.json in one step. It is no record that must outlive a power cut: nothing is forced to the disk."""
        path = f"{self._state.folder}/health.json"
        content = json_text.write({"Status": self.status, "FailingStreak": self._streak, "Log": self._entries})
        try:
            fd = posix.open(f"{path}.new", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
            try:
                rest = content.encode("utf-8", "replace")
                while rest:
                    rest = rest[posix.write(fd, rest) :]
            finally:
                posix.close(fd)
            posix.rename(f"{path}.new", path)
        except OSError:  # the disk is full, say: what stands there is no longer true
            _forget(path)


def _forget(path: str) -> None:
    try:
        posix.unlink(path)
    except OSError:
        return


def read(state: State) -> dict[str, object] | None:
    """Return what is known of a container's health, in docker's words; None when nothing is."""
    try:
        told = json_text.scan(procfs.read(f"{state.folder}/health.json", 1 << 20))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("Status"), str) else None
