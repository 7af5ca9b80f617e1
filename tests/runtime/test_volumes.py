"""Named volumes: who makes them, what is in them, and when they may go."""

import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from forked import forked
from launching import Running, config, launch

from hardener import cli
from hardener.errors import HardenError
from hardener.linux import calls, consts, mounting
from hardener.runtime import borrowed, removal, sync, volumes
from hardener.runtime.job import Job
from hardener.runtime.places import Places, places

SH = ("/bin/sh", "-c")


@pytest.fixture
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("HARDENER_ROOT", str(folder / "home"))
    return places(os.geteuid(), os.environ)


def harden(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(["volume", *words])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_volumes_are_made_listed_shown_and_removed(home: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert harden(capsys, "ls") == (0, "DRIVER    VOLUME NAME\n", "")
    assert harden(capsys, "create", "data", "--label", "team=web", "--label", "old") == (0, "data\n", "")
    assert harden(capsys, "create", "data") == (0, "data\n", "")
    code, anonymous, _ = harden(capsys, "create")
    assert (code, len(anonymous)) == (0, 65)
    assert harden(capsys, "ls", "-q") == (0, "".join(sorted([anonymous, "data\n"])), "")
    assert harden(capsys, "ls", "--filter", "label=team=web")[1] == "DRIVER    VOLUME NAME\nlocal     data\n"
    [shown] = json.loads(harden(capsys, "inspect", "data")[1])
    assert shown["Mountpoint"] == f"{home.data}/volumes/data/_data"
    assert (shown["Name"], shown["Driver"], shown["Labels"]) == ("data", "local", {"team": "web", "old": ""})
    assert json.loads(harden(capsys, "ls", "--format", "json", "-f", "name=dat")[1]) == shown
    assert stat.S_IMODE(os.stat(home.data).st_mode) == stat.S_IMODE(os.stat(f"{home.data}/volumes/data").st_mode) == 0o700
    assert harden(capsys, "prune", "-f") == (0, f"Deleted Volumes:\n{anonymous}\nTotal reclaimed space: 0 B\n", "")
    assert harden(capsys, "rm", "data") == (0, "data\n", "")
    assert os.listdir(f"{home.data}/volumes") == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["rm", "nosuch"], 2, "there is no volume nosuch"),
        (["rm", "-f", "nosuch"], 0, ""),
        (["inspect", "nosuch"], 2, "there is no volume nosuch"),
        (["create", "x"], 2, "'x' is not a name for a volume"),
        (["create", "../x"], 2, "'../x' is not a name for a volume"),
        (["create", ".xx"], 2, "'.xx' is not a name for a volume"),
        (["create", "x" * 256], 2, "is not a name for a volume"),
        (["create", "ok", "--label", "=x"], 2, "'=x' is not NAME=value"),
        (["ls", "--filter", "driver=local"], 2, "unknown filter 'driver=local'"),
        (["ls", "--filter", "dangling=perhaps"], 2, "'perhaps' is neither true nor false"),
        (["prune"], 2, "there is nobody to ask"),
        (["dance"], 2, "dance"),
    ],
)
def test_what_is_refused(
    home: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, message: str
) -> None:
    volumes.create(home, "some")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    found, _, err = harden(capsys, *words)
    assert (found, message in err) == (code, True), err


def test_labels_do_not_change(home: Places) -> None:
    volumes.create(home, "some", {"a": "1"})
    assert volumes.create(home, "some", {"a": "1"}).labels == {"a": "1"}
    with pytest.raises(HardenError, match="with other labels"):
        volumes.create(home, "some", {"a": "2"})


def test_a_volume_that_is_damaged_or_not_ours(home: Places) -> None:
    file = Path(volumes.create(home, "some").path).with_name("volume.json")
    for text in ("{", "{}", "[]"):
        file.write_text(text)
        with pytest.raises(HardenError, match="not what a volume is described by"):
            volumes.find(home, "some")
    Path(home.data, "volumes", "other").mkdir()
    assert volumes.find(home, "other") is None
    assert volumes.create(home, "other").name == "other"  # an empty folder is taken over
    Path(home.data, "volumes", "third", "x").mkdir(parents=True)
    with pytest.raises(HardenError, match="no volume of ours"):
        volumes.create(home, "third")


def test_what_a_killed_command_left_goes(home: Places) -> None:
    volumes.create(home, "some")
    folder = Path(home.data, "volumes")
    for name in (".old-99999999-x", ".new-99999999-y", f".new-{os.getpid()}-z", ".odd"):
        (folder / name / "_data").mkdir(parents=True)
    assert [volume.name for volume in volumes.volumes(home)] == ["some"]
    assert sorted(path.name for path in folder.iterdir()) == [f".new-{os.getpid()}-z", "some"]


