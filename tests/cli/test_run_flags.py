"""The flags of `harden run`: what each makes of the specification, what is refused, and what a policy says to it."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Harden
from layouts import Layout, entry, folder, tar

from hardener.cli import run_flags
from hardener.oci.runtime import Spec
from hardener.policies import enforce
from hardener.policies.load import load
from hardener.sources.runline import flags as docker
from hardener.sources.write import run_line

QUIET = ["nosuid", "nodev", "noexec"]


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENER_ROOT", str(tmp_path / "places"))


def document(harden: Harden, *args: str) -> Any:
    code, out, err = harden("run", "--print-spec", *args)
    assert code == 0, err
    return json.loads(out)


def at(value: Any, path: str) -> Any:
    """Return a part: `linux.resources.pids`; the mount on a path as `mounts:/tmp`; None for what is not there."""
    head, colon, destination = path.partition(":")
    if colon:
        return next((mount for mount in value[head] if mount["destination"] == destination), None)
    for step in path.split("."):
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value


def kinds(value: Any) -> list[str]:
    return [namespace["type"] for namespace in value["linux"]["namespaces"]]


def mount(kind: str, destination: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": [*options]}


def limit(name: str, soft: int, hard: int) -> dict[str, Any]:
    return {"type": f"RLIMIT_{name}", "soft": soft, "hard": hard}


def ids(inside: int, outside: int, size: int) -> dict[str, int]:
    return {"containerID": inside, "hostID": outside, "size": size}


GIB = 1 << 30
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LABEL = "--security-opt label=user:u --security-opt label=role:r --security-opt label=type:t --security-opt label=level:s0"
SHARE = {"shares": 512, "quota": 100000, "period": 100000, "cpus": "0-1", "mems": "0"}
CHOWN = {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]}


@pytest.mark.parametrize(
    ("words", "path", "wanted"),
    [
        # the program
        ("--entrypoint /e", "process.args", ["/e", "p"]),
        ("-w /work", "process.cwd", "/work"),
        ("-e A=1 -e A=2", "process.env", [PATH, "HOME=/", "HOSTNAME=n", "A=2"]),
        ("-t", "process.terminal", True),
        ("-it", "process.terminal", True),
        ("-t=false", "process.terminal", None),
        ("--tty=true", "process.terminal", True),
        ("-u 54321", "process.user", {"uid": 54321, "gid": 0}),
        ("-u 5:6 --group-add 7 --group-add 8", "process.user", {"uid": 5, "gid": 6, "additionalGids": [7, 8]}),
        ("-h box", "hostname", "box"),
        ("--hostname box --hostname other", "hostname", "other"),
        ("--domainname d", "domainname", "d"),
        ("--init", "annotations", {"dev.hardener.init": "true"}),
        ("--init --init=false", "annotations", None),
        ("--annotation a=b", "annotations", {"a": "b"}),
        ("-q --no-healthcheck --pull never", "annotations", None),
        # limits
        ("-m 1g", "linux.resources.memory", {"limit": GIB, "swap": GIB}),
        ("-m 1.5g", "linux.resources.memory.limit", GIB * 3 // 2),
        ("-m 1g -m 2g", "linux.resources.memory.limit", 2 * GIB),
        ("-m 1g --memory-swap 2g", "linux.resources.memory", {"limit": GIB, "swap": 2 * GIB}),
        ("-m 1g --memory-swap -1", "linux.resources.memory", {"limit": GIB, "swap": -1}),
        ("-m -1", "linux.resources.memory", {}),
        ("--memory-reservation 64m", "linux.resources.memory.reservation", 64 << 20),
        ("--memory-swappiness 7", "linux.resources.memory.swappiness", 7),
        ("--pids-limit 5", "linux.resources.pids", {"limit": 5}),
        ("--pids-limit -1", "linux.resources.pids", None),
        ("--pids-limit 0", "linux.resources.pids", None),
        ("--cpus .5", "linux.resources.cpu", {"quota": 50000, "period": 100000}),
        ("--cpus 0", "linux.resources.cpu", {}),
        ("--cpu-period 50000", "linux.resources.cpu", {"quota": 50000, "period": 50000}),
        ("--cpu-quota 25000", "linux.resources.cpu", {"quota": 25000, "period": 100000}),
        ("-c 512 --cpuset-cpus 0-1 --cpuset-mems 0", "linux.resources.cpu", SHARE),
        ("--blkio-weight 300", "linux.resources.blockIO", {"weight": 300}),
        ("--ulimit nofile=10:20", "process.rlimits", [limit("CORE", 0, 0), limit("NOFILE", 10, 20)]),
        ("--ulimit core=-1", "process.rlimits", [limit("CORE", (1 << 64) - 1, (1 << 64) - 1)]),
        ("--oom-score-adj 9", "process.oomScoreAdj", 9),
        ("--shm-size 1m", "mounts:/dev/shm", mount("tmpfs", "/dev/shm", "shm", *QUIET, "mode=1777", "size=1048576")),
        ("--cgroup-parent /up", "linux.cgroupsPath", "/up/n"),
        # rights
        ("--cap-add chown", "process.capabilities", CHOWN),
        ("--cap-add CAP_CHOWN --cap-drop ALL", "process.capabilities", CHOWN),
        ("--cap-add CHOWN -u 5", "process.capabilities", {**CHOWN, "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]}),
        ("--cap-drop NET_RAW", "process.capabilities", {}),
        ("--security-opt landlock=off", "annotations", {"dev.hardener.landlock": "off"}),
        ("--security-opt no-new-privileges", "process.noNewPrivileges", True),
        ("--security-opt seccomp=unconfined", "linux.seccomp", None),
        ("--security-opt seccomp:unconfined", "linux.seccomp", None),
        ("--security-opt apparmor=mine", "process.apparmorProfile", "mine"),
        ("--security-opt apparmor=unconfined", "process.apparmorProfile", None),
        (LABEL, "process.selinuxLabel", "u:r:t:s0"),
        ("--security-opt label=disable", "process.selinuxLabel", None),
        ("--userns 5:6:7", "linux.uidMappings", [ids(0, 5, 7)]),
        ("--userns 5:6:7", "linux.gidMappings", [ids(0, 6, 7)]),
        ("--uidmap 0:7:1 --uidmap 1:9:2", "linux.gidMappings", [ids(0, 7, 1), ids(1, 9, 2)]),
        ("--sysctl kernel.shmmni=5 --uts host", "hostname", None),
        # files
        ("--writable", "root.readonly", False),
        ("--read-only=false", "root.readonly", False),
        ("--read-only", "root.readonly", True),
        ("--keep k", "root.readonly", False),
        ("--tmpfs /x", "mounts:/x", mount("tmpfs", "/x", "tmpfs", *QUIET, "mode=1777", "size=67108864")),
        ("--tmpfs /run:exec,size=1m", "mounts:/run", mount("tmpfs", "/run", "tmpfs", "nosuid", "nodev", "mode=755", "size=1048576")),
        ("--mount type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=700", "mounts:/x",
         mount("tmpfs", "/x", "tmpfs", *QUIET, "size=1048576", "mode=700")),
        ("-v /usr:/u", "mounts:/u", mount("bind", "/u", "/usr", "rbind", "nosuid", "nodev", "rw")),
        ("-v /usr/../usr:/u/:ro,noexec", "mounts:/u", mount("bind", "/u", "/usr", "rbind", "nosuid", "nodev", "ro", "noexec")),
        ("--mount type=bind,src=/usr,target=/u,ro,bind-nonrecursive", "mounts:/u",
         mount("bind", "/u", "/usr", "bind", "nosuid", "nodev", "ro")),
        ("--tmpfs /x:rw,tmpcopyup,suid", "mounts:/x", mount("tmpfs", "/x", "tmpfs", "nodev", "noexec", "mode=1777", "size=67108864")),
        ("--mount type=bind,src=/usr,dst=/u,bind-propagation=private,bind-recursive=disabled,readonly=false", "mounts:/u",
         mount("bind", "/u", "/usr", "bind", "nosuid", "nodev", "private", "rw")),
        ('--mount type=bind,"src=/usr",dst=/u,noidmap,ro=1', "mounts:/u",
         mount("bind", "/u", "/usr", "rbind", "nosuid", "nodev", "ro", "noidmap")),
        ("--security-opt label=a:b:c:d", "process.selinuxLabel", "a:b:c:d"),
        ("--security-opt seccomp=builtin --security-opt landlock=on", "process.noNewPrivileges", True),
        ("--allow-unenforced cpu", "linux.resources.pids", {"limit": 256}),
        ("--device /dev/zero:r", "linux.devices", [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666}]),
        ("--device /dev/zero:/dev/other", "mounts:/dev/other",
         mount("bind", "/dev/other", "/dev/zero", "bind", "nosuid", "noexec", "dev", "noidmap")),
    ],
)  # fmt: skip
def test_what_a_flag_makes(harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, path: str, wanted: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert at(document(harden, "--name", "n", *words.split(), "--rootfs", "/", "p"), path) == wanted


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("--network host", ["network"]),
        ("--net=host", ["network"]),
        ("--uts host", ["uts"]),
        ("--ipc host", ["ipc"]),
        ("--cgroupns host", ["cgroup"]),
        ("--userns host", ["user"]),
        ("--userns host --pid host", ["pid", "user"]),
        ("--network none --pid private --ipc shareable --uts private --cgroupns private --userns auto", []),
    ],
)
def test_namespaces_of_this_machine(harden: Harden, words: str, gone: list[str]) -> None:
    found = kinds(document(harden, *words.split(), "host", "p"))
    assert sorted({"user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time"} - {*found}) == gone


def test_rules_for_devices(harden: Harden) -> None:
    found = document(harden, "--device=/dev/full:/dev/full:rw", "--device-cgroup-rule", "c 188:* rmw", "--rootfs=/", "p")
    assert found["linux"]["resources"]["devices"] == [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 1, "minor": 7, "access": "rw"},
        {"allow": True, "type": "c", "major": 188, "access": "rmw"},
    ]


def test_variables_and_labels_of_files(harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "here")
    monkeypatch.delenv("NOWHERE", raising=False)
    (tmp_path / "env").write_text("\ufeff# no\n  A=1 # kept\nGIVEN\nNOWHERE\nB=x=y\nGONE=1\n")
    found = document(harden, "--env-file", str(tmp_path / "env"), "-eA=2", "-e", "GONE", "--rootfs=/", "p")
    assert found["process"]["env"][-3:] == ["A=2", "GIVEN=here", "B=x=y"]
    (tmp_path / "bad").write_text("A B=1\n")
    result = harden("run", "--env-file", str(tmp_path / "bad"), "host", "p")
    assert (result.code, "'A B' is not the name of a variable" in result.err, "bad:1" in result.err) == (125, True, True)


# --- what is refused ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--memory 1k9", "'1k9' is not a size"),
        ("--memory=", "'' is not a size"),
        ("--memory-swap 1m", "memory and swap together are less than memory alone"),
        ("-m -1 --memory-swap 1g", "memory has no limit"),
        ("--memory-reservation 9g", "more memory is reserved than there may be"),
        ("--memory-swappiness 101", "'101' is not between 0 and 100"),
        ("--oom-kill-disable", "what is out of memory hangs"),
        ("--oom-score-adj 1001", "'1001' is not between -1000 and 1000"),
        ("--pids-limit 1.5", "'1.5' is not a whole number above 0"),
        ("--cpus nan", "'nan' is not a number above 0"),
        ("--cpus 1 --cpu-quota 5000", "--cpus sets quota and period"),
        ("--cpu-period 999", "'999' is not a period"),
        ("--cpu-quota 999", "'999' is not a quota"),
        ("--cpuset-cpus 3-1", "'3-1' is not a list of numbers"),
        ("--cpuset-mems x", "'x' is not a list of numbers"),
        ("--blkio-weight 5", "5 is not a weight"),
        ("--blkio-weight-device /dev/null:100", "/dev/null is not a block device"),
        ("--device-read-bps 1m", "'1m' limits no device"),
        ("--ulimit nofle=1", "did you mean 'nofile'?"),
        ("--ulimit nofile", "'nofile' is not a limit"),
        ("--ulimit nofile=2:1", "the soft limit is above the hard one"),
        ("--ulimit nofile=x", "'x' is not a limit"),
        ("--cap-add CHWON", "did you mean 'CHOWN'?"),
        ("--cap-drop FOO", "unknown capability 'FOO'"),
        ("--security-opt secomp=x", "did you mean 'seccomp'?"),
        ("--security-opt seccomp=/nowhere.json", "/nowhere.json"),
        ("--security-opt label=level", "'level' is not an SELinux label"),
        ("--security-opt label=type:t", "this is not a whole SELinux label"),
        ("--security-opt no-new-privileges=maybe", "'maybe' is neither true nor false"),
        ("--security-opt unmask=x", "these are not absolute paths"),
        ("--security-opt systempaths=confined", "unknown security option"),
        ("--userns keep-id", "'keep-id' is not a user namespace"),
        ("--userns host --uidmap 0:1:1", "--userns host has no ids of its own"),
        ("--uidmap 0:1", "'0:1' maps no ids"),
        ("--network bridge", "there is no network 'bridge' yet"),
        ("--network container:nobody", "nobody"),
        ("--pid host", "cannot be shown to a user namespace of the container's own"),
        ("--pid hots", "did you mean 'host'?"),
        ("--ipc container:x", "another container's shared memory cannot be shown yet"),
        ("--uts container:x", "'container:x' is no uts namespace"),
        ("--sysctl kernel.panic", "sets nothing"),
        ("--sysctl kernel.panic=1", "'kernel.panic' is a parameter of the whole machine"),
        ("--device /etc/passwd", "is not a device"),
        ("--device /dev/nowhere", "/dev/nowhere does not exist"),
        ("--device /dev/zero:/tmp/x", "is not a device"),
        ("--device-cgroup-rule x", "'x' is not a rule for devices"),
        ("-v /usr:/a -v /etc/../usr:/a", "two mounts on /a"),
        ("-v /usr:a", "the destination 'a' is not absolute"),
        ("-v /usr:/", "a mount on / would hide the root"),
        ("-v /nowhere:/a", "/nowhere does not exist"),
        ("-v x:/a", "'x' is not a name for a volume"),
        ("-v /usr:/a:rr", "unknown option 'rr'"),
        ("-v /usr::ro", "is not a volume"),
        ("-v /:/x", "hardener keeps the sockets of its own"),
        ("--tmpfs x", "the destination 'x' is not absolute"),
        ("--tmpfs /x:sise=1m", "did you mean 'size'?"),
        ("--tmpfs /x:size", "unknown option 'size'"),
        ("--mount type=bnd,dst=/a", "did you mean 'bind'?"),
        ("--mount type=bind,src=/usr", "a mount needs a destination"),
        ("--mount type=bind,dst=/a", "a bind mount needs a source"),
        ("--mount type=bind,src=usr,dst=/a", "the source 'usr' is not a path"),
        ("--mount type=bind,src=/usr,dst=/a,propagation=x", "unknown key 'propagation'"),
        ("--mount type=bind,src=/usr,dst=/a,bind-propagation=x", "unknown propagation 'x'"),
        ("--mount type=bind,src=/usr,source=/usr,dst=/a", "source is given twice"),
        ("--mount type=volume,src=data,dst=/a,volume-driver=nfs", "volume-driver is not there yet"),
        ("--mount type=tmpfs,src=/a,dst=/a", "a tmpfs has no source"),
        ("--mount type=image,src=/usr,dst=/a", "there is no image layout '/usr'"),
        ("--annotation dev.hardener.init=true", "is hardener's own"),
        ("--read-only --keep k", "contradict each other"),
        ("--restart always --rm -d", "--rm and --restart contradict each other"),
        ("--restart sometimes -d", "'sometimes' is no restart policy"),
        ("--stop-signal TERMM -d", "'TERMM' is not a signal"),
        ("--stop-signal FOO", "'FOO' is not a signal"),
        ("--detach-keys ctrl-p,foo", "'foo' is not a key"),
        ("--stop-timeout -2", "'-2' is not a number of seconds"),
        ("--platform linux/arm64", "qemu-aarch64"),
        ("--platform windows/amd64", "containers of windows do not run here"),
        ("--pull allways", "did you mean 'always'?"),
        ("--init=maybe", "'maybe' is neither true nor false"),
        ("--policy strct", "did you mean 'strict'?"),
        ("--policy nowhere.yaml", "nowhere.yaml"),
        ("--mount type=bind,src=/usr,dst=/a,bind-recursive=x", "bind-recursive cannot be 'x'"),
        ("--mount type=bind,src=/usr,dst=/a,ro=maybe", "'maybe' is neither true nor false"),
        ('--mount type=bind,"src=/usr,dst=/a', "does not end"),
        ('--mount type=bind,"src=/usr"x,dst=/a', "a quote in the middle"),
        ("--mount type=bind,,dst=/a", "an empty field"),
        ("--stop-signal RTMAX+1 -d", "'RTMAX+1' is not a signal"),
        ("--stop-timeout x", "'x' is not a whole number"),
        ("--memory 0.0", "'0.0' is no limit"),
        ("--memory 9999999999999g", "more than any machine has"),
        ("--security-opt apparmor=", "there is nothing behind the ="),
        ("--rootfs=", "there is no root filesystem"),
        ("--ulimit nofile=1:2:3", "'2:3' is not a limit"),
        ("--env-file /nowhere", "/nowhere cannot be read"),
        ("--label =x -d", "is not NAME=value"),
    ],
)
def test_what_a_flag_does_not_take(harden: Harden, words: str, message: str) -> None:
    result = harden("run", *words.split(), "host", "true")
    assert (result.code, result.out) == (125, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_every_flag_of_docker_is_known(harden: Harden) -> None:
    names, letters = docker.table("docker")
    known = {*run_flags.FLAGS, *run_flags.ALIASES, *run_flags.MISSING}
    assert {f"--{name}" for name in names} - known == set()
    assert {f"-{letter}" for letter in letters} - {*run_flags.SHORT, *run_flags.MISSING} == set()
    for letter, long in run_flags.SHORT.items():
        assert long == f"--{letters[letter[1:]].name}"
    for name in run_flags.MISSING:
        result = harden("run", name, "host", "x")
        assert (result.code, f"harden run has no {name}" in result.err, "fix: " in result.err) == (125, True, True)


def test_switches_are_those_of_docker() -> None:
    names, _ = docker.table("docker")
    ours = {name for name, flag in run_flags.FLAGS.items() if not flag.value and name[2:] in names}
    assert ours == {f"--{name}" for name, flag in names.items() if flag.boolean and f"--{name}" in run_flags.FLAGS}
    repeated = {name for name, flag in run_flags.FLAGS.items() if flag.repeated and name[2:] in names}
    many = {f"--{name}" for name, flag in names.items() if flag.many and f"--{name}" in run_flags.FLAGS}
    assert repeated == many - {"--network"}  # of which there is one yet


def test_the_help_lists_every_flag_and_every_difference(harden: Harden) -> None:
    code, out, err = harden("run", "--help")
    assert (code, err) == (0, "")
    body, _, differences = out.partition("differences from docker run")
    listed = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", body, re.MULTILINE)
    assert listed == [*run_flags.FLAGS]
    for name, flag in run_flags.FLAGS.items():
        assert flag.text in body
        if flag.differs:
            ours, docker = map(re.escape, flag.differs)
            assert re.search(rf"^  {name} +{ours} +docker: {docker}$", differences, re.MULTILINE)
    assert harden("run", "-h").out == out
    for policy, limits in (
        ("default", "memory 512MiB, 256 processes, 1 processor"),
        ("strict", "memory 256MiB, 64 processes, 0.5 processors"),
    ):
        assert f"  {policy}: {limits}, " in out


def test_paths_are_hidden_and_shown(harden: Harden, tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text("name: open\nwhy: tests\nextends: default\nruntime: {loosen: []}\n")
    found = document(harden, "--security-opt", "mask=/a:/proc/keys", "--rootfs", "/", "p")["linux"]["maskedPaths"]
    assert (found[-1], found.count("/proc/keys")) == ("/a", 1)
    file.write_text("name: open\nwhy: tests\nruntime: {pids: 5}\n")
    shown = document(harden, "--policy", str(file), "--security-opt", "unmask=/proc/keys:/proc/sys", "--rootfs", "/", "p")["linux"]
    assert {"/proc/keys", "/proc/sys"}.isdisjoint({*shown["maskedPaths"], *shown["readonlyPaths"]})
    everything = document(harden, "--policy", str(file), "--security-opt", "unmask=ALL", "--rootfs", "/", "p")["linux"]
    assert not everything.get("maskedPaths")


def test_a_profile_of_ones_own(harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}')
    found = document(harden, "--security-opt", "seccomp=./own.json", "--rootfs", "/", "p")["linux"]["seccomp"]
    assert found["defaultAction"] == "SCMP_ACT_ALLOW"
    (tmp_path / "own.json").write_text("{")
    assert harden("run", "--security-opt", "seccomp=./own.json", "host", "p").code == 125


def test_rates_of_a_disk(harden: Harden, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.stat_result((0o060600, *[0] * 9), {"st_rdev": os.makedev(8, 16)})
    real = os.stat
    monkeypatch.setattr("posix.stat", lambda path, **more: disk if path == "/dev/zero" else real(path, **more))
    flags = ["--device-read-bps", "/dev/zero:1m", "--device-write-iops", "/dev/zero:7", "--blkio-weight-device", "/dev/zero:100"]
    where = {"major": 8, "minor": 16}
    assert document(harden, *flags, "--rootfs", "/", "p")["linux"]["resources"]["blockIO"] == {
        "weightDevice": [{**where, "weight": 100}],
        "throttleReadBpsDevice": [{**where, "rate": 1 << 20}],
        "throttleWriteIOPSDevice": [{**where, "rate": 7}],
    }
    assert "5 is not a weight" in harden("run", "--blkio-weight-device", "/dev/zero:5", "host", "p").err


def test_labels_where_there_are_none(harden: Harden) -> None:
    if Path("/sys/fs/selinux/enforce").exists():
        pytest.skip("this machine has SELinux")
    assert at(document(harden, "-v", "/usr:/u:z", "--rootfs", "/", "p"), "mounts:/u")["options"] == ["rbind", "nosuid", "nodev", "rw"]


def test_a_user_whom_a_layer_has_removed(harden: Harden, tmp_path: Path) -> None:
    layout = Layout(_made(tmp_path / "image"))
    below = tar(folder("etc"), entry("etc/passwd", b"app:x:7:8::/:/bin/sh\n"))
    layout.add(layout.image(below, tar(folder("etc"), entry("etc/.wh.passwd")), config={"Cmd": ["p"]}))
    result = harden("run", "-u", "app", str(layout.path))
    assert (result.code, "no user 'app'" in result.err) == (125, True)


@pytest.mark.parametrize("kind", ["socket", "loop", "folder"])
def test_an_account_file_that_is_a_trap(harden: Harden, tmp_path: Path, kind: str) -> None:
    (tmp_path / "etc").mkdir()
    trap = tmp_path / "etc" / "passwd"
    if kind == "socket":
        os.mknod(trap, 0o140600)
    elif kind == "loop":
        trap.symlink_to("passwd")
    else:
        trap.mkdir()
    result = harden("run", "-u", "app", "--rootfs", str(tmp_path), "p")
    assert (result.code, result.out) == (125, "")
    assert "harden: error: /etc/passwd of the container " in result.err


# --- policies -------------------------------------------------------------------------------------------------------------------

OWN = "name: own\nwhy: ours\nruntime: {memory: 1GiB, user: '7:8', mounts: {options: [nosuid, nodev, noexec]}, loosen: [pids]}\n"


@pytest.mark.parametrize(
    ("policy", "words", "looser", "refused"),
    [
        ("default", "", [], []),
        ("default", "--cap-add NET_ADMIN", ["cap_add NET_ADMIN"], []),
        ("default", "--network host", ["network host"], []),
        ("default", "-m 1g --pids-limit 999 --cpus 64", ["memory 1GiB", "pids 999", "cpus 64"], []),
        ("default", "-m 5m --pids-limit 5 --cpus 0.1", [], []),
        ("default", "--memory-swap 1g", ["memory-swap 1GiB"], []),
        ("default", "--cpu-shares 2048", ["cpu-shares 2048"], []),
        ("default", "--ulimit core=5", ["ulimit core=5:5"], []),
        ("default", "--writable", ["a root file system that can be written to"], []),
        ("default", "--tmpfs /x:size=1g", ["tmpfs /x of 1GiB"], []),
        ("default", "--tmpfs /tmp:exec", ["tmpfs /tmp without noexec"], []),
        ("default", "--shm-size 1g", ["shm-size 1GiB"], []),
        ("default", "--security-opt seccomp=unconfined", ["seccomp unconfined"], []),
        ("default", "--security-opt ptrace", ["ptrace"], []),
        ("default", "--security-opt landlock=off", ["landlock off"], []),
        ("default", "--device /dev/zero", [], []),
        ("default", "--device-cgroup-rule c~188:*~r", ["device c 188:* r"], []),
        ("default", "--userns host", ["user host"], []),
        ("default", "--userns 0:0:10", ["user namespace with the host's root in it"], []),
        ("default", "-u 0", [], []),
        ("default", "--security-opt no-new-privileges=false", [], ["no-new-privileges off"]),
        ("default", "--security-opt systempaths=unconfined", [], ["/proc/acpi, /proc/asound, /proc/bus and", "can be written to"]),
        ("default", "--privileged", [], ["privileged; it wants not privileged"]),
        ("default", "-v /etc:/x", [], ["volume /etc; it wants another path: this one is denied"]),
        ("default", "-v /usr:/x:suid", [], ["volume /usr without nosuid"]),
        ("default", "-v /usr:/x:shared", [], ["/x shared"]),
        ("default", "-v data:/x", [], []),
        ("strict", "", [], []),
        ("strict", "-u 0", [], ["user root; it wants a user that is not root (user, "]),
        ("strict", "-u 5", [], []),
        ("strict", "--cap-add KILL --network host -u root", [], ["cap_add KILL", "network host", "user root"]),
        ("strict", "-v /usr:/x:ro -v data:/d", [], []),
        ("strict", "-v /usr:/x:exec", [], ["volume /usr without noexec"]),
        ("strict", "-m 1g", ["memory 1GiB"], []),
        ("strict", "--writable", [], ["a root file system that can be written to"]),
        ("own.yaml", "", [], []),
        ("own.yaml", "-m 1g", [], []),
        ("own.yaml", "-m 2g", [], ["memory 2GiB; it wants at most 1GiB (memory, "]),
        ("own.yaml", "-u 0", [], ["user 0:0; it wants user 7:8 (user, "]),
        ("own.yaml", "-v /usr:/x", [], []),
        ("own.yaml", "--cap-add KILL --pids-limit -1 --security-opt seccomp=unconfined", [], []),  # it says nothing of them
    ],
)
def test_what_a_policy_says(
    harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, words: str, looser: list[str], refused: list[str]
) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    given = [word.replace("~", " ") for word in words.split(" ") if word]
    result = harden("run", "--policy", policy, "--dry-run", *given, "host", "true")
    name = policy.removesuffix(".yaml")
    if refused:
        assert (result.code, result.out) == (125, "")
        assert f"the policy {name} does not allow this:" in result.err
        for part in refused:
            assert part in result.err
        return
    lines = [f"looser than policy {name}: {line}" for line in looser]
    assert (result.code, result.err.splitlines()) == (0, [f"harden: {line}" for line in lines])
    shown = result.out.partition("program:")[0].splitlines()
    assert shown == ["policy:", *(f"  {line}" for line in [policy, *lines])]


@pytest.mark.parametrize("policy", ["default", "strict"])
def test_what_asks_for_nothing_satisfies_its_policy(harden: Harden, policy: str) -> None:
    runtime = load(policy).runtime
    assert runtime is not None
    found = Spec.parse(document(harden, "--policy", policy, "--rootfs", "/", "p"))
    assert found.linux is not None
    assert found.linux.seccomp
    found.linux.seccomp = runtime.seccomp  # it is written out by then
    assert enforce.violations(runtime, found) == ()


def test_what_a_policy_leaves_open_is_as_closed_as_by_default(harden: Harden, tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("name: small\nwhy: less\nruntime: {pids: 9}\n")
    found = document(harden, "--policy", str(file), "--name", "n", "--rootfs", "/", "p")
    usual = document(harden, "--name", "n", "--rootfs", "/", "p")
    assert found["linux"]["resources"].pop("pids") == {"limit": 9}
    assert usual["linux"]["resources"].pop("pids") == {"limit": 256}
    assert found == usual


def test_a_policy_is_the_one_of_this_folder(harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, pids in (("one", 11), ("two", 12)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.yaml").write_text(f"name: own\nwhy: ours\nruntime: {{pids: {pids}}}\n")
        monkeypatch.chdir(tmp_path / name)
        assert document(harden, "--policy", "own.yaml", "--rootfs", "/", "p")["linux"]["resources"]["pids"] == {"limit": pids}


def test_a_privileged_container_where_the_policy_allows_it(harden: Harden, tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text("name: open\nwhy: tests\nruntime: {privileged: {allow: true}, read-only: true, capabilities: {drop: [ALL]}}\n")
    result = harden("run", "--policy", str(file), "--print-spec", "--privileged", "host", "p")
    assert result.code == 0
    made = json.loads(result.out)
    assert "CAP_SYS_ADMIN" in made["process"]["capabilities"]["bounding"]
    assert made["linux"].get("seccomp") is None
    dry = harden("run", "--policy", str(file), "--dry-run", "--privileged", "host", "p")
    assert dry.err.splitlines()[0] == "harden: looser than policy open: privileged"
    assert "harden: looser than policy open: cap_add SYS_ADMIN" in dry.err


def test_only_looking_makes_nothing(harden: Harden, tmp_path: Path) -> None:
    before = harden("run", "--dry-run", "-v", "data:/data", "-v", "/anonymous", "host", "true")
    assert before.code == 0
    assert not (tmp_path / "places" / "data").exists()


# --- images ---------------------------------------------------------------------------------------------------------------------

CONFIG = {
    "User": "app",
    "Env": ["PATH=/opt/bin", "MODE=image"],
    "Entrypoint": ["/entry"],
    "Cmd": ["one", "two"],
    "WorkingDir": "/srv/app",
    "Labels": {"a": "image", "dev.hardener.landlock": "off", "privileged": "true"},
    "StopSignal": "SIGINT",
    "Volumes": {"/data": {}},
}


def _image(path: Path, **config: Any) -> Path:
    layout = Layout(_made(path))
    passwd = entry("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:7:8::/home/app:/bin/sh\n")
    layer = tar(folder("etc"), passwd, entry("etc/group", b"more:x:9:app\n"))
    layout.add(layout.image(layer, config={**CONFIG, **config}))
    return path


def _made(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("options", "words", "path", "wanted"),
    [
        ("", "", "process.args", ["/entry", "one", "two"]),
        ("", "three", "process.args", ["/entry", "three"]),
        ("", "--flag three", "process.args", ["/entry", "--flag", "three"]),
        ("--entrypoint /x", "", "process.args", ["/x"]),
        ("--entrypoint /x", "y", "process.args", ["/x", "y"]),
        ("--entrypoint=", "y", "process.args", ["y"]),
        ("", "", "process.cwd", "/srv/app"),
        ("-w /w", "", "process.cwd", "/w"),
        ("", "", "process.user", {"uid": 7, "gid": 8, "additionalGids": [9]}),
        ("-u 0:5", "", "process.user", {"uid": 0, "gid": 5}),
        ("--name n", "", "process.env", ["PATH=/opt/bin", "HOME=/home/app", "HOSTNAME=n", "MODE=image"]),
        ("--name n -e MODE=mine", "", "process.env", ["PATH=/opt/bin", "HOME=/home/app", "HOSTNAME=n", "MODE=mine"]),
        ("", "", "annotations", None),
    ],
)
def test_what_an_image_says_of_its_start(harden: Harden, tmp_path: Path, options: str, words: str, path: str, wanted: Any) -> None:
    image = _image(tmp_path / "image")
    assert at(document(harden, *options.split(), str(image), *words.split()), path) == wanted


def test_the_volume_of_an_image_is_one_of_its_own(harden: Harden, tmp_path: Path) -> None:
    image = _image(tmp_path / "image")
    found = at(document(harden, str(image)), "mounts:/data")
    assert found["type"] == "bind"
    assert re.fullmatch(rf"{tmp_path}/places/data/volumes/[0-9a-f]{{64}}/_data", found["source"])
    assert at(document(harden, "--tmpfs", "/data", str(image)), "mounts:/data")["type"] == "tmpfs"


def test_the_user_of_an_image_is_held_to_the_policy(harden: Harden, tmp_path: Path) -> None:
    result = harden("run", "--policy", "strict", str(_image(tmp_path / "root", User="0")))
    assert (result.code, "user root; it wants a user that is not root" in result.err) == (125, True)
    assert document(harden, "--policy", "strict", str(_image(tmp_path / "app")))["process"]["user"]["uid"] == 7
    assert document(harden, "--policy", "strict", str(_image(tmp_path / "none", User="")))["process"]["user"]["uid"] == 65534


def test_an_image_on_a_folder(harden: Harden, tmp_path: Path) -> None:
    image = _image(tmp_path / "image")
    found = at(document(harden, "--mount", f"type=image,src={image},dst=/tools", "host", "p"), "mounts:/tools")
    assert (found["type"], "ro" in found["options"], found["options"][-1].startswith(f"lowerdir={tmp_path}")) == ("overlay", True, True)


def test_labels_are_labels(harden: Harden, tmp_path: Path) -> None:
    from hardener.cli import run
    from hardener.launch import jobs, specification
    from hardener.runtime.places import places

    (tmp_path / "labels").write_text("# no\nb=file\n")
    words = [
        "--label-file",
        str(tmp_path / "labels"),
        "-l",
        "a=mine",
        "--stop-timeout",
        "3",
        "--restart",
        "on-failure:2",
        str(_image(tmp_path / "i")),
    ]
    request = run.understand(*run_flags.parse(words), dict(os.environ))
    made = specification.draft(request, places(os.geteuid(), os.environ), lambda *_: "")
    job = jobs.of(request, made)
    assert job.labels == {"a": "mine", "b": "file", "dev.hardener.landlock": "off", "privileged": "true"}
    assert (job.stop_signal, job.stop_timeout_s, str(job.restart), job.policy) == (2, 3, "on-failure:2", "default")
    assert made.spec.annotations is None


# --- converters -----------------------------------------------------------------------------------------------------------------


def test_the_converter_knows_our_flags() -> None:
    names, letters = docker.table("docker")
    long = {f"-{letter}": f"--{flag.name}" for letter, flag in letters.items()}
    written = {long.get(flag, flag) for flag in run_line.HARDEN - {"", "-it"}}
    ours = {flag for flag in run_flags.FLAGS if flag[2:] in names and flag not in UNWRITTEN}
    assert written == ours


UNWRITTEN = ("--help", "--quiet", "--oom-kill-disable")
COMPOSE = """
services:
  web:
    image: IMAGE
    command: [--flag, "a b"]
    user: "5:6"
    group_add: ["7"]
    read_only: true
    init: true
    tty: true
    hostname: box
    domainname: home
    working_dir: /srv
    restart: on-failure:3
    stop_signal: SIGINT
    stop_grace_period: 5s
    cap_drop: [ALL]
    cap_add: [CHOWN]
    security_opt: [no-new-privileges:true, "seccomp=unconfined"]
    environment: {A: "1", B: "x y"}
    labels: {l: m}
    annotations: {an: no}
    networks: [front]
    ports: ["80:80"]
    volumes: ["/usr:/u:ro", "data:/data", {type: tmpfs, target: /scratch, tmpfs: {size: 1m}}]
    tmpfs: ["/x:size=1m"]
    devices: ["/dev/zero:/dev/zero:r"]
    device_cgroup_rules: ["c 1:3 r"]
    sysctls: {net.core.somaxconn: 99}
    ulimits: {nofile: {soft: 5, hard: 9}, nproc: 9}
    mem_limit: 64m
    memswap_limit: 128m
    mem_reservation: 32m
    cpus: 0.5
    cpu_shares: 99
    cpuset: "0"
    pids_limit: 20
    shm_size: 8m
    oom_score_adj: 50
    ipc: private
    uts: host
    cgroup: private
    userns_mode: host
    pull_policy: always
    healthcheck: {disable: true}
