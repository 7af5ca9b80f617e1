"""The program itself: found in the container's PATH, checked, executed.

Where the container could write to the file of our interpreter if it got hold of it, the program is not executed by its name: whoever
is in there already, or shares a volume, could lay a link to /proc/self/exe between a check and its use (CVE-2019-5736). Then links are
followed here, as text, and the kernel gets a folder and a name in it that must be no link; and as it would follow any link that a script
names, the lines that begin with `#!` are read here too.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import calls, mounting
from hardener.linux.consts import AT_FDCWD, PROC_SUPER_MAGIC, RESOLVE_NO_MAGICLINKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

    from hardener.oci.runtime import Spec

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ELSEWHERE: Final = "-w names a folder of the container that its user may enter"
EPERM, ENOENT, ENOEXEC, EACCES, ENOTDIR, EINVAL, ENOSYS, ELOOP = 1, 2, 8, 13, 20, 22, 38, 40
NESTED_INTERPRETERS: Final = 5  # as many `#!` as the kernel follows
HEAD: Final = 256  # as much as the kernel reads of them
LINKS: Final = 40  # as many as the kernel follows


class Program:
    """What is executed: arguments, environment and working directory; `search` are the folders of its PATH.

    `guarded`: not by its name, but as it is `held`.
    """

    __slots__ = ("arguments", "cwd", "environment", "guarded", "held", "search")

    def __init__(self, arguments: tuple[str, ...], environment: dict[bytes, bytes], cwd: str, search: tuple[str, ...]) -> None:
        self.arguments = arguments
        self.environment = environment
        self.cwd = cwd
        self.search = search
        self.guarded = False
        self.held: list[Held] = []

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [" ".join(map(repr, self.arguments)), f"in {self.cwd}"]


class Held:
    """A program in a folder that is open, with the arguments that it gets; `path` is for messages."""

    __slots__ = ("arguments", "folder", "name", "path")

    def __init__(self, folder: int, name: str, path: str, arguments: list[bytes]) -> None:
        self.folder = folder
        self.name = name
        self.path = path
        self.arguments = arguments


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
    made = Program(process.args, environment, process.cwd, tuple(path.split(":")))
    made.guarded = _owns_us(spec)
    return made


def _owns_us(spec: Spec) -> bool:
    """Tell whether the owner of our interpreter's file is anybody inside."""
    linux = spec.linux
    spaces = [namespace for namespace in linux.namespaces if namespace.type == "user"] if linux is not None else []
    if linux is None or not spaces or spaces[0].path:
        return True
    owner = posix.stat("/proc/self/exe").st_uid
    return any(one.host_id <= owner < one.host_id + one.size for one in linux.uid_mappings)


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


def hold(plan: Program, paths: list[str]) -> None:
    """Open what is to be executed, before the filter of system calls, which may not have what that takes."""
    refused = OSError(ENOENT, "nothing to execute")
    for path in paths:
        try:
            plan.held.append(_hold(path, [_bytes(word) for word in plan.arguments]))
        except OSError as error:
            refused = OSError(error.errno, f"{path}: {_reason(error)}")
    if not plan.held:
        raise refused


def _hold(path: str, arguments: list[bytes]) -> Held:
    named = path
    for _ in range(NESTED_INTERPRETERS + 1):
        folder, name = _locate(path)
        head = _head(folder, name)
        if not head.startswith(b"#!"):
            return Held(folder, name, named, arguments)
        if not posix.access(name, posix.X_OK, dir_fd=folder):  # its mode, or its mount
            raise OSError(EACCES, posix.strerror(EACCES))
        line, newline, _ = head[2:].partition(b"\n")
        interpreter, *rest = line.replace(b"\t", b" ").strip(b" ").split(b" ", 1)
        if not interpreter or b"\0" in line or not (newline or rest or len(head) < HEAD):
            raise OSError(ENOEXEC, posix.strerror(ENOEXEC))
        further = [word for word in (line.strip(b" \t")[len(interpreter) :].strip(b" \t"),) if word]  # one, whatever is in it
        arguments = [interpreter, *further, _bytes(path), *arguments[1:]]
        path = interpreter.decode("utf-8", "surrogateescape")
    raise OSError(ELOOP, posix.strerror(ELOOP))


def _locate(path: str) -> tuple[int, str]:
    """Follow links to a file as a path is followed, but none of /proc; return the file's folder, open, and its name there."""
    at = AT_FDCWD
    for _ in range(LINKS):
        above, slash, name = path.rpartition("/")
        below = mounting.open_in(at, f"{above}{slash}" or ".", mounting.O_PATH | mounting.O_DIRECTORY, resolve=RESOLVE_NO_MAGICLINKS)
        if at != AT_FDCWD:
            posix.close(at)
        at = below
        if name in ("", ".", ".."):
            raise OSError(EACCES, posix.strerror(EACCES))
        try:
            path = posix.readlink(name, dir_fd=at)
        except OSError as error:
            if error.errno != EINVAL:
                raise
            return at, name
        if mounting.filesystem_type(at) == PROC_SUPER_MAGIC:
            break
    raise OSError(ELOOP, posix.strerror(ELOOP))


def _head(folder: int, name: str) -> bytes:
    flags = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        fd = posix.open(name, flags, dir_fd=folder)
    except PermissionError:  # executable without being readable: then it is no script
        return b""
    try:
        return posix.read(fd, HEAD) if posix.fstat(fd).st_mode & 0o170000 == 0o100000 else b""
    finally:
        posix.close(fd)


def execute(plan: Program, paths: list[str]) -> NoReturn:
    """Replace this process by the first of some paths that can be executed; returns only by raising."""
    if plan.guarded:
        _execute_held(plan)
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


def _execute_held(plan: Program) -> NoReturn:
    environment = [name + b"=" + value for name, value in plan.environment.items()]
    refused = OSError(ENOENT, "nothing to execute")
    for one in plan.held:
        try:
            calls.execveat_in(one.folder, one.name, one.arguments, environment)
        except OSError as error:
            reason = _reason(error)
            if error.errno in (EPERM, ENOSYS):
                reason += ": a container that has the owner of hardener's interpreter needs execveat(2) in its seccomp profile"
            refused = OSError(error.errno, f"{one.path}: {reason}")
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
