"""Containers with records, as a user has them: through the command line, in a folder of their own, and nothing of them afterwards."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-m", "hardener"]
PYTHONS = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")
UNLIMITED = [word for limit in ("memory", "pids", "cpu") for word in ("--allow-unenforced", limit)]
"""What a user who may make no cgroups has to allow."""


class Lives:
    """The command line with the records in a folder; `uid` runs it as another user."""

    def __init__(self, folder: Path, uid: int | None = None) -> None:
        self.folder = folder
        self.uid = uid
        self.python = sys.executable
        self.environment = {**os.environ, "HARDENER_ROOT": str(folder), "PYTHONPATH": str(HERE.parents[1])}

    def _ids(self) -> dict[str, Any]:
        return {} if self.uid is None else {"user": self.uid, "group": self.uid, "extra_groups": []}

    def can_run(self) -> bool:
        """Find an interpreter that the user can execute; False when there is none that can read the package."""
        for python in PYTHONS:
            self.python = python
            try:
                if self("--version").returncode == 0:
                    return True
            except (PermissionError, FileNotFoundError):
                continue
        return False

    def open(self, *words: str, **options: Any) -> "subprocess.Popen[str]":
        """Start `harden WORDS`, and do not wait."""
        command = [self.python, *COMMAND[1:], *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=self.environment, cwd="/", **{**pipes, **self._ids(), **options})

    def __call__(self, *words: str, stdin: str | None = None, timeout_s: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run `harden WORDS` and return what came of it."""
        options = {} if stdin is None else {"stdin": subprocess.PIPE}
        with self.open(*words, **options) as process:
            try:
                out, err = process.communicate(stdin, timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def do(self, *words: str) -> str:
        """Run `harden WORDS`, which must succeed, and return what it printed."""
        result = self(*words)
        assert result.returncode == 0, (words, result)
        return result.stdout

    def record(self, name: str) -> dict[str, Any]:
        """Return the record of a container as it is written."""
        made: dict[str, Any] = json.loads((self.folder / "data" / "containers" / name / "state.json").read_text())
        return made

    def ps(self, name: str) -> dict[str, Any]:
        """Return what `harden ps` says of a container."""
        rows = [json.loads(line) for line in self.do("ps", "-a", "--format", "json").splitlines()]
        return next((row for row in rows if row["Names"] == name), {})

    def end(self) -> None:
        """Remove all containers, and see that nothing remains."""
        for identity in self.do("ps", "-aq").split():
            self.do("rm", "-f", identity)
        until(lambda: not self.left())

    def left(self) -> list[str]:
        """Return what is left of containers in the folder."""
        return [str(path) for part in ("run", "data") for path in (self.folder / part / "containers").glob("*")]


def until(true: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.02)


def catches(pid: int, number: int) -> bool:
    """Tell whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> number - 1 & 1)


def alive(pid: int) -> bool:
    """Tell whether a process is there, and not only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
