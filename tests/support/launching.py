"""Launch containers in tests: a specification with the usual walls, a root made of this machine's programs, and what came of it.

Each launch happens in a forked child, as the launcher does it: no threads, no pytest around. What init executes is measured too: memory
that is shared with it carries its lines back, because from inside the container no file of the checkout can be reached.
"""

import copy
import json
import mmap
import os
import pickle
import pty
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest

from hardener.errors import HardenError
from hardener.linux import calls, consts
from hardener.oci.runtime import Spec
from hardener.runtime import cgroups, container, program, sync
from hardener.runtime.job import Rootfs
from hardener.runtime.parent import Launch, LaunchError

PROBE = Path(__file__).parents[1] / "runtime" / "probe.py"
PYTHON = sys.base_prefix
MAPS = [{"containerID": 0, "hostID": 100000, "size": 65536}]
QUIET = ["nosuid", "nodev", "noexec"]

MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "noexec", "ro", "mode=755", "size=64k"]},
    {"destination": "/dev/pts", "type": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*QUIET, "mode=1777", "size=1m"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "options": QUIET},
    {"destination": "/sys", "type": "sysfs", "options": [*QUIET, "ro"]},
    {"destination": "/tmp", "type": "tmpfs", "options": [*QUIET, "mode=1777", "size=1m"]},
]


