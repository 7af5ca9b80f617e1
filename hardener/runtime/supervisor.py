"""Second stage of a detached container: keep its logs, serve who attaches, wait, and start it again when that was asked for.

It sleeps in poll(2) until something happens. It stays in memory as long as the container lives, so it imports the little that it needs
for that; what its end takes is imported at the end. It is the container's parent: when it dies, however it dies, the kernel kills the
container, and the next command that sees the record cleans up.

On its socket, each message is a letter and its content. From who attaches: `i` input, `e` the end of input, `w` rows and columns of a
window. To them: `1` and `2` output, `x` an exit code, after which nothing comes.
"""

from __future__ import annotations

import posix
import select
import time
from _socket import AF_UNIX, SOCK_SEQPACKET, socket

from hardener.errors import HardenError
from hardener.linux import signals
from hardener.runtime import detach, locks, logs
from hardener.runtime import state as records
from hardener.runtime.places import Places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

    from hardener.runtime.health import Monitor
    from hardener.runtime.state import State

CHUNK: Final = 1 << 13  # of output: the shortest lines make some hundred bytes of memory each
MESSAGE: Final = 1 << 15
PATIENCE_S: Final = 1.0  # so long output waits for somebody who is attached and does not read
DELAY_MS, DELAY_MAX_MS, STEADY_S = 100, 60_000, 10.0  # of restarts, as docker
EIO: Final = 5
_STOPPERS: Final = (signals.TERM, signals.INT, signals.HUP, signals.QUIT)


class Client:
    """Somebody who is attached, and the messages that wait for them to read: few, as no output is taken meanwhile."""

    __slots__ = ("deadline_s", "pending", "socket")

    def __init__(self, fd: int) -> None:
        self.socket = socket(AF_UNIX, SOCK_SEQPACKET, 0, fd)
        self.socket.setblocking(False)
        self.pending: list[bytes] = []
        self.deadline_s = 0.0

    def send(self, message: bytes) -> bool:
        """Send a message, or keep it for later; False when there is nobody any more."""
        self.pending.append(message)
        return self.go_on()

    def go_on(self) -> bool:
        """Send what waits, as far as it is taken; False when there is nobody any more."""
        try:
            while self.pending:
                self.socket.send(self.pending[0])
                del self.pending[0]
        except (BlockingIOError, TimeoutError):
            self.deadline_s = time.monotonic() + PATIENCE_S
        except OSError:
            return False
        return True


