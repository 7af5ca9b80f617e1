"""`harden run`: what its flags mean, what it refuses, and containers started with it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Harden
from layouts import Layout, entry, folder, link, tar

from hardener.cli import run_flags
from hardener.launch import base, values
from hardener.runtime.program import DEFAULT_PATH


def started(*args: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hardener", "run", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}, check=False, timeout=120)


def spec(harden: Harden, *args: str) -> Any:
    code, out, err = harden("run", "--print-spec", *args)
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize(
    ("args", "code", "out"),
    [
        (["host", "--", "sh", "-c", "echo out; exit 3"], 3, "out\n"),
        (["--", "host", "echo", "--", "out"], 0, "-- out\n"),
        (["host", "sh", "-c", "id -u; pwd; hostname"], 0, "0\n/\nbox\n"),
        (["-u", "nobody", "-w/tmp", "host", "sh", "-c", "id -u; pwd"], 0, "65534\n/tmp\n"),
        (
            ["-eA=b c", "--env=X", "host", "sh", "-c", "echo $A-$X-$PATH${UNSET_HERE+wrong}"],
            0,
            "b c-given-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        ),
        (["host", "sh", "-c", "ls /home /root; cat /etc/shadow; grep -c lo: /proc/net/dev"], 0, "/home:\n\n/root:\n1\n"),
        (["--writable", "host", "sh", "-c", "echo x >/new && cat /new"], 0, "x\n"),
        (["--network=host", "host", "readlink", "/proc/self/ns/net"], 0, os.readlink("/proc/self/ns/net") + "\n"),
        (
            ["--cap-add", "chown", "--cap-add=NET_RAW", "host", "grep", "-E", "Cap(Eff|Bnd|Amb)", "/proc/self/status"],
            0,
            "CapEff:\t0000000000002001\nCapBnd:\t0000000000002001\nCapAmb:\t0000000000000000\n",
        ),
        (["host", "grep", "-E", "^(NoNewPrivs|Seccomp):", "/proc/self/status"], 0, "NoNewPrivs:\t1\nSeccomp:\t2\n"),
        (["-u", "nobody", "host", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"], 0, "0\n"),
        (["--sysctl=net.ipv4.ip_unprivileged_port_start=8", "host", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"], 0, "8\n"),
        (["host", "nosuch"], 127, ""),
        (["host", "/etc/passwd"], 126, ""),
    ],
)
def test_a_program_of_this_machine(args: list[str], code: int, out: str) -> None:
    result = started("--hostname", "box", *args, X="given")
    assert (result.returncode, result.stdout) == (code, out), result.stderr


def test_a_volume_and_limits(tmp_path: Path) -> None:
    script = "echo made >/src/made; cat /sys/fs/cgroup/pids.max /proc/self/cgroup; grep ' /src ' /proc/self/mountinfo"
    result = started("-v", "./:/src", "--memory", "64m", "--pids-limit=20", "--cpus", "0.5", "host", "sh", "-c", script, cwd=tmp_path)
    assert (tmp_path / "made").read_text() == "made\n"
    assert "nosuid,nodev" in result.stdout
    assert started("-v", f"{tmp_path}:/src:ro", "host", "touch", "/src/x").returncode == 1


def test_a_command_line_that_starts_an_engine_is_a_program_like_any() -> None:
    result = started("host", "--", "docker", "--nothing-of-the-kind", "x")
    assert result.returncode != 2


def test_what_only_root_may_read_stays_unread(tmp_path: Path) -> None:
    secret = Path("/usr/local/share") / f"harden-test-{os.getpid()}"
    secret.write_text("secret")
    secret.chmod(0o600)
    try:
        result = started("host", "cat", str(secret))
    finally:
        secret.unlink()
    assert (result.stdout, "Permission denied" in result.stderr) == ("", True)


def test_a_looser_network_is_said() -> None:
    assert started("--network=host", "host", "true").stderr == "harden: looser than policy default: network host\n"


def test_a_limit_that_was_hit_is_said() -> None:
    result = started("--pids-limit", "3", "host", "sh", "-c", "for i in 1 2 3 4 5 6; do sleep 5 & done; wait")
    assert "harden: pids: " in result.stderr


def test_a_limit_that_cannot_be_enforced_may_be_left_out(harden: Harden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.runtime.cgroups.writable", lambda machine, controller: controller != "memory")
    code, out, err = harden("run", "--print-spec", "--allow-unenforced=memory", "--allow-unenforced", "pids", "--rootfs=/r", "p")
    assert (code, err) == (0, "harden: not enforced: memory\n")
    assert json.loads(out)["linux"]["resources"].keys() == {"devices", "cpu", "pids"}


# --- the specification ----------------------------------------------------------------------------------------------------------


def test_what_nothing_asks_for(harden: Harden) -> None:
    document = spec(harden, "--name", "box", "--rootfs", "/r", "prog", "-x")
    assert document["process"]["args"] == ["prog", "-x"]
    assert document["process"]["noNewPrivileges"] is True
    assert document["process"]["capabilities"] == {}
    assert document["process"]["env"] == [f"PATH={DEFAULT_PATH}", "HOME=/", "HOSTNAME=box"]
    assert document["root"] == {"path": "/r", "readonly": True}
    assert document["hostname"] == "box"
    assert {entry["type"] for entry in document["linux"]["namespaces"]} == set(base.NAMESPACES)
    assert document["linux"]["resources"]["memory"] == {"limit": 512 << 20, "swap": 512 << 20}
    assert document["linux"]["resources"]["pids"] == {"limit": 256}
    assert document["linux"]["resources"]["cpu"] == {"quota": 100000, "period": 100000}


def test_what_a_flag_asks_for(harden: Harden) -> None:
    document = spec(
        harden, "-it", "--memory=1g", "--pids-limit=5", "--cpus=2.5", "--hostname=h", "--writable", "-eTERM=x", "--rootfs=/r", "p"
    )
    assert document["process"]["terminal"] is True
    assert document["process"]["env"][-1] == "TERM=x"
    assert document["root"]["readonly"] is False
    assert document["linux"]["resources"]["memory"]["limit"] == 1 << 30
    assert document["linux"]["resources"]["cpu"]["quota"] == 250000
    assert "TERM=xterm" in spec(harden, "-t", "--rootfs=/r", "p")["process"]["env"]


def test_the_root_of_this_machine_hides_what_is_private(harden: Harden) -> None:
    document = spec(harden, "host", "p")
    assert {"/home", "/root", "/var"} <= {mount["destination"] for mount in document["mounts"]}
    assert "/etc/shadow" in document["linux"]["maskedPaths"]


def test_a_user_of_the_root_itself(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("app:x:7:8::/home/app:/bin/sh\n")
    (tmp_path / "etc" / "group").write_text("g:x:9:app\n")
    document = spec(harden, "--rootfs", str(tmp_path), "-u", "app", "--cap-add", "kill", "p")
    assert document["process"]["user"] == {"uid": 7, "gid": 8, "additionalGids": [9]}
    assert document["process"]["capabilities"]["ambient"] == ["CAP_KILL"]
    assert "HOME=/home/app" in document["process"]["env"]


def test_a_dry_run_starts_nothing(harden: Harden) -> None:
    code, out, _ = harden("run", "--dry-run", "--rootfs", "/r", "--", "p", "-y")
    assert code == 0
    assert out.startswith("policy:\n  default\nprogram:\n  'p' '-y'\n  in /\nnamespaces:\n  new: user mount pid")


def test_an_ordinary_user_maps_himself(harden: Harden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posix.geteuid", lambda: 4321)
    monkeypatch.setattr("posix.getegid", lambda: 4322)
    document = spec(harden, "--rootfs=/r", "p")
    assert document["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 4321, "size": 1}]
    assert document["linux"]["gidMappings"] == [{"containerID": 0, "hostID": 4322, "size": 1}]


# --- what is refused ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "there is no root filesystem"),
        (["--"], "there is no root filesystem"),
        (["--pull=never", "--", "x"], "there is no image 'x'"),
        (["--pull=never", "debian", "sh"], "there is no image 'debian'"),
        (["Debian", "sh"], "(names are lower-case)"),
        (["hosT", "sh"], "did you mean 'host'?"),
        (["docker-archive:debian.tar", "sh"], "containers are not started from docker-archive:"),
        (["host"], "there is no program to run"),
        (["host", "--"], "there is no program to run"),
        (["--memry=5", "host", "x"], "did you mean '--memory'?"),
        (["-Z", "host", "x"], "unknown option '-Z'"),
        (["-", "host", "x"], "'-' is no name of an image"),
        (["--tty=yes", "host", "x"], "'yes' is neither true nor false"),
        (["--memory"], "--memory needs a value"),
        (["--memory=lots", "host", "x"], "'lots' is not a size"),
        (["--pids-limit=1.5", "host", "x"], "'1.5' is not a whole number above 0"),
        (["--cpus=nan", "host", "x"], "'nan' is not a number above 0"),
        (["--read-only", "--writable", "host", "x"], "contradict each other"),
        (["--allow-unenforced=memry", "host", "x"], "did you mean 'memory'?"),
        (["--network=brige", "host", "x"], "there is no network 'brige'"),
        (["--cap-add=CHWON", "host", "x"], "did you mean 'CHOWN'?"),
        (["-e=x=y", "-e", "=x", "host", "x"], "'=x' is not NAME=value"),
        (["-v", "d:/data", "host", "x"], "'d' is not a name for a volume"),
        (["-v", "/a:/b:rx", "host", "x"], "unknown option 'rx' of a volume"),
        (["-u", "nobody-here", "host", "x"], "no user 'nobody-here'"),
        (["-u", "1", "--rootfs", "/nonexistent", "x"], "the root filesystem does not exist"),
        (["--name", "a/b", "host", "x"], "'a/b' is not a name"),
    ],
)
def test_a_wrong_line_is_refused(harden: Harden, args: list[str], message: str) -> None:
    code, out, err = harden("run", *args)
    assert (code, out) == (125, "")
    assert message in err


def test_sizes() -> None:
    given = ("5", "5b", "2k", "512m", "1g", "1GiB", "3MB", "1t")
    assert [values.size(text, "-m") for text in given] == [5, 5, 2048, 512 << 20, 1 << 30, 1 << 30, 3 << 20, 1 << 40]


def test_every_short_flag_is_one_of_the_long_ones() -> None:
    assert set(run_flags.SHORT.values()) <= set(run_flags.FLAGS)


@pytest.mark.parametrize("words", [["host", "--memory", "5m", "true"], ["host", "-e", "A=1", "--", "true"]])
def test_an_option_behind_the_root_is_no_program(harden: Harden, words: list[str]) -> None:
    result = harden("run", *words)
    assert (result.code, result.out) == (125, "")
    assert f"options come before it: harden run {words[1]} … host" in result.err


# --- images ---------------------------------------------------------------------------------------------------------------------

BUSYBOX = Path("/bin/busybox")


@pytest.mark.skipif(not BUSYBOX.exists(), reason="needs busybox-static: an image of one file")
def test_an_image_with_a_volume(tmp_path: Path) -> None:
    made = Layout(tmp_path / "image")
    links = [link(f"bin/{name}", "busybox") for name in ("sh", "cat", "ls", "id")]
    below = tar(folder("bin"), entry("bin/busybox", BUSYBOX.read_bytes(), mode=0o755), *links, folder("data"), entry("data/first", b"1"))
    above = tar(folder("etc"), entry("etc/passwd", b"app:x:7:8::/data:/bin/sh\n"), entry("bin/.wh.ls"))
    config = {"Entrypoint": ["sh", "-c"], "Cmd": ["id -u; echo $HOME; cat /data/*"], "User": "app", "Volumes": {"/data": {}}}
    made.add(made.image(below, above, config=config), "1.2")
    places = str(tmp_path / "places")
    result = started("./image:1.2", cwd=tmp_path, HARDENER_ROOT=places)
    assert (result.returncode, result.stdout) == (0, "7\n/data\n1"), result.stderr
    assert list((tmp_path / "places/data/volumes").iterdir()) == []  # nobody could name it
    script = "echo -n 2 >>/data/first; cat /data/first"
    for wanted in ("12", "122"):
        result = started("-u", "0", "-v", "kept:/data", "image", script, cwd=tmp_path, HARDENER_ROOT=places)
        assert (result.returncode, result.stdout) == (0, wanted), result.stderr
    assert started("image", "/bin/ls", cwd=tmp_path, HARDENER_ROOT=places).returncode == 127
    other = started(
        "--mount",
        "type=image,src=image,dst=/mnt",
        "host",
        "sh",
        "-c",
        "cat /mnt/data/first; touch /mnt/x",
        cwd=tmp_path,
        HARDENER_ROOT=places,
    )
    assert (other.stdout, "Read-only file system" in other.stderr) == ("1", True), other.stderr


def test_a_device_with_another_name() -> None:
    result = started("--device", "/dev/zero:/dev/nothing", "host", "sh", "-c", "head -c 2 /dev/nothing | od -An -tx1")
    assert (result.returncode, result.stdout) == (0, " 00 00\n"), result.stderr


def test_shared_memory_of_this_machine_or_none() -> None:
    result = started("--ipc", "host", "host", "readlink", "/proc/self/ns/ipc")
    assert result.stdout == os.readlink("/proc/self/ns/ipc") + "\n"
    assert started("--ipc", "none", "host", "test", "-e", "/dev/shm").returncode == 1


def test_processes_of_this_machine() -> None:
    result = started("--pid", "host", "--userns", "host", "host", "readlink", "/proc/self/ns/pid")
    assert result.stdout == os.readlink("/proc/self/ns/pid") + "\n"
    lines = ["user host", "pid host"]
    assert result.stderr.splitlines() == [f"harden: looser than policy default: {line}" for line in lines]


def test_what_is_kept_of_the_root(tmp_path: Path) -> None:
    for wanted in ("1\n", "1\n1\n"):
        result = started("--keep", "kept", "host", "sh", "-c", "echo 1 >>/new; cat /new", cwd=tmp_path)
        assert (result.returncode, result.stdout) == (0, wanted), result.stderr


def test_the_network_of_another_container(tmp_path: Path) -> None:
    places = str(tmp_path / "places")
    assert started("-d", "--name", "first", "host", "sleep", "60", HARDENER_ROOT=places).returncode == 0
    try:
        result = started("--network", "container:first", "host", "readlink", "/proc/self/ns/net", HARDENER_ROOT=places)
        found = subprocess.run(  # what the first one says of itself
            [sys.executable, "-m", "hardener", "exec", "first", "readlink", "/proc/self/ns/net"],
            capture_output=True, text=True, env={**os.environ, "HARDENER_ROOT": places}, check=False, timeout=60,
        )  # fmt: skip
        assert (result.returncode, result.stdout) == (0, found.stdout), result.stderr
        assert result.stderr == "harden: looser than policy default: network of another container\n"
    finally:
        command = [sys.executable, "-m", "hardener", "rm", "-f", "first"]
        subprocess.run(command, capture_output=True, env={**os.environ, "HARDENER_ROOT": places}, check=True, timeout=60)
    assert "first" in started("--network", "container:first", "host", "true", HARDENER_ROOT=places).stderr


@pytest.mark.parametrize("way", ["its own end", "stop", "a killed supervisor", "without --rm", "used by another"])
def test_a_volume_without_a_name_goes_with_its_container(tmp_path: Path, way: str) -> None:
    places = str(tmp_path / "places")
    own = {**os.environ, "HARDENER_ROOT": places}

    def harden(*words: str) -> str:
        command = [sys.executable, "-m", "hardener", *words]
        return subprocess.run(command, capture_output=True, text=True, env=own, check=True, timeout=60).stdout

    def volumes() -> list[str]:
        return harden("volume", "ls", "-q").split()

    rest = "1" if way in ("its own end", "without --rm") else "60"
    remove = [] if way == "without --rm" else ["--rm"]
    made = started("-d", *remove, "--name", "one", "-v", "/tmp/d", "host", "sleep", rest, HARDENER_ROOT=places)
    assert made.returncode == 0, made.stderr
    [name] = volumes()
    if way == "used by another":
        assert started("-d", "--name", "two", "-v", f"{name}:/tmp/d", "host", "sleep", "60", HARDENER_ROOT=places).returncode == 0
    if way == "a killed supervisor":
        record = json.loads(Path(places, "data/containers/one/state.json").read_text())
        os.kill(record["supervisor"], signal.SIGKILL)
    elif way in ("stop", "used by another"):
        harden("stop", "-t", "0", "one")
    deadline = time.monotonic() + 20
    while " one" in harden("ps") and time.monotonic() < deadline:
        time.sleep(0.05)
    while volumes() and way not in ("without --rm", "used by another") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert volumes() == ([name] if way in ("without --rm", "used by another") else [])
    harden("rm", "-f", "one", "two")
