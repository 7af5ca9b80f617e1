"""Labels are given by a file of /proc that is one, or the program does not start."""

import os
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from launching import config, launch

from hardener.errors import HardenError
from hardener.linux import calls, consts, mounting
from hardener.oci.runtime import Spec
from hardener.runtime import labels


def planned(**process: Any) -> labels.Labels | None:
    return labels.plan(Spec.parse(config("/", "true", **{f"process__{name}": value for name, value in process.items()})))


@pytest.fixture
def able(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says of itself that it has both."""
    for name, value in (("APPARMOR", "Y\n"), ("SELINUX", "1\n")):
        (tmp_path / name).write_text(value)
        monkeypatch.setattr(labels, name, str(tmp_path / name))


def test_what_this_machine_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "APPARMOR", str(tmp_path / "none"))
    (tmp_path / "off").write_text("N\n")
    for path in ("none", "off"):
        monkeypatch.setattr(labels, "APPARMOR", str(tmp_path / path))
        with pytest.raises(HardenError, match="this machine has no AppArmor"):
            planned(apparmorProfile="harden")
    monkeypatch.setattr(labels, "SELINUX", str(tmp_path / "none"))
    with pytest.raises(HardenError, match="this machine has no SELinux"):
        planned(selinuxLabel="system_u:system_r:container_t:s0")


@pytest.mark.usefixtures("able")
def test_what_is_asked_for() -> None:
    assert planned() is None
    assert planned(apparmorProfile="unconfined") is None
    made = planned(apparmorProfile="harden", selinuxLabel="u:r:t:s0")
    assert made is not None
    assert made.lines() == ["AppArmor harden", "SELinux u:r:t:s0"]
    with pytest.raises(HardenError, match="is not a label"):
        planned(apparmorProfile="a\nb")


@pytest.mark.usefixtures("able")
def test_a_label_that_the_kernel_refuses_keeps_the_program_from_starting(root: Path, folder: Path) -> None:
    result = launch(config(root, "true", process__selinuxLabel="no:such:label:s0"), folder)
    assert result.code == 125
    assert "no:such:label:s0" in result.error or "the kernel has no file for it" in result.error
    result = launch(config(root, "true", process__apparmorProfile="no-such-profile"), folder)
    assert result.code == 125
    assert "no-such-profile" in result.error or "the kernel has no file for it" in result.error


@pytest.mark.usefixtures("able")
def test_a_folder_in_the_place_of_proc(root: Path, folder: Path) -> None:
    fake = root / "proc" / "thread-self" / "attr"
    fake.mkdir(parents=True)
    (fake / "exec").write_text("")
    (fake / "exec").chmod(0o666)
    document = config(root, "true", process__selinuxLabel="u:r:t:s0")
    document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] != "/proc"]
    result = launch(document, folder)
    assert (result.code, "a label needs a /proc" in result.error) == (125, True), result
    assert (fake / "exec").read_text() == ""


@pytest.mark.parametrize("over", ["/proc/self/task/{pid}/attr/exec", "/proc/self/task/{pid}/attr"])
def test_something_mounted_over_the_file(tmp_path: Path, over: str) -> None:
    (tmp_path / "exec").write_text("")

    def child() -> str:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        target = over.format(pid=os.getpid())
        mounting.mount(str(tmp_path / ("exec" if target.endswith("exec") else "")), target, "", 0x1000)
        try:
            labels.Labels("", "u:r:t:s0").apply()
        except HardenError as error:
            return error.what
        return "written"

    assert forked(child) == "something is mounted over it"
    assert (tmp_path / "exec").read_text() == ""


def test_a_file_that_takes_a_label(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("apparmor", "plain"):
        (tmp_path / name).write_text("")
    files = {"thread-self/attr/apparmor/exec": "apparmor", "thread-self/attr/exec": "plain"}

    def opened(_: int, path: str, flags: int, **__: int) -> int:
        return os.open(tmp_path / files[path], flags)

    monkeypatch.setattr(mounting, "open_in", opened)
    with pytest.raises(HardenError, match="no file of a procfs"):
        labels.Labels("", "u:r:t:s0").apply()
    monkeypatch.setattr(mounting, "filesystem_type", lambda _: consts.PROC_SUPER_MAGIC)
    labels.Labels("harden", "u:r:t:s0").apply()
    assert ((tmp_path / "apparmor").read_text(), (tmp_path / "plain").read_text()) == ("exec harden", "u:r:t:s0")
    files["thread-self/attr/apparmor/exec"] = "none"  # before Linux 5.8
    labels.Labels("older", "").apply()
    assert (tmp_path / "plain").read_text().startswith("exec older")