def binds() -> list[dict[str, Any]]:
    """Return the binds that bring this machine's programs and the probe into a container."""
    folders = [path for path in ("/usr", "/bin", "/lib", "/lib64") if os.path.isdir(path)]
    rows = [{"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]} for path in {*folders, PYTHON}]
    probe = {"destination": "/probe.py", "source": str(PROBE), "type": "bind", "options": ["bind", "ro"]}
    return [*sorted(rows, key=lambda row: str(row["destination"])), probe]


def config(folder: Path | str, *args: str, **changes: Any) -> dict[str, Any]:
    """Return a config.json; `changes` replace parts, with dots as `__`: `process__cwd="/tmp"`."""
    document: dict[str, Any] = {
        "ociVersion": "1.2.0",
        "process": {
            "args": list(args),
            "env": ["PATH=/usr/bin:/bin"],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {},
            "user": {"uid": 0, "gid": 0},
        },
        "root": {"path": str(folder), "readonly": True},
        "hostname": "inside",
        "mounts": [*MOUNTS, *binds()],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time")],
            "uidMappings": MAPS,
            "gidMappings": MAPS,
            "resources": {
                "memory": {"limit": 256 << 20, "swap": 256 << 20},
                "pids": {"limit": 64},
                "cpu": {"quota": 100000, "period": 100000},
            },
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/scsi"],
            "readonlyPaths": ["/proc/sys", "/proc/bus", "/proc/irq"],
        },
    }
    document = copy.deepcopy(document)
    for path, value in changes.items():
        *steps, name = path.split("__")
        part = document
        for step in steps:
            part = part[step]
        if value is None:
            part.pop(name, None)
        else:
            part[name] = value
    return document


class Result:
    """What came of a launch: exit code, both streams, what the launcher noticed, and the error that kept it from starting."""

    def __init__(self, code: int, out: str, err: str, notices: list[str], error: str) -> None:
        self.code = code
        self.out = out
        self.err = err
        self.notices = notices
        self.error = error

    def __repr__(self) -> str:
        return f"Result({self.code}, {self.out!r}, {self.err!r}, {self.notices}, {self.error!r})"

    def json(self) -> Any:
        """Return standard output as JSON."""
        assert (self.code, self.error) == (0, ""), self
        return json.loads(self.out)


class _Measured:
    """Lines that init ran, carried over in shared memory."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 1 << 22)
        send, execute = sync.Channel.send, program.execute

        def sending(channel: sync.Channel, kind: str, *fields: str) -> None:
            self.keep(kind)
            send(channel, kind, *fields)

        def executing(plan: program.Program, paths: list[str]) -> None:
            self.keep("exec")
            execute(plan, paths)

        patch = pytest.MonkeyPatch()  # in a child that ends with this launch: never undone
        patch.setattr(sync.Channel, "send", sending)
        patch.setattr(program, "execute", executing)

    def keep(self, kind: str) -> None:
        if kind in (sync.GO, sync.START):
            return
        payload = pickle.dumps(forked.lines())
        self.memory.seek(0)
        self.memory.write(len(payload).to_bytes(8, "little") + payload)

    def restore(self) -> None:
        self.memory.seek(0)
        size = int.from_bytes(self.memory.read(8), "little")
        if size:
            forked.add(pickle.loads(self.memory.read(size)))


def _plan(document: dict[str, Any], folder: Path, rootfs: Rootfs | None) -> Launch:
    spec = Spec.parse(document)
    return container.plan(spec, bundle=str(folder), name=f"test-{os.getpid()}", machine=cgroups.read_layout(), rootfs=rootfs)


def launch(
    document: dict[str, Any],
    folder: Path,
    *,
    rootfs: Rootfs | None = None,
    stdin: str = "",
    uid: int = 0,
    before: Callable[[], None] | None = None,
) -> Result:
    """Launch a container from a config.json, and wait for its end.

    `folder` takes its output, `uid` is who launches, `before` runs in the launcher while it is still root.
    """
    number = len(list(folder.glob("out.*")))
    streams = [folder / f"{name}.{number}" for name in ("in", "out", "err")]
    streams[0].write_text(stdin)
    for stream in streams[1:]:
        stream.write_text("")

    def child() -> tuple[int, list[str], str]:
        for fd, (stream, flags) in enumerate(
            zip(streams, (os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND), strict=True)
        ):
            opened = os.open(stream, flags)
            os.dup2(opened, fd)
            os.close(opened)
        measured = _Measured()
        if before is not None:
            before()
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            calls.prctl(consts.PR_SET_DUMPABLE, 1)  # as after the execve of a program that the user has started
        try:
            outcome = container.run(_plan(document, folder, rootfs))
            return outcome.code, outcome.notices, ""
        except LaunchError as error:
            return error.code, [], str(error)
        except HardenError as error:
            return 2, [], str(error)
        finally:
            measured.restore()

    code, notices, error = forked.forked(child)
    return Result(code, streams[1].read_text(), streams[2].read_text(), notices, error)


class Running:
    """A launcher that runs until its container ends: `pid` is its own; with `screen` it has a terminal, whose other side that is."""

    def __init__(self, document: dict[str, Any], folder: Path, *, terminal: bool = False, rootfs: Rootfs | None = None) -> None:
        self.out = folder / f"running.{len(list(folder.glob('running.*')))}"
        self.out.write_text("")
        self.memory = mmap.mmap(-1, 1 << 22)
        self.screen = -1
        if terminal:
            self.pid, self.screen = pty.fork()
        else:
            self.pid = os.fork()
        if self.pid == 0:
            self._run(document, folder, rootfs, terminal=terminal)

    def _run(self, document: dict[str, Any], folder: Path, rootfs: Rootfs | None, *, terminal: bool) -> None:
        code = 99
        try:
            if not terminal:
                os.dup2(os.open(self.out, os.O_WRONLY | os.O_APPEND), 1)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # which is ignored in what a shell runs in the background
            code = container.run(_plan(document, folder, rootfs)).code
            payload = pickle.dumps(forked.lines())
            self.memory.write(len(payload).to_bytes(8, "little") + payload)
        finally:
            os._exit(code)

    def until(self, text: str) -> None:
        """Wait until the container has said something."""
        deadline = time.monotonic() + 90
        while text not in self.out.read_text():
            assert time.monotonic() < deadline, self.out.read_text()
            time.sleep(0.005)

    def end(self) -> int:
        """Wait for the launcher's end and return its exit code."""
        _, status = os.waitpid(self.pid, 0)
        if self.screen >= 0:
            os.close(self.screen)
        self.memory.seek(0)
        size = int.from_bytes(self.memory.read(8), "little")
        if size:
            forked.add(pickle.loads(self.memory.read(size)))
        return os.waitstatus_to_exitcode(status)


def probe(document: dict[str, Any], folder: Path, **options: Any) -> Any:
    """Launch the probe and return what it saw from inside."""
    document["process"]["args"] = [f"{PYTHON}/bin/python3", "-I", "-S", "/probe.py"]
    return launch(document, folder, **options).json()
