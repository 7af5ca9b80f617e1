"""The supervisor, both stages in one process that this test can look into: what it writes down, what it sends, what it holds."""

import json
import os
import posix
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from launching import config
from lives import COMMAND

from hardener.errors import HardenError
from hardener.oci.runtime import Spec
from hardener.runtime import detach, supervisor
from hardener.runtime import state as records
from hardener.runtime.job import Job, Restart, Rootfs
from hardener.runtime.parent import Launch
from hardener.runtime.places import Places

SH = ("/bin/sh", "-c")


class _Next(BaseException):
    """The process would go on as another stage."""


class _Exit(BaseException):
    """The process would end."""


class _Posix:
    """The module, with an end that can be caught: only for the supervisor itself, not for what it starts."""

    def __getattr__(self, name: str) -> Any:
        return getattr(posix, name)

    def _exit(self, code: int) -> None:
        raise _Exit(code)


def _messages(peer: socket.socket) -> Iterator[bytes]:
    """Return what has come, whether or not more could."""
    peer.setblocking(False)
    try:
        while message := peer.recv(1 << 16):
            yield message
    except (BlockingIOError, ConnectionResetError):
        return


class Life:
    """What came of a container: the supervisor's exit code and report, what its client heard, its record and log."""

    def __init__(self, code: int, report: dict[str, Any], heard: list[bytes], folder: Path) -> None:
        self.code = code
        self.report = report
        self.heard = heard
        path = folder / "data" / "containers" / "one"
        self.record: Any = json.loads((path / "state.json").read_text()) if path.exists() else None
        rows = [json.loads(row) for row in (path / "log").read_text().splitlines()] if (path / "log").exists() else []
        self.log = [(row["stream"], row["log"]) for row in rows]
        self.left = sorted(os.listdir(folder / "run" / "containers"))


def live(folder: Path, job: Job, *, before: Callable[[Places, socket.socket], None] = lambda *_: None) -> Life:
    """Supervise a container from its start to its end; `before` is told where, and gets the client's side of the connection."""
    places = Places(str(folder / "run"), str(folder / "data"), "")

    def stages() -> tuple[int, bytes, list[bytes]]:
        patch = pytest.MonkeyPatch()  # in a child that ends with this life: never undone
        for module in (detach, supervisor):
            patch.setattr(module, "posix", _Posix())

        def become(module: str, words: list[str], _: object) -> None:
            raise _Next(module, words)

        patch.setattr(detach, "become", become)
        state, lock = records.claim(places, job, detached=True)
        report, theirs = os.pipe()
        ours, client = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        before(places, ours)
        words = [f"run={places.run}", f"data={places.data}", f"name={state.name}", f"lock={lock}", f"report={theirs}"]
        step = ("detach", [*words, f"client={client.detach()}"])
        while True:
            try:
                {"detach": detach, "supervisor": supervisor}[step[0]].main(step[1])
            except _Next as following:
                module, words = following.args
                step = (module, words)
            except _Exit as end:
                return end.args[0], os.read(report, 1 << 16), list(_messages(ours))

    code, report, heard = forked(stages)
    return Life(code, json.loads(report), heard, folder)


def job(root: Path, *args: str, **options: Any) -> Job:
    """Return a container to start in an empty root with this machine's programs."""
    changes = {key: options.pop(key) for key in list(options) if "__" in key}
    spec = Spec.parse(config(root, *args, **changes))
    return Job(name="one", spec=spec, rootfs=Rootfs(layers=(str(root),)), **options)


