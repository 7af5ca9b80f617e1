"""The program itself: found in the container's PATH, checked, executed."""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import mounting
from hardener.linux.consts import AT_FDCWD, RESOLVE_NO_MAGICLINKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

    from hardener.oci.runtime import Spec

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENOENT, EACCES, ENOTDIR, ELOOP = 2, 13, 20, 40
_ELSEWHERE: Final = "-w names a folder of the container that its user may enter"
NESTED_INTERPRETERS: Final = 5  # as many `#!` as the kernel follows


class Program:
    """What is executed: arguments, environment and working directory; `search` are the folders of its PATH."""

    __slots__ = ("arguments", "cwd", "environment", "search")

    def __init__(self, arguments: tuple[str, ...], environment: dict[bytes, bytes], cwd: str, search: tuple[str, ...]) -> None:
        self.arguments = arguments
        self.environment = environment
        self.cwd = cwd
        self.search = search

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [" ".join(map(repr, self.arguments)), f"in {self.cwd}"]


def plan(spec: Spec) -> Program:
    """Return what is executed."""
    process = spec.process
    if process is None or not process.args or not process.args[0]:
        raise HardenError("there is no program to run", where="process.args", how="name one")
    if not process.cwd.startswith("/"):
        raise HardenError(f"the working directory {process.cwd!r} is not absolute", where="process.cwd", how="begin it with /")
    environment = {}
    for entry in process.env:
        name, equals, value = entry.partition("=")
        if not name or not equals:
            raise HardenError(f"{entry!r} is not NAME=value", where="process.env", how="write a name, an equals sign and a value")
        environment[_bytes(name)] = _bytes(value)
    path = environment.get(b"PATH", DEFAULT_PATH.encode()).decode("utf-8", "surrogateescape")
    return Program(process.args, environment, process.cwd, tuple(path.split(":")))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def enter(plan: Program) -> None:
    """Go to the working directory, and make sure that it is one of the container's (CVE-2024-21626)."""
    try:
        # By descriptor, so that nothing can become a link to one of our own between a check and its use.
        fd = mounting.open_in(AT_FDCWD, plan.cwd, mounting.O_PATH | mounting.O_DIRECTORY, resolve=RESOLVE_NO_MAGICLINKS)
        posix.fchdir(fd)
        posix.close(fd)
    except OSError as error:
        reason = posix.strerror(error.errno or 0)
        raise HardenError(f"the working directory {plan.cwd} cannot be entered: {reason}", where="process.cwd", how=_ELSEWHERE) from error
    if not posix.getcwd().startswith("/"):
        raise HardenError(f"the working directory {plan.cwd} is outside the container", where="process.cwd", how=_ELSEWHERE)


def _candidates(plan: Program) -> list[str]:
    name = plan.arguments[0]
    return [name] if "/" in name else [f"{folder or '.'}/{name}" for folder in plan.search]


def find(plan: Program) -> list[str]:
    """Return the paths at which the program may be, in order: files that exist and that no magic link leads to."""
    found = []
    for path in _candidates(plan):
        try:
            refuse_magic(path)
        except OSError as error:
            if error.errno not in (ENOENT, ENOTDIR):
                raise
        try:
            posix.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:  # execve will say so
            pass
        found.append(path)
    if not found:
        name = plan.arguments[0]
        raise OSError(ENOENT, f"{name}: not found" if "/" in name else f"{name}: not found in {':'.join(plan.search)}")
    return found


def execute(plan: Program, paths: list[str]) -> NoReturn:
    """Replace this process by the first of some paths that can be executed; returns only by raising."""
    arguments = [_bytes(word) for word in plan.arguments]
    refused = OSError(ENOENT, "nothing to execute")
    for path in paths:
        try:
            posix.execve(path, arguments, plan.environment)
        except OSError as error:
            refused = OSError(error.errno, f"{path}: {_reason(error)}")
            if error.errno != EACCES:
                break
    raise refused


def _reason(error: OSError) -> str:
    if error.errno == ENOENT:
        return "its interpreter or loader does not exist in the container"
    return posix.strerror(error.errno or 0)


def refuse_magic(path: str) -> None:
    """Refuse a program that is reached through a magic link of /proc, itself or as the interpreter of a script.

    /proc/self/exe would be this machine's own interpreter, which the container could then overwrite (CVE-2019-5736).
    """
    for _ in range(NESTED_INTERPRETERS):
        try:
            fd = mounting.open_in(AT_FDCWD, path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY, resolve=RESOLVE_NO_MAGICLINKS)
        except OSError as error:
            if error.errno == ELOOP:
                raise OSError(ELOOP, f"{path}: a program must not be reached through /proc") from error
            if error.errno == EACCES:  # executable without being readable: then it is no script
                return
            raise
        try:
            head = posix.read(fd, 256) if posix.fstat(fd).st_mode & 0o170000 == 0o100000 else b""
        finally:
            posix.close(fd)
        if not head.startswith(b"#!"):
            return
        words = head[2:].partition(b"\n")[0].split()
        if not words:
            return
        path = words[0].decode("utf-8", "surrogateescape")
