"""What the walls promise, checked from inside them."""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from launching import config, launch, probe

from hardener.linux import calls, consts
from hardener.linux.binding import attempt
from hardener.oci.runtime import Spec
from hardener.runtime import privileges
from hardener.runtime.job import Rootfs

OWN = 1 << 12 | 1 << 24  # what the Python of the probe itself ignores: SIGPIPE, SIGXFSZ
FILTER = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}


@pytest.fixture
def seen(root: Path, folder: Path) -> Any:
    return probe(config(root, linux__seccomp=FILTER), folder)


def test_the_walls_are_up(seen: Any) -> None:
    ours = {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")}
    assert seen["caps"] == [0] * 5
    assert seen["no_new_privs"] == "1"
    assert seen["seccomp"] == "2"
    assert seen["namespaces"].keys() == ours.keys()
    assert {name for name in ours if seen["namespaces"][name] == ours[name]} == set()
    assert seen["uid_map"] == seen["gid_map"] == ["0", "100000", "65536"]
    assert seen["ids"] == [[0, 0, 0], [0, 0, 0], []]
    assert (seen["pid"], seen["session"], seen["processes"]) == (1, 1, [1])
    assert (seen["umask"], seen["blocked"], seen["ignored"]) == ("0022", 0, OWN)
    assert seen["securebits"] == 0b11101111  # nothing that root or a change of ids would bring back, and all locked
    assert seen["keyring"] != ctypes.CDLL(None).syscall({"x86_64": 250}.get(os.uname().machine, 219), 0, -3, 0)
    assert seen["hostname"] == "inside"
    assert seen["interfaces"] == ["lo"]
    assert seen["loopback"] == "done"
    # the filesystem
    assert seen["above"]
    assert seen["descriptors"].keys() - {"3"} == {"0", "1", "2"}
    assert {"ro", "nosuid", "nodev"} <= set(seen["mounts"]["/"][0])
    assert not [point for point in seen["mounts"] if point.startswith(("/sys/fs/cgroup", "/work", "/home"))]
    assert {"null": "c", "zero": "c", "full": "c", "random": "c", "urandom": "c", "tty": "c"}.items() <= seen["dev"].items()
    assert {"fd": "l", "stdin": "l", "stdout": "l", "stderr": "l", "ptmx": "l"}.items() <= seen["dev"].items()
    assert seen["owner"] == (0 if "idmapped" in seen["mounts"]["/usr"][0] else 65534)  # some filesystems cannot
    assert set(seen["masked"].values()) <= {""}
    assert seen["firmware"] == []
    refused = {path: answer for path, answer in seen["write"].items() if answer != "done"}
    assert refused.keys() == seen["write"].keys() - {"/tmp/planted", "/dev/shm/planted", "/proc/self/oom_score_adj"}
    assert seen["null"] == "done"
    assert {name for name, answer in seen["try"].items() if answer == "done"} == set()


def test_an_ordinary_user_inside(root: Path, folder: Path) -> None:
    user = {"uid": 1000, "gid": 1001, "additionalGids": [7, 8], "umask": 0o077}
    seen = probe(config(root, process__user=user), folder)
    assert seen["ids"] == [[1000] * 3, [1001] * 3, [7, 8]]
    assert seen["caps"] == [0] * 5
    assert seen["umask"] == "0077"


def test_capabilities_that_are_granted(root: Path, folder: Path) -> None:
    granted = ["CAP_NET_BIND_SERVICE", "CAP_CHOWN"]
    sets = dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), granted)
    seen = probe(config(root, process__capabilities=sets, process__user={"uid": 5, "gid": 5}), folder)
    assert seen["caps"] == [1 << 10 | 1] * 5
    assert seen["securebits"] == 0


def test_what_the_launcher_ignores_and_holds_back_is_not_handed_on(root: Path, folder: Path) -> None:
    def before() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup(1) does
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        ignored = (1).to_bytes(8, sys.byteorder) + bytes(24)
        assert attempt(consts.SYSCALLS["rt_sigaction"], 32, ignored, 0, 8) == 0  # which the C library lets nobody do

    seen = probe(config(root), folder, before=before)
    assert (seen["ignored"], seen["blocked"]) == (OWN, 0)


def test_nobody_may_trace_it_until_the_program_runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # fs.suid_dumpable can make a process dumpable again whenever its ids change.
    monkeypatch.setattr("hardener.runtime.privileges._set_groups", lambda _: calls.prctl(consts.PR_SET_DUMPABLE, 1))
    monkeypatch.setattr("posix.setresuid", lambda *_: None)
    monkeypatch.setattr("posix.setresgid", lambda *_: None)
    monkeypatch.setattr("hardener.linux.calls.capset", lambda *_: None)
    plan = privileges.plan(Spec.parse(config(root, "true")))

    def child() -> int:
        privileges.apply(plan, parent_gone=True)
        return calls.prctl(consts.PR_GET_DUMPABLE)

    assert forked(child) == 0


