"""Programs that change between the last look at them and their execution (CVE-2019-5736), where root inside is root outside."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attacking import INTERPRETER
from launching import config, launch

from hardener.runtime import program

HOST: dict[str, Any] = {"linux__namespaces": [{"type": kind} for kind in ("mount", "pid", "network", "ipc", "uts")]}
HOST |= {"linux__uidMappings": None, "linux__gidMappings": None, "linux__resources": None}
USERNS: dict[str, Any] = {}
# Tells whether what runs is a file of the container: the launcher's own lies on a mount that the container does not have.
WHOSE = """
import os
fd = os.open('/proc/self/exe', os.O_RDONLY)
[number] = [line.split()[1] for line in open(f'/proc/self/fdinfo/{fd}') if line.startswith('mnt_id')]
print('ours' if any(line.split()[0] == number for line in open('/proc/self/mountinfo')) else 'the launcher')
"""


def with_volume(folder: Path, root: Path, *args: str, **changes: Any) -> tuple[dict[str, Any], Path]:
    volume = folder / "volume"
    volume.mkdir()
    document = config(root, *args, **changes)
    document["mounts"].append({"destination": "/v", "type": "bind", "source": str(volume), "options": ["rbind", "exec"]})
    return document, volume


def after(step: str, act: Callable[[], None]) -> Callable[[], None]:
    """Return what makes the launcher's step be followed by an act of somebody in the container."""

    def before() -> None:
        real = getattr(program, step)

        def wrapped(plan: program.Program, *rest: Any) -> Any:
            found = real(plan, *rest)
            act()
            return found

        setattr(program, step, wrapped)

    return before


def swap(name: str, target: str) -> Callable[[], None]:
    def act() -> None:
        os.symlink(target, "/v/link")
        os.rename("/v/link", f"/v/{name}")

    return act


def rewrite() -> None:
    fd = os.open("/v/fresh", os.O_WRONLY | os.O_CREAT, 0o755)
    os.write(fd, b"#!/proc/self/exe -\n")
    os.close(fd)
    os.rename("/v/fresh", "/v/program")


@pytest.mark.parametrize("step", ["find", "hold"])
@pytest.mark.parametrize("attack", ["program", "interpreter", "rewrite"])
def test_a_program_that_becomes_the_launcher(root: Path, folder: Path, step: str, attack: str) -> None:
    document, volume = with_volume(folder, root, "/v/program", "-c", WHOSE, **HOST)
    shell = Path("/bin/true").read_bytes()
    for name in ("program", "interpreter"):
        (volume / name).write_bytes(b"#!/v/interpreter\n" if (attack, name) == ("interpreter", "program") else shell)
        (volume / name).chmod(0o755)
    act = rewrite if attack == "rewrite" else swap(attack, "/proc/self/exe")
    result = launch(document, folder, before=after(step, act))
    assert "the launcher" not in result.out, result
    assert result.code in (126, 127), result


def test_the_attack_works_where_a_program_is_executed_by_name(root: Path, folder: Path) -> None:
    """The control: a user namespace keeps the launcher's file from being written to, so there the name may do."""
    document, volume = with_volume(folder, root, "/v/program", "-c", WHOSE)
    (volume / "program").write_bytes(Path("/bin/true").read_bytes())
    (volume / "program").chmod(0o755)
    volume.chmod(0o777)
    assert launch(document, folder, before=after("find", swap("program", "/proc/self/exe"))).out == "the launcher\n"


@pytest.mark.parametrize("changes", [HOST, USERNS], ids=["guarded", "by name"])
@pytest.mark.parametrize(
    ("content", "code", "out"),
    [
        ("#!/bin/sh\necho $0 $*", 0, "/v/program 1 2"),
        ("#! /bin/sh \t-e \nfalse; echo on", 1, ""),
        ("#!/usr/bin/env -S sh -c 'echo $0 $*'\n", 0, "/v/program 1 2"),
        ("#!/v/other x  y\n", 0, "/v/other|x  y|/v/program|1|2"),
        ("#!/v/link\necho linked", 0, "linked"),
        ("#!\n", 126, ""),
        ("#!/no/such\n", 127, ""),
        ("#!/v/program\n", 126, ""),
        ("#!/bin/" + "x" * 300, 126, ""),
        ("#!/usr\n", 126, ""),
        ("text", 126, ""),
    ],
)
def test_scripts_run_as_the_kernel_runs_them(root: Path, folder: Path, changes: Any, content: str, code: int, out: str) -> None:
    document, volume = with_volume(folder, root, "program", "1", "2", **changes)
    document["process"]["env"] = ["PATH=/nowhere:/v:/usr/bin:/bin"]
    other = '#!/bin/sh\nprintf %s "$0"; printf \'|%s\' "$@"'
    for name, text in (("program", content), ("other", other)):
        (volume / name).write_text(text)
        (volume / name).chmod(0o755)
    (volume / "link").symlink_to("../bin/sh")
    result = launch(document, folder)
    assert (result.code, result.out.rstrip("\n")) == (code, out), result


@pytest.mark.parametrize("changes", [HOST, USERNS], ids=["guarded", "by name"])
def test_what_may_not_be_executed_is_not(root: Path, folder: Path, changes: Any) -> None:
    for at, (mode, options) in enumerate(((0o644, ["rbind", "exec"]), (0o755, ["rbind", "noexec"]))):
        below = folder / str(at)
        below.mkdir()
        document, volume = with_volume(below, root, "/v/program", **changes)
        document["mounts"][-1]["options"] = options
        (volume / "program").write_text("#!/bin/sh\necho no")
        (volume / "program").chmod(mode)
        result = launch(document, folder)
        assert (result.code, result.out) == (126, ""), result


@pytest.mark.parametrize("name", ["true", "/bin/true", "/v/first"])
def test_links_lead_to_a_program(root: Path, folder: Path, name: str) -> None:
    document, volume = with_volume(folder, root, name, **HOST)
    (volume / "first").symlink_to("second")
    (volume / "second").symlink_to("/bin/true")
    assert launch(document, folder).code == 0


def test_a_profile_without_the_call_is_told_of(root: Path, folder: Path) -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["execveat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
    result = launch(config(root, "true", linux__seccomp=profile, **HOST), folder)
    assert result.code == 126
    assert "needs execveat(2) in its seccomp profile" in result.error


def test_the_program_has_its_name(root: Path, folder: Path) -> None:
    result = launch(config(root, *INTERPRETER, "-c", "print(open('/proc/self/comm').read().strip()[:6])", **HOST), folder)
    assert result.out == "python\n", result
