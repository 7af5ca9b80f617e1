"""The launcher and other processes of this machine: their program, memory, descriptors and environment are out of reach."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from attacking import INTERPRETER, default, without
from forked import forked
from launching import PYTHON, config, launch

# A static x86-64 program whose interpreter is the launcher's own file.
ELF = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0) + struct.pack(
    "<IIQQQQQQ", 3, 4, 120, 120, 120, 15, 15, 1
)
ELF += b"/proc/self/exe\0"
MAGIC = (
    "/proc/self/exe",
    "/proc/thread-self/exe",
    "/proc/1/exe",
    "/proc/self/root/proc/self/exe",
    "/dev/fd/../exe",
    "/proc/self/task/1/exe",
)


@pytest.mark.parametrize("path", MAGIC)
@pytest.mark.parametrize("way", ["program", "link", "chain", "interpreter", "in PATH"])
def test_the_launcher_is_no_program_of_the_container(root: Path, folder: Path, path: str, way: str) -> None:
    document = config(root, path)
    if way in ("link", "chain", "in PATH"):
        (root / "program").symlink_to(path)
    if way == "chain":
        (root / "first").symlink_to("program")
    if way == "interpreter":
        (root / "first").write_text(f"#!{path}\n")
        (root / "first").chmod(0o755)
    if way != "program":
        document["process"]["args"] = ["program" if way == "in PATH" else "/program" if way == "link" else "/first"]
        document["process"]["env"] = ["PATH=/"]
    result = launch(document, folder)
    assert result.code in (126, 127), result
    assert result.out == ""


def test_the_launcher_as_a_loader(root: Path, folder: Path) -> None:
    """An ELF file may name any interpreter, which the kernel maps: the launcher is then code of the container, and no more."""
    (root / "program").write_bytes(ELF)
    (root / "program").chmod(0o755)
    result = launch(config(root, "/program"), folder)
    assert result.code != 0
    assert result.out == ""


LOOK = """
import os
for pid in sorted(int(name) for name in os.listdir('PROC') if name.isdigit()):
    for name, flags in (('exe', os.O_RDONLY), ('exe', os.O_WRONLY), ('mem', os.O_RDWR), ('environ', os.O_RDONLY), ('maps', os.O_RDONLY),
                        ('root', os.O_RDONLY), ('cwd', os.O_RDONLY), ('fd/0', os.O_RDONLY), ('ns/mnt', os.O_RDONLY)):
        try:
            path = os.readlink(f'PROC/{pid}/exe')
            fd = os.open(f'PROC/{pid}/{name}', flags)
            if WANTED and (name not in ('environ', 'maps') or os.read(fd, 10)):
                print(pid, name, path)
            os.close(fd)
        except OSError:
            pass