class Supervisor:
    """One life of a container, from its start to its end."""

    __slots__ = (
        *("_clients", "_door", "_end_of_input", "_input", "_kept", "_kill_at_s", "_listener", "_log", "_outputs", "_pending", "_pid"),
        *("_pidfd", "_screen", "_signals", "_state", "health", "stopping"),
    )

    def __init__(self, state: State, given: dict[str, str]) -> None:
        self._state = state
        self._pid = state.pid or 0
        self._pidfd = int(given["pidfd"])
        self._screen = int(given["screen"]) if "screen" in given else None
        self._outputs = {self._screen: logs.OUT} if self._screen is not None else {int(given["out"]): logs.OUT, int(given["err"]): logs.ERR}
        self._input = self._screen if self._screen is not None else int(given["in"]) if "in" in given else None
        self._listener = int(given["listen"])
        self._kept = int(given["kept"]) if "kept" in given else None
        self._door = socket(AF_UNIX, SOCK_SEQPACKET, 0, self._listener)
        self._clients: dict[int, Client] = {}
        if "client" in given:
            self._clients[int(given["client"])] = Client(int(given["client"]))
        self._pending = b""  # input that the container has not taken yet
        self._end_of_input = False
        self._log = logs.Log(state.folder)
        self._kill_at_s: float | None = None
        self._signals = signals.listen(_STOPPERS)
        signals.restore(())
        self.stopping = False
        self.health: Monitor | None = None
        for fd in (*self._outputs, *(() if self._input is None else (self._input,)), self._listener):
            posix.set_blocking(fd, False)

    def live(self, stop_signal: int, stop_timeout_s: int) -> int:
        """Serve until the container ends; return its wait status."""
        while True:
            ready = self._wait()
            if self._signals in ready:
                self.take_signals()
                if self.stopping and self._kill_at_s is None:
                    self._stop(stop_signal, stop_timeout_s)
            if self._kill_at_s is not None and time.monotonic() >= self._kill_at_s:
                signals.send(self._pidfd, signals.KILL)
                self._kill_at_s = float("inf")
            self._carry(ready)
            if self.health is not None:
                self.health.step(ready=self.health.fd in ready)
            if self._pidfd in ready:
                if self.health is not None:
                    self.health.stop()
                _, status = posix.waitpid(self._pid, 0)
                self._drain()
                return status

    def _wait(self) -> dict[int, int]:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.register(self._signals, select.POLLIN)
        poll.register(self._listener, select.POLLIN)
        slow = [client for client in self._clients.values() if client.pending]
        events: dict[int, int] = {}
        for fd in self._outputs if not slow else ():
            events[fd] = select.POLLIN
        if self._pending and self._input is not None:
            events[self._input] = events.get(self._input, 0) | select.POLLOUT
        for fd, client in self._clients.items():
            events[fd] = (0 if self._pending else select.POLLIN) | (select.POLLOUT if client.pending else 0)
        for fd, wanted in events.items():
            poll.register(fd, wanted)
        deadlines = [client.deadline_s for client in slow]
        if self._kill_at_s is not None and self._kill_at_s != float("inf"):
            deadlines.append(self._kill_at_s)
        if self.health is not None:
            deadlines.append(self.health.deadline_s)
            if self.health.fd is not None:
                poll.register(self.health.fd, select.POLLIN)
        timeout_ms = max(0, int((min(deadlines) - time.monotonic()) * 1000) + 1) if deadlines else None
        return dict(poll.poll(timeout_ms))

    def _carry(self, ready: dict[int, int]) -> None:
        if self._listener in ready:
            self._welcome()  # first: who has come before output must not miss it
        for fd, client in [*self._clients.items()]:
            events = ready.get(fd, 0)
            if client.pending:
                late = not events & select.POLLOUT and time.monotonic() >= client.deadline_s
                if late or (events & select.POLLOUT and not client.go_on()):
                    self._let_go(fd)
                    continue
            if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                self._hear(fd, client)
        if self._pending:
            self._give()
        for fd in [*self._outputs]:
            if ready.get(fd, 0) & (select.POLLIN | select.POLLHUP | select.POLLERR):
                self._out(fd)

    def _welcome(self) -> None:
        accept = vars(socket)["_accept"]  # what socket.accept is made of, which would import half of the library
        try:
            fd, _ = accept(self._door)
        except BlockingIOError:  # whoever came has gone again
            return
        self._clients[fd] = Client(fd)

    def _drain(self) -> None:
        """Take what the container has left in its pipes."""
        more = True
        while more:
            more = False
            for fd in [*self._outputs]:
                more = self._out(fd) or more
            self._flush()

    def _out(self, fd: int) -> bool:
        """Carry what the container wrote; False when there is nothing more now."""
        try:
            chunk = posix.read(fd, CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != EIO:  # how a terminal says that nobody has its other side open any more
                raise
            chunk = b""
        stream = self._outputs[fd]
        if not chunk:
            del self._outputs[fd]
            if fd != self._screen:
                posix.close(fd)
            return False
        self._log.add(stream, chunk)
        letter = b"1" if stream == logs.OUT else b"2"
        for each, client in [*self._clients.items()]:
            if not client.send(letter + chunk):
                self._let_go(each)
        return True

    def _hear(self, fd: int, client: Client) -> None:
        try:
            message = client.socket.recv(MESSAGE + 1)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._let_go(fd)
        elif message[:1] == b"i":
            self._pending += message[1:]
        elif message[:1] == b"e":
            self._end_of_input = True
            self._give()
        elif message[:1] == b"w" and self._screen is not None and len(message) == 5:
            _resize(self._screen, message[1:])

    def _give(self) -> None:
        """Hand the container its input, as far as it takes it."""
        if self._input is None:
            self._pending = b""
            return
        try:
            while self._pending:
                self._pending = self._pending[posix.write(self._input, self._pending) :]
            if self._end_of_input:
                self._end_of_input = False
                if self._screen is not None:
                    posix.write(self._screen, b"\x04")
                else:
                    posix.close(self._input)
                    self._input = None
        except BlockingIOError:
            return
        except BrokenPipeError:
            if self._input is not None:
                posix.close(self._input)
            self._input = None
            self._pending = b""

    def _let_go(self, fd: int) -> None:
        self._clients.pop(fd).socket.close()

    def _flush(self) -> None:
        """Let who is attached have what waits for them, before more comes."""
        for fd, client in [*self._clients.items()]:
            if client.pending:
                client.socket.settimeout(PATIENCE_S)
                if not client.go_on() or client.pending:
                    self._let_go(fd)
                else:
                    client.socket.setblocking(False)

    def take_signals(self) -> None:
        """See what was sent to us: all of it means an end."""
        if posix.read(self._signals, 64):
            self.stopping = True

    def _stop(self, signal: int, timeout_s: int) -> None:
        from hardener.runtime import leftovers, lifecycle

        records.mark(self._state)
        lifecycle.ask(self._state, self._pidfd, signal)
        leftovers.thaw(self._state.cgroups)
        self._kill_at_s = time.monotonic() + timeout_s

    def close(self) -> None:
        """Close the log, and our ends of the container's streams."""
        self._flush()
        self._log.close()
        posix.close(self._pidfd)
        for fd in {*self._outputs, *(fd for fd in (self._input, self._screen, self._kept) if fd is not None)}:
            posix.close(fd)

    def bye(self, code: int) -> None:
        """Tell who is attached how it ended."""
        for client in self._clients.values():
            client.socket.settimeout(PATIENCE_S)
            client.send(b"x%d" % code)
            client.socket.close()
        self._clients = {}
        self._door.detach()  # the next stage goes on with it

    def rest(self, delay_s: float) -> bool:
        """Wait before the next start; False when it must not come."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        deadline_s = time.monotonic() + delay_s
        while not self.stopping and (left_s := deadline_s - time.monotonic()) > 0:
            if poll.poll(int(left_s * 1000) + 1):
                self.take_signals()
        return not self.stopping


def _resize(screen: int, size: bytes) -> None:
    import sys
    from fcntl import ioctl

    from hardener.linux.consts import TIOCSWINSZ

    rows, columns = int.from_bytes(size[:2], "big"), int.from_bytes(size[2:], "big")
    ioctl(screen, TIOCSWINSZ, b"".join(number.to_bytes(2, sys.byteorder) for number in (rows, columns, 0, 0)))


def main(words: list[str]) -> NoReturn:
    """Supervise the container that the first stage has started."""
    given = detach.read(words)
    places = Places(given["run"], given["data"], "")
    lock = int(given["lock"])
    state = records.load(places, given["name"])
    if state is None or state.pid is None:  # not possible while we have its lock
        posix._exit(125)
    began_s = time.monotonic()
    mine = Supervisor(state, given)
    if "health" in given:
        from hardener.runtime import health

        mine.health = health.Monitor(state, given)
    if records.marked(state) is not None:  # `stop` was faster than the start
        signals.send(int(given["pidfd"]), signals.KILL)
    status = mine.live(int(given["stop_signal"]), int(given["stop_timeout_s"]))
    asked = records.marked(state)
    code = _code(status, asked)
    oom, note = _clean(state)
    records.finish(state, code, oom=oom, note=note)
    mine.close()
    again = not mine.stopping and asked is None and _again(given, state, code)
    kept = _write_down(state, records.RESTARTING if again else records.EXITED)
    records.tell_end(state.run, code)
    mine.bye(code)
    if not kept:
        # The disk is full, say. The exit code stands where no disk is needed, and the next command that sees the record finds that its
        # supervisor is gone, and writes it down.
        posix._exit(125)
    if again:
        delay_ms = int(given["delay_ms"])
        delay_ms = DELAY_MS if not delay_ms or time.monotonic() - began_s >= STEADY_S else min(2 * delay_ms, DELAY_MAX_MS)
        if mine.rest(delay_ms / 1000) and records.marked(state) is None:
            _start_again(given, delay_ms, state.restarts + 1)
        if not _write_down(state, records.EXITED):
            posix._exit(125)
    locks.release(state.run, lock)
    posix._exit(0)


def _write_down(state: State, status: str) -> bool:
    state.become(status)
    try:
        if state.remove and status == records.EXITED:
            records.remove(state)
        else:
            records.save(state)
    except HardenError:
        return False
    return True


def _start_again(given: dict[str, str], delay_ms: int, restarts: int) -> NoReturn:
    signals.block(signals.ORDINARY)
    words = [f"{key}={given[key]}" for key in ("run", "data", "name", "lock", "listen")]
    detach.become("detach", [*words, f"delay_ms={delay_ms}", f"restarts={restarts}"], [int(given["lock"]), int(given["listen"])])


def _code(status: int, asked: str | None) -> int:
    code = posix.waitstatus_to_exitcode(status)
    if code == -signals.KILL and asked:
        return 128 + int(asked)
    return 128 - code if code < 0 else code


def _again(given: dict[str, str], state: State, code: int) -> bool:
    kind, most = given["restart"], int(given["most"])
    return kind in ("always", "unless-stopped") or (kind == "on-failure" and code != 0 and (not most or state.restarts < most))


def _clean(state: State) -> tuple[bool, str]:
    """Remove the control groups; return whether memory ran out, and what a user should know."""
    from hardener.runtime import cgroups, leftovers

    try:
        made = cgroups.plan(state.job().spec, cgroups.read_layout(), f"{state.name}.{state.id}", freezer=True)
        notices = cgroups.hits(made) if made is not None else []
        oom = made is not None and cgroups.oom_killed(made)
        leftovers.end(state)  # with what is left in them: with the pid namespace of another, processes outlive the first one
    except (HardenError, OSError) as error:
        return False, f"its control groups remain: {error}"
    return oom, "; ".join(notices)