def test_this_machines_network(root: Path, folder: Path) -> None:
    kinds = [{"type": kind} for kind in ("user", "mount", "pid", "ipc", "uts", "cgroup")]
    seen = probe(config(root, linux__namespaces=kinds), folder)
    assert seen["namespaces"]["net"] == os.readlink("/proc/self/ns/net")
    assert "ro" in seen["mounts"]["/sys"][0]


def test_without_a_user_namespace(root: Path, folder: Path) -> None:
    kinds = [{"type": kind} for kind in ("mount", "pid", "network", "ipc", "uts")]
    changes = {"linux__namespaces": kinds, "linux__uidMappings": None, "linux__gidMappings": None}
    seen = probe(config(root, linux__resources__devices=[{"allow": False, "access": "rwm"}], **changes), folder)
    assert seen["uid_map"] == ["0", "0", "4294967295"]
    assert seen["caps"] == [0] * 5
    assert {"null": "c", "zero": "c", "full": "c", "random": "c", "urandom": "c", "tty": "c"}.items() <= seen["dev"].items()
    assert seen["write"]["/proc/sys/kernel/core_pattern"] == "EROFS"
    assert os.stat("/dev/null").st_mode & 0o777 == 0o666


def test_a_writable_root_in_memory(root: Path, folder: Path) -> None:
    seen = probe(config(root, root__readonly=False), folder, rootfs=Rootfs(upper="1m"))
    assert seen["write"]["/planted"] == "done"
    assert os.listdir(root) == []


def test_a_writable_root(root: Path, folder: Path) -> None:
    seen = probe(config(root, root__readonly=False), folder)
    assert seen["write"]["/planted"] == "done"
    assert (root / "planted").stat().st_uid == 0  # id-mapped: not chowned


def test_cgroups_are_shown_read_only(root: Path, folder: Path) -> None:
    mounts = [*config(root)["mounts"], {"destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["ro", "nosuid"]}]
    result = launch(
        config(root, "/bin/sh", "-c", "cat /sys/fs/cgroup/pids/pids.max; echo 9 >/sys/fs/cgroup/pids/pids.max", mounts=mounts), folder
    )
    unified = not os.path.isdir("/sys/fs/cgroup/pids")
    assert unified or result.out == "64\n"
    assert result.code != 0


def test_a_named_parameter_of_a_namespace(root: Path, folder: Path) -> None:
    values = {"net.ipv4.ip_unprivileged_port_start": "80", "kernel.shm_rmid_forced": "1"}
    paths = [f"/proc/sys/{name.replace('.', '/')}" for name in values]
    assert launch(config(root, "cat", *paths, linux__sysctl=values), folder).out == "80\n1\n"


@pytest.mark.parametrize("words", [["subset=pid"], ["subset=pid", "hidepid=invisible"], ["hidepid=2"]])
def test_a_smaller_proc(root: Path, folder: Path, words: list[str]) -> None:
    script = "cat /proc/self/comm /proc/thread-self/comm; ls /proc | grep -v '^[0-9]' | tr '\\n' ' '; "
    script += "grep -c ' - proc proc .*'$0 /proc/self/mountinfo"
    document = config(root, "/bin/sh", "-c", script, words[-1])
    document["mounts"][0]["options"] = words
    result = launch(document, folder)
    assert result.out.startswith("cat\ncat\n")
    assert int(result.out.split()[-1]) > 0 or words == ["hidepid=2"]  # which the kernel calls invisible
    if "subset=pid" in words:
        assert result.out.split()[2:-1] == ["self", "thread-self"]


def test_a_device_is_used_and_not_changed(root: Path, folder: Path) -> None:
    # Root inside is its owner here, as it can be when another engine has given a device to the ids that are ours, too.
    maps = [{"containerID": 0, "hostID": 0, "size": 65536}]
    script = "echo x >/dev/full; chmod 600 /dev/full; chown 7 /dev/full; touch /dev/full; echo x >/dev/null && head -c 1 /dev/zero | wc -c"
    try:
        result = launch(config(root, "/bin/sh", "-c", script, linux__uidMappings=maps, linux__gidMappings=maps), folder)
        found = os.stat("/dev/full")
    finally:
        os.chown("/dev/full", 0, 0)
        os.chmod("/dev/full", 0o666)
    assert (found.st_mode & 0o777, found.st_uid) == (0o666, 0)
    assert result.out == "1\n"
    assert result.err.count("Read-only file system") == 3
    assert "I/O error" in result.err