def test_who_comes_second_gets_what_the_first_made(home: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    first = volumes.create(home, "some", {"by": "first"})
    real, answers = volumes.find, [None]
    monkeypatch.setattr(volumes, "find", lambda *given: answers.pop() if answers else real(*given))
    assert volumes.create(home, "some").labels == first.labels
    assert os.listdir(f"{home.data}/volumes") == ["some"]


def test_what_is_written_stays_and_belongs_to_the_container(home: Places, root: Path, folder: Path) -> None:
    volume = volumes.use(home, "some")
    document = config(root, *SH, "cat /v/x; echo hello >/v/x; stat -c %u /v/x; chmod 4755 /v/x")
    document["mounts"].append({"destination": "/v", "type": "bind", "source": volume.path, "options": ["rbind", "nosuid", "nodev"]})
    assert launch(document, folder).out == "0\n"
    document["linux"]["uidMappings"] = document["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 300000, "size": 65536}]
    assert launch(document, folder).out == "hello\n0\n"


def test_a_volume_in_use_stays(home: Places, root: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume = volumes.use(home, "some")
    document = config(root, *SH, "echo up; exec sleep 60", linux__resources=None)
    document["mounts"].append({"destination": "/v", "type": "bind", "source": volume.path, "options": ["rbind"]})
    running = Running(document, folder)
    running.until("up")
    code, _, err = harden(capsys, "rm", "some")
    assert (code, "the volume some is in use" in err) == (2, True)
    assert "process " in err
    assert harden(capsys, "ls", "-q", "--filter", "dangling=true")[1] == ""
    os.kill(running.pid, 15)
    running.end()
    assert harden(capsys, "ls", "-q", "--filter", "dangling=true")[1] == "some\n"
    record = Path(home.data, "containers", "box")
    record.mkdir(parents=True)
    (record / "job.json").write_text(json.dumps(Job.parse({"name": "box", "spec": document}).dump()))
    (record.parent / "odd").mkdir()
    code, _, err = harden(capsys, "rm", "some")
    assert (code, "at: box" in err) == (2, True)
    assert harden(capsys, "prune", "--all", "--force")[1] == "Total reclaimed space: 0 B\n"


def test_a_user_removes_what_belongs_to_ids_of_containers(folder: Path) -> None:
    tree = folder / "tree"
    (tree / "closed" / "deep").mkdir(parents=True)
    (tree / "closed").chmod(0)
    for path in (tree, tree / "closed", tree / "closed" / "deep"):
        os.chown(path, 4321, 4321)

    def child() -> bool:
        os.setgroups([])
        os.setresgid(4321, 4321, 4321)
        os.setresuid(4321, 4321, 4321)

        calls.prctl(consts.PR_SET_DUMPABLE, 1)
        removal.remove_tree(str(tree))
        removal.remove_tree(str(tree))
        try:
            removal.remove_tree("/etc/ssl")
        except PermissionError:
            return os.path.isdir("/etc/ssl")
        return False

    assert forked(child)
    assert not tree.exists()


def test_errors_of_a_borrowed_root_are_told() -> None:
    def missing() -> None:
        os.rmdir("/no/such/folder")

    def refused() -> None:
        raise HardenError("what", where="where", how="how")

    def broken() -> None:
        raise KeyError("key")

    def killed() -> None:
        os.kill(os.getpid(), 9)

    with pytest.raises(FileNotFoundError) as error:
        borrowed.as_root(missing)
    assert error.value.filename == "/no/such/folder"
    for act, message in ((refused, "where: what\n  how"), (broken, "KeyError: 'key'"), (killed, "a helper of ours was killed")):
        with pytest.raises(HardenError) as told:
            borrowed.as_root(act)
        assert message in str(told.value)


def test_a_volume_in_use_is_seen_through_any_mount(folder: Path) -> None:
    (folder / "disk" / "deep" / "volume").mkdir(parents=True)
    (folder / "mnt").mkdir()

    def child() -> tuple[bool, list[int]]:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        mounting.mount(str(folder / "disk" / "deep"), str(folder / "mnt"), "", 0x1000)
        path = str(folder / "mnt" / "volume")
        pid = os.fork()
        if pid == 0:
            calls.unshare(consts.CLONE_NEWNS)
            mounting.mount(path, "/mnt", "", 0x1000)
            os.write(write, b"x")
            os.read(wait, 1)
            os._exit(0)
        os.read(ready, 1)
        found = list(volumes._processes(path))
        os.write(go, b"x")
        os.waitpid(pid, 0)
        return pid in found, found

    ready, write = os.pipe()
    wait, go = os.pipe()
    seen, found = forked(child)
    for fd in (ready, write, wait, go):
        os.close(fd)
    assert (seen, len(found)) == (True, 1)


def test_what_the_borrowed_root_does_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as above without a fork, where it can be measured."""
    said: list[tuple[str, ...]] = []

    class Line:
        words: tuple[str, ...] = (sync.GO,)

        def receive(self) -> tuple[str, ...]:
            return self.words

        def send(self, *words: str) -> None:
            said.append(words)

    def leave(code: int) -> None:
        raise SystemExit(code)

    ids = {"setresgid": lambda *_: None, "setresuid": lambda *_: None, "_exit": leave}
    monkeypatch.setattr(borrowed, "posix", SimpleNamespace(**ids))

    def result(act: Callable[[], object], words: tuple[str, ...] = (sync.GO,)) -> object:
        said.clear()
        line: Any = Line()
        line.words = words
        with pytest.raises(SystemExit) as left:
            borrowed._child(act, line)
        return left.value.code, *said

    assert result(lambda: None) == (0,)
    assert result(lambda: None, ()) == (1,)
    assert result(lambda: os.rmdir("/no/such")) == (1, ("error", "2", "No such file or directory", "/no/such", ""))
    assert result(lambda: volumes.check_name("x")) == (1, ("error", "", *said[0][2:]))
    assert result(lambda: dict[str, int]()["key"]) == (1, ("error", "", "KeyError: 'key'", "", ""))
