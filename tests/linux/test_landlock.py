"""Landlock keeps a process to what its rules allow."""

import os
from pathlib import Path

import pytest
from forked import forked

from hardener.linux import calls, consts, landlock, mounting


def test_rights_are_those_of_the_version() -> None:
    assert landlock.rights(("execute", "ioctl-dev"), 1) == 1
    assert landlock.rights(("execute", "ioctl-dev"), 6) == 1 | 1 << 15


def test_no_landlock_is_version_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(consts.SYSCALLS, "landlock_create_ruleset", 1 << 20)
    assert landlock.version() == 0


def test_writing_is_allowed_in_one_place(tmp_path: Path) -> None:
    abi = landlock.version()
    if not abi:
        pytest.skip("kernel: no Landlock")
    (tmp_path / "open").mkdir()

    def child() -> tuple[bool, bool]:
        writing = landlock.rights(("write-file", "make-reg", "truncate"), abi)
        scopes = consts.LANDLOCK_SCOPE_SIGNAL if abi >= landlock.SCOPES_SINCE else 0
        rules = landlock.create(writing, scopes=scopes)
        landlock.allow(rules, writing, mounting.open_path(str(tmp_path / "open")), name="open")
        calls.prctl(consts.PR_SET_NO_NEW_PRIVS, 1)
        landlock.restrict(rules)
        (tmp_path / "open" / "file").write_text("x")
        try:
            (tmp_path / "file").write_text("x")
        except PermissionError:
            return True, (tmp_path / "open" / "file").exists()
        return False, False

    assert forked(child) == (True, True)
    assert os.listdir(tmp_path) == ["open"]