def once(text: str, path: str, *words: str, **options: Any) -> None:
    """Do something from another process as soon as a text stands in a file."""
    script = 'until grep -q "$1" "$2" 2>/dev/null; do sleep 0.02; done; shift 2; exec "$@"'
    subprocess.Popen(["sh", "-c", script, "sh", text, path, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def test_a_whole_life(root: Path, folder: Path) -> None:
    life = live(folder, job(root, *SH, "echo out; echo err >&2; exit 3"))
    assert (life.code, life.report) == (0, {"notices": []})
    assert (life.record["status"], life.record["exitCode"], life.record.get("oom")) == ("exited", 3, None)
    assert sorted(life.log) == [("stderr", "err\n"), ("stdout", "out\n")]
    assert (sorted(life.heard[:-1]), life.heard[-1]) == ([b"1out\n", b"2err\n"], b"x3")
    assert life.left == []


def test_what_does_not_start(root: Path, folder: Path) -> None:
    life = live(folder, job(root, "/nosuch"))
    assert (life.report["code"], life.report["what"]) == (127, "/nosuch: not found")
    assert (life.record, life.left, life.heard) == (None, [], [])


def test_a_specification_that_cannot_be_had(root: Path, folder: Path) -> None:
    life = live(folder, job(root, "true", process__cwd="relative"))
    assert (life.report["code"], "is not absolute" in life.report["what"]) == (125, True)
    assert life.left == []


def test_a_bug_is_told_too(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(detach, "plan", fail)
    life = live(folder, job(root, "true"))
    assert life.report["what"] == "this is a bug in hardener: RuntimeError: unforeseen"
    assert (life.record, life.left) == (None, [])


def test_restarts(root: Path, folder: Path) -> None:
    life = live(folder, job(root, *SH, "echo try; exit 2", restart=Restart(kind="on-failure", most=2)))
    assert (life.record["status"], life.record["exitCode"], life.record["restarts"]) == ("exited", 2, 2)
    assert life.log == [("stdout", "try\n")] * 3


def test_a_restart_that_fails(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = detach.plan

    def once(made: Job, state: records.State) -> Launch:
        if state.restarts or state.status == records.RESTARTING:
            raise HardenError("its root is gone")
        return plan(made, state)

    monkeypatch.setattr(detach, "plan", once)
    life = live(folder, job(root, *SH, "exit 1", restart=Restart(kind="always")))
    assert (life.record["status"], life.record["exitCode"], life.record["note"]) == ("exited", 125, "its root is gone")


def test_sigterm_is_a_stop(root: Path, folder: Path) -> None:
    def stop(places: Places, _: socket.socket) -> None:
        once("ready", f"{places.data}/containers/one/log", "kill", "-TERM", str(os.getpid()))

    script = "echo ready; while :; do sleep 0.05; done"
    life = live(folder, job(root, *SH, f"trap 'echo bye; exit 7' TERM; {script}"), before=stop)
    assert (life.record["exitCode"], life.log) == (7, [("stdout", "ready\n"), ("stdout", "bye\n")])
    life = live(folder / "2", job(root, *SH, script, restart=Restart(kind="always")), before=stop)
    assert (life.record["status"], life.record["exitCode"]) == ("exited", 128 + signal.SIGTERM)
    life = live(folder / "3", job(root, *SH, f"trap '' TERM; {script}", stop_timeout_s=1), before=stop)
    assert life.record["exitCode"] == 137


def test_sigterm_between_two_lives(root: Path, folder: Path) -> None:
    def stop(places: Places, _: socket.socket) -> None:
        once('"restarts": 4', f"{places.data}/containers/one/state.json", "kill", "-TERM", str(os.getpid()))

    life = live(folder, job(root, *SH, "exit 1", restart=Restart(kind="always")), before=stop)
    assert (life.record["status"], life.record["exitCode"] in (1, 128 + signal.SIGTERM)) == ("exited", True)


def test_with_rm_there_is_no_record_afterwards(root: Path, folder: Path) -> None:
    life = live(folder, job(root, *SH, "exit 5", remove=True))
    assert (life.record, life.left, life.heard) == (None, [], [b"x5"])


def test_input_until_its_end(root: Path, folder: Path) -> None:
    def give(_: Places, peer: socket.socket) -> None:
        for message in (b"ione\n", b"itwo", b"w\0\x18\0\x50", b"e"):
            peer.send(message)

    life = live(folder, job(root, "cat", interactive=True), before=give)
    assert b"".join(message[1:] for message in life.heard[:-1]) == b"one\ntwo"
    assert life.log[-1] == ("stdout", "two")


def test_input_that_nobody_takes(root: Path, folder: Path) -> None:
    def give(_: Places, peer: socket.socket) -> None:
        peer.setblocking(False)
        for _n in range(6):
            peer.send(b"i" + b"x" * 20_000)

    life = live(folder, job(root, *SH, "sleep 0.5; exec <&-; sleep 0.3; echo over", interactive=True), before=give)
    assert life.log == [("stdout", "over\n")]
    life = live(folder / "2", job(root, *SH, "sleep 0.3; echo over"), before=give)  # and none is wanted
    assert life.log == [("stdout", "over\n")]


def test_a_terminal(root: Path, folder: Path) -> None:
    def give(_: Places, peer: socket.socket) -> None:
        for message in (b"w\0\x1e\0\x5a", b"iword\n", b"e"):
            peer.send(message)

    script = 'sleep 0.3; stty size; read line; echo "<$line>"; cat; exit 4'
    life = live(folder, job(root, *SH, script, process__terminal=True, interactive=True), before=give)
    shown = b"".join(message[1:] for message in life.heard[:-1])
    assert (b"30 90\r\n" in shown, b"<word>\r\n" in shown, life.heard[-1]) == (True, True, b"x4")


def test_a_client_that_goes_and_others_that_come(root: Path, folder: Path) -> None:
    def go(places: Places, peer: socket.socket) -> None:
        environment = {**os.environ, "HARDENER_ROOT": str(folder)}
        for _ in range(2):
            once("running", f"{places.data}/containers/one/state.json", *COMMAND, "attach", "--no-stdin", "one", env=environment)
        peer.shutdown(socket.SHUT_RDWR)

    life = live(folder, job(root, *SH, "sleep 1; head -c 100000 /dev/zero; sleep 0.2"), before=go)
    assert sum(len(line) for _, line in life.log) == 100_000


def test_a_client_that_does_not_read(root: Path, folder: Path) -> None:
    life = live(folder, job(root, *SH, "head -c 2000000 /dev/zero | tr '\\0' x; echo; echo over"))
    assert life.log[-1] == ("stdout", "over\n")
    assert sum(len(line) for _, line in life.log) == 2_000_006
    assert sum(len(message) - 1 for message in life.heard) < 2_000_000


def test_what_a_stop_came_before(root: Path, folder: Path) -> None:
    def mark(places: Places, _: socket.socket) -> None:
        Path(places.run, "containers", "one", "stop").touch()

    life = live(folder, job(root, "sleep", "100", restart=Restart(kind="always")), before=mark)
    assert (life.record["status"], life.record["exitCode"]) == ("exited", 137)


def test_too_much_memory(root: Path, folder: Path) -> None:
    code = "x = bytearray(200 << 20)"
    limits = {"memory": {"limit": 32 << 20, "swap": 32 << 20}}
    life = live(folder, job(root, f"{sys.base_prefix}/bin/python3", "-I", "-S", "-c", code, linux__resources=limits))
    assert (life.record["exitCode"], life.record["oom"]) == (137, True)
    assert life.record["note"].startswith("memory: ")


def test_a_state_that_cannot_be_written(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = records.write

    def full(path: str, content: str) -> None:
        if '"status": "exited"' in content or '"status": "restarting"' in content:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(records, "write", full)
    for number, kind in enumerate(("no", "always")):
        life = live(folder / str(number), job(root, *SH, "exit 6", restart=Restart(kind=kind)))
        assert (life.code, life.record["status"], life.left) == (125, "running", ["one"])
        monkeypatch.setattr(records, "write", write)
        found = records.find(Places(str(folder / str(number) / "run"), str(folder / str(number) / "data"), ""), "one")
        assert (found.status, found.exit_code, found.note) == ("exited", 6, "")
        monkeypatch.setattr(records, "write", full)