"""


def test_processes_of_this_machine_are_out_of_reach(place: Path) -> None:
    """Even where /proc shows them: nothing of the launcher can be opened, nor what leads back to the machine (CVE-2019-5736)."""
    code = LOOK.replace("PROC", "/tmp/proc").replace("WANTED", "True")
    document: Any = default(*INTERPRETER, "-c", code)
    document["mounts"].append({"destination": "/tmp/proc", "type": "bind", "source": "/proc", "options": ["rbind", "ro"]})
    result = launch(document, place)
    assert result.code == 0, result
    assert {line.split()[1] for line in result.out.splitlines() if str(os.getpid()) == line.split()[0]} == set()
    assert [line for line in result.out.splitlines() if not line.endswith(f"{PYTHON}/bin/python3.{sys.version_info[1]}")] == []
    naive = launch(without(document, "user", "capabilities", "seccomp", "landlock"), place)
    assert {"exe", "environ", "root", "ns/mnt"} <= {line.split()[1] for line in naive.out.splitlines()}, naive


def test_who_joins_a_container_cannot_be_read_while_it_starts(root: Path, folder: Path) -> None:
    """CVE-2016-9962, CVE-2019-5736: a program spins over /proc while another container starts in its pid namespace, with its ids."""
    keeper = subprocess.Popen(["unshare", "-p", "-f", "--kill-child", "sleep", "60"])
    pid = 0
    try:
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children")
        while not children.read_text().split():
            time.sleep(0.005)
        joined = [{"type": kind} for kind in ("mount", "network", "ipc", "uts")]
        joined.append({"type": "pid", "path": f"/proc/{children.read_text().split()[0]}/ns/pid"})
        look = LOOK.replace("PROC", "/proc").replace("WANTED", "'python' in path and pid != os.getpid()")
        code = f"import time\nend = time.time() + 1.5\nprint('up', flush=True)\nwhile time.time() < end:{_deep(look)}"
        changes = {"linux__namespaces": joined, "linux__uidMappings": None, "linux__gidMappings": None, "linux__resources": None}
        spinning = config(root, *INTERPRETER, "-c", code, **changes)
        pid = os.fork()
        if pid == 0:
            found = launch(spinning, folder)
            os.write(2, repr(found).encode())
            os._exit(0 if found.out == "up\n" else 1)
        time.sleep(0.4)
        (folder / "other").mkdir()
        results = [launch(config(root, "/bin/true", **changes), folder / "other") for _ in range(12)]
        assert {result.code for result in results} == {0}, results
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        pid = 0
    finally:
        keeper.kill()
        keeper.wait()
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _deep(code: str) -> str:
    return code.replace("\n", "\n    ")


def test_no_descriptor_of_the_launcher_gets_in(root: Path, folder: Path) -> None:
    """CVE-2024-21626: whatever whoever called us has left open, by design or by mistake."""

    def before() -> None:
        for fd in (3, 7, 50, 300):
            os.dup2(os.open("/", os.O_RDONLY), fd)

    document = config(root, "/bin/ls", "/proc/self/fd")
    assert launch(document, folder, before=before).out.split() == ["0", "1", "2", "3"]  # 3 is what ls reads
    naive = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True, check=True, pass_fds=(1, 2, 0), preexec_fn=_leave)
    assert "50" in naive.stdout.split() or len(naive.stdout.split()) >= 4


def _leave() -> None:
    os.dup2(os.open("/", os.O_RDONLY), 50)


@pytest.mark.parametrize("cwd", ["/proc/self/fd/7", "/link", "/proc/self/fd/7/../../..", "/proc/1/cwd", "/proc/self/root"])
def test_a_working_directory_cannot_be_one_of_the_launcher(root: Path, folder: Path, cwd: str) -> None:
    (root / "link").symlink_to("/proc/self/fd/7")

    def before() -> None:
        os.dup2(os.open("/", os.O_RDONLY), 7)

    result = launch(config(root, "/bin/sh", "-c", "pwd; ls -a", process__cwd=cwd), folder, before=before)
    assert result.code == 125, result


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2), (1, 2)])
def test_standard_streams_that_are_closed(closed: tuple[int, ...]) -> None:
    """What is opened next gets their numbers: it must be nothing of ours."""
    script = "; ".join(f"exec {fd}{'<' if fd == 0 else '>'}&-" for fd in closed)
    words = [
        sys.executable,
        "-m",
        "hardener",
        "run",
        "host",
        "sh",
        "-c",
        "ls -l /proc/self/fd >&9 2>/dev/null; readlink /proc/self/fd/0; exit 7",
    ]
    quoted = " ".join(f"'{word}'" for word in words)
    result = subprocess.run(["sh", "-c", f"{script}; {quoted}"], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 7, result


def test_the_environment_of_the_launcher_stays_outside(place: Path) -> None:
    result = launch(
        default("/bin/sh", "-c", "cat /proc/1/environ /proc/self/environ"), place, before=lambda: os.environ.update(TOKEN="secret")
    )
    assert "PATH=" in result.out
    assert "TOKEN" not in result.out


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "GCONV_PATH", "LOCPATH"])
def test_variables_for_the_program_do_not_reach_our_own_helpers(root: Path, folder: Path, name: str) -> None:
    """CVE-2025-23266: a hook or helper that inherits the environment of the container loads its libraries with our rights."""
    (root / "evil").write_text("")
    document = config(root, "/bin/sh", "-c", f"echo ${name}", process__env=["PATH=/usr/bin:/bin", f"{name}=/evil"])
    result = launch(document, folder)
    assert "/evil" in result.out or "cannot be preloaded" in result.err


def test_planted_loader_files_reach_nobody_but_the_container(root: Path, folder: Path) -> None:
    """CVE-2019-14271: ld.so.preload and NSS modules of an image are its own affair; a user is looked up without them."""
    (root / "etc").mkdir()
    (root / "etc" / "ld.so.preload").write_text("/evil.so\n")
    (root / "evil.so").write_bytes(b"\x7fELF not a library")
    (root / "etc" / "nsswitch.conf").write_text("passwd: evil\n")
    (root / "etc" / "passwd").write_text("web:x:33:33::/:/bin/sh\n")
    result = launch(config(root, "/bin/sh", "-c", "echo ran"), folder)
    assert result.out == "ran\n"
    from hardener.launch import roots
    from hardener.runtime import users

    made = forked(lambda: users.resolve("web", roots.Root(str(root)).database("/etc/passwd"), "").uid)
    assert made == 33


def test_a_storm_of_signals_at_the_launcher(place: Path) -> None:
    command = [sys.executable, "-m", "hardener", "run", "host", "sh", "-c", "trap : HUP USR1 USR2 WINCH CONT; echo up; i=0; "
               "while [ $i -lt 60 ]; do i=$((i + 1)); sleep 0.01; done; exit 9"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        for _ in range(400):
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGHUP, signal.SIGCHLD, signal.SIGCONT):
                running.send_signal(number)
        assert running.wait(60) == 9


def test_a_storm_of_signals_from_inside_reaches_nobody(place: Path) -> None:
    code = """
import os, signal
for pid in [-1, *range(2, 3000)]:
    for number in (signal.SIGKILL, signal.SIGSTOP):
        try:
            os.kill(pid, number)
        except OSError:
            pass
print("done")
"""
    witness = subprocess.Popen(["sleep", "60"])
    try:
        assert launch(default(*INTERPRETER, "-c", code), place).out == "done\n"
        assert witness.poll() is None
    finally:
        witness.kill()
        witness.wait()
