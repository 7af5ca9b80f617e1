"""The other end of a supervisor's socket: our standard streams are the container's, until it ends or the detach keys are pressed.

What the messages mean is said in supervisor.py.
"""

from __future__ import annotations

import posix
import select
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET, socket, socketpair

from hardener.errors import HardenError
from hardener.linux import calls, signals
from hardener.linux.binding import number
from hardener.linux.consts import TIOCGWINSZ
from hardener.runtime import console
from hardener.runtime import state as records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.runtime.state import State

CHUNK: Final = 1 << 15


def pair() -> tuple[socket, socket]:
    """Return two connected sockets: one for us, one for the supervisor to begin with."""
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    return ours, theirs


def connect(state: State) -> socket:
    """Return a connection to the supervisor of a container that runs."""
    if not state.live or state.status == records.RESTARTING:
        raise HardenError(f"the container {state.name} is {state.status}, not running", how=f"harden start -a {state.name} starts it")
    try:
        folder = posix.open(state.run, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
            made.connect(f"/proc/self/fd/{folder}/attach.sock")
        finally:
            posix.close(folder)
    except FileNotFoundError:
        if not state.detached:
            raise HardenError(
                f"the container {state.name} runs in the foreground", how="its input and output are where it was started; use harden exec"
            ) from None
        raise HardenError(f"the container {state.name} has just ended", how=f"harden start -a {state.name} starts it") from None
    except ConnectionRefusedError:
        raise HardenError(f"the container {state.name} has just ended", how=f"harden start -a {state.name} starts it") from None
    return made


def relay(peer: socket, state: State, *, keys: str, listening: bool, closing: bool, forwarding: bool = True) -> int | None:
    """Be the container's standard streams; return its exit code, or None when it was left with the detach keys.

    `listening` hands our input on, and `closing` the end of it; `forwarding` hands on signals where there is no terminal to turn keys into
    them.
    """
    terminal = state.terminal and posix.isatty(0)
    detaching = console.Keys(keys) if terminal and listening else None
    heard = signals.listen((signals.WINCH, *(signals.ORDINARY if forwarding else ())))
    poll = select.poll()
    poll.register(peer.fileno(), select.POLLIN)
    poll.register(heard, select.POLLIN)
    if listening:
        poll.register(0, select.POLLIN)
    with console.Raw(0 if terminal and listening else peer.fileno()):
        if state.terminal:
            _fit(peer)
        while True:
            for fd, _ in poll.poll():
                if fd == heard:
                    for signal in posix.read(heard, 64):
                        _pass_on(peer, state, signal)
                elif fd == 0:
                    typed = posix.read(0, CHUNK)
                    passed, leave = detaching.feed(typed) if detaching is not None else (typed, False)
                    if passed:
                        _send(peer, b"i" + passed)
                    if leave:
                        return None
                    if not typed:
                        poll.unregister(0)
                        if closing:
                            _send(peer, b"e")
                else:
                    message = _receive(peer)
                    if message[:1] == b"x":
                        return int(message[1:])
                    if not message:
                        raise HardenError(
                            f"the connection to the container {state.name} is gone",
                            how="its supervisor was killed, or let go of us because we did not take its output; harden ps -a shows which",
                        )
                    _write(2 if message[:1] == b"2" else 1, message[1:])


def _pass_on(peer: socket, state: State, signal: int) -> None:
    from hardener.runtime import lifecycle

    if signal == signals.WINCH:
        if state.terminal:
            _fit(peer)
        return
    fresh = records.again(state)
    pidfd = records.container_fd(fresh) if fresh is not None else None
    if fresh is not None and pidfd is not None:
        try:
            lifecycle.ask(fresh, pidfd, signal)
        finally:
            posix.close(pidfd)


def _receive(peer: socket) -> bytes:
    try:
        return peer.recv(CHUNK + 1)
    except ConnectionResetError:  # told once: it has gone without reading all of ours, and what it had said still waits
        return peer.recv(CHUNK + 1)


def _send(peer: socket, message: bytes) -> None:
    try:
        peer.send(message)
    except (BrokenPipeError, ConnectionResetError):  # it has ended, and says so in the other direction
        return


def _write(fd: int, content: bytes) -> None:
    while content:
        content = content[posix.write(fd, content) :]


def _fit(peer: socket) -> None:
    for stream in (0, 1, 2):
        if posix.isatty(stream):
            size = calls.ioctl(stream, TIOCGWINSZ, bytes(8), name="TIOCGWINSZ")
            if isinstance(size, bytes):
                _send(peer, b"w" + number(size, 0, 2).to_bytes(2, "big") + number(size, 2, 2).to_bytes(2, "big"))
            return
