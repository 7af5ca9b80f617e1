"""What a launch does where system calls are missing: in old kernels, and under filters that know no newer ones."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from launching import config, launch, probe

from hardener.linux import calls, consts
from hardener.runtime import cgroups

ENOSYS, EINVAL, E2BIG = 38, 22, 7


def without(name: str) -> Callable[[], None]:
    """Return what makes a system call fail as if the kernel had none of that name, by a filter."""
    rows = ((0x20, 0, 0, 0), (0x15, 0, 1, consts.SYSCALLS[name]), (0x06, 0, 0, 0x00050000 | ENOSYS), (0x06, 0, 0, 0x7FFF0000))
    program = b"".join(code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little") for code, yes, no, value in rows)
    return lambda: calls.seccomp_filter(program)


def _spaces(seen: dict[str, Any]) -> set[str]:
    return {name for name, target in seen["namespaces"].items() if target == os.readlink(f"/proc/self/ns/{name}")}


def test_without_clone3_all_namespaces_are_made_in_steps(root: Path, folder: Path) -> None:
    normal = probe(config(root), folder)
    stepwise = probe(config(root), folder, before=without("clone3"))
    assert _spaces(stepwise) == _spaces(normal) == set()


@pytest.mark.parametrize("number", [ENOSYS, EINVAL, E2BIG])
def test_a_clone3_that_knows_no_cgroups(root: Path, folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = calls.clone

    def older(flags: int, *, cgroup_fd: int | None = None) -> tuple[int, int]:
        if cgroup_fd is not None:
            raise OSError(number, "clone: too new")
        return clone(flags)

    monkeypatch.setattr(calls, "clone", older)
    machine = cgroups.read_layout()
    unified = {} if machine.unified is None else {"unified": {"cgroup.max.depth": "3"}}
    result = launch(config(root, "cat", "/proc/self/cgroup", linux__resources={"pids": {"limit": 9}, **unified}), folder)
    assert result.code == 0, result
    assert "0::/\n" in result.out or not unified
    inside = [line for line in result.out.splitlines() if ":pids:" in line or line.startswith("0::")]
    assert inside
    assert all(line.endswith(":/") for line in inside)


@pytest.mark.parametrize("name", ["mount_setattr", "open_tree", "openat2", "fsopen"])
def test_a_kernel_that_is_too_old_is_named(root: Path, folder: Path, name: str) -> None:
    result = launch(config(root, "true"), folder, before=without(name))
    assert result.code == 125
    assert "Function not implemented" in result.error
    assert f"hardener needs Linux 5.12 or newer and this is {os.uname().release}" in result.error