volumes: {data: {}}
networks: {front: {}}
"""


def test_what_the_converter_writes_is_understood(harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = _image(tmp_path / "image", Volumes={})
    (tmp_path / "compose.yaml").write_text(COMPOSE.replace("IMAGE", "image").replace("    hostname: box\n    domainname: home\n", ""))
    code, out, err = harden("convert", "--to", "harden", "compose.yaml")
    assert code == 0, err
    for lost in ("-p 80:80", "--network front", "--pull always"):
        assert f": {lost}: " in err
    words = shlex.split(out.replace("\\\n", " "))
    assert words[:2] == ["harden", "run"]
    # The name of an image is that of a registry; here it is the folder.
    words = [str(image) if word == "image" else word for word in words if word != "-d"]
    found = document(harden, *words[2:])
    assert found["process"]["args"] == ["/entry", "--flag", "a b"]
    assert found["process"]["user"] == {"uid": 5, "gid": 6, "additionalGids": [7]}
    assert found["linux"]["resources"]["memory"] == {"limit": 64 << 20, "reservation": 32 << 20, "swap": 128 << 20}
    assert found["process"]["capabilities"]["bounding"] == ["CAP_CHOWN"]
    assert {"/u", "/data", "/scratch", "/x"} <= {mount["destination"] for mount in found["mounts"]}
