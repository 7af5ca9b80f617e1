"""`runtime:` of policy files: what may be written, what two of them make together, and what is kept of them for a launch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import HardenError
from hardener.linux.filters import compile_filter
from hardener.linux.names import CAPABILITIES
from hardener.oci import json_text
from hardener.oci.runtime import VERSION, Spec
from hardener.policies import enforce, runtime_load, runtime_tighten, stored
from hardener.policies import runtime as model
from hardener.policies.load import load
from hardener.policies.runtime import RUNTIME_KEYS, Runtime, digest, over, size_text
from hardener.rules import capabilities

ROOT = Path(__file__).parents[2]
BASE_PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
    "syscalls": [
        {"names": ["read", "write", "ioctl"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
        {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 21522, "op": "SCMP_CMP_EQ"}]},
    ],
}
TIOCSTI: dict[str, Any] = BASE_PROFILE["syscalls"][2]


def write(folder: Path, text: str, name: str = "p.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def read(folder: Path, text: str) -> Runtime:
    found = load(write(folder, f"name: p\nruntime: {{{text}}}\n")).runtime
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("memroy: 1g", "unknown key 'memroy'", 11),
        ("user: root", "user is {not: root}, UID or UID:GID", 17),
        ("user: '4294967295'", "user is {not: root}", 17),
        ("user: {not: nobody}", "user.not cannot be 'nobody'", 23),
        ("user: {is: root}", "unknown key 'is'", 18),
        ("capabilities: [ALL]", "capabilities is a mapping", 25),
        ("capabilities: {add: [NET_ADMN]}", "unknown capability 'NET_ADMN'", 32),
        ("capabilities: {keep: []}", "unknown key 'keep'", 26),
        ("no-new-privileges: yes", "no-new-privileges is true or false", 30),
        ("tmpfs: [/tmp]", "tmpfs is a mapping", 18),
        ("tmpfs: {tmp: 1m}", "'tmp' is no path of a tmpfs", 19),
        ("tmpfs: {/tmp/: 1m}", "'/tmp/' is no path of a tmpfs", 19),
        ("tmpfs: {/tmp: lots}", "tmpfs./tmp is a size, and 'lots' is none", 25),
        ("tmpfs: {/tmp: {mode: rw}}", "tmpfs./tmp.mode is an octal number", 32),
        ("tmpfs: {/tmp: {options: [exec]}}", "tmpfs./tmp.options cannot be 'exec'", 36),
        ("network: private", "network cannot be 'private'", 20),
        ("namespaces: {usr: private}", "unknown key 'usr'", 24),
        ("namespaces: {user: host}", "namespaces.user cannot be 'host'", 30),
        ("memory: 5m", "memory is a size, and '5m' is none", 19),
        ("memory: -1", "memory is a size", 19),
        ("memory: [1g]", "memory is a text", 19),
        ("memory-swap: none", "memory-swap is none, and memory is not limited", 11),
        ("memory: 1g, memory-swap: 512m", "memory-swap is less than memory (1GiB)", 23),
        ("pids: 0", "pids is a whole number from 1", 17),
        ("pids: 1.5", "pids is a whole number", 17),
        ("cpus: 0", "cpus is a number of processors", 17),
        ("cpus: two", "cpus is a number of processors", 17),
        ("cpu-shares: 1", "cpu-shares is a whole number from 2", 23),
        ("io: {weight: 5}", "io.weight is a whole number from 10", 24),
        ("io: {wieght: 5}", "'wieght' is neither weight nor the numbers of a device", 16),
        ("io: {'8:0': {bps: 5}}", "unknown key 'bps'", 24),
        ("devices: [/dev/sda]", "/dev/sda has other numbers on other machines", 21),
        ("devices: [fuse]", "'fuse' is no device", 21),
        ("seccomp: nothing", "cannot read the profile 'nothing'", 20),
        ("seccomp: gone.json", "cannot read the profile 'gone.json'", 20),
        ("ptrace: true", "ptrace changes a profile of system calls", 11),
        ("apparmor: unconfined", "apparmor cannot be 'unconfined'", 21),
        ("selinux: ''", "selinux is a text", 20),
        ("proc: {subset: all}", "proc.subset cannot be 'all'", 26),
        ("proc: {hidepid: 2}", "proc.hidepid cannot be '2'", 27),
        ("sysctls: [net.x]", "sysctls is a mapping", 20),
        ("sysctls: {allow: ['*']}", "'*' is no sysctl", 29),
        ("ulimits: {nofiles: 1}", "unknown key 'nofiles'", 21),
        ("ulimits: {nofile: many}", "ulimits.nofile is a number, or SOFT:HARD", 29),
        ("ulimits: {nofile: '2:1'}", "ulimits.nofile is a number, or SOFT:HARD", 29),
        ("ulimits: {nofile: 'unlimited:1'}", "ulimits.nofile is a number, or SOFT:HARD", 29),
        ("masked-paths: [proc]", "masked-paths takes absolute paths, and 'proc' is none", 26),
        ("masked-paths: {a: b}", "masked-paths is a list", 25),
        ("readonly-paths: [/a/../b]", "readonly-paths takes absolute paths", 28),
        ("mounts: {source: /x}", "unknown key 'source'", 20),
        ("mounts: {deny: }", "mounts.deny is a list", 26),
        ("privileged: {allow: never}", "privileged.allow is true or false", 31),
        ("loosen: [memroy]", "'memroy' is no key of runtime", 20),
        ("loosen: [privileged]", "privileged is not loosened", 20),
    ],
)
def test_what_a_key_does_not_take_is_refused_with_its_place(tmp_path: Path, text: str, what: str, column: int) -> None:
    with pytest.raises(HardenError) as caught:
        read(tmp_path, text)
    assert what in caught.value.what
    assert caught.value.where == f"{tmp_path}/p.yaml:2:{column}"
    assert caught.value.how


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("memroy: 1g", "did you mean 'memory'?"),
        ("read_only: true", "did you mean 'read-only'?"),
        ("capabilities: {add: [NET_ADMN]}", "did you mean 'NET_ADMIN'?"),
        ("namespaces: {usr: private}", "did you mean 'user'?"),
        ("loosen: [memroy]", "did you mean 'memory'?"),
    ],
)
def test_what_was_meant_is_suggested(tmp_path: Path, text: str, how: str) -> None:
    with pytest.raises(HardenError) as caught:
        read(tmp_path, text)
    assert caught.value.how == how


@pytest.mark.parametrize(
    ("text", "dumped"),
    [
        ("user: {not: root}", {"user": "not-root"}),
        ("user: 0070", {"user": "70:70"}),
        ("user: 7:8", {"user": "7:8"}),
        ("capabilities: {drop: [all], add: [cap_chown]}", {"capabilities": {"given": ["CHOWN"]}}),
        ("memory: 512MiB, memory-swap: none", {"memory": 512 << 20, "memory-swap": 0}),
        ("memory: 1.5g", {"memory": 3 << 29}),
        ("memory: 536870912", {"memory": 512 << 20}),
        ("pids: 256, cpus: 1.5, cpu-shares: 512", {"pids": 256, "cpus": 1.5, "cpu-shares": 512}),
        ("tmpfs: {/a: 1m}", {"tmpfs": {"/a": {"size": 1 << 20, "options": ["nosuid", "nodev", "noexec"]}}}),
        ("tmpfs: {'*': {options: ro, mode: 700}}", {"tmpfs": {"*": {"options": ["ro"], "mode": "700"}}}),
        ("io: {weight: 10, '8:0': {read-bps: 1m}}", {"io": {"weight": 10, "devices": [{"device": "8:0", "readBps": 1 << 20}]}}),
        ("devices: []", {"devices": []}),
        ("devices: [/dev/fuse:rw]", {"devices": [{"type": "c", "major": 10, "minor": 229, "access": "rw", "path": "/dev/fuse"}]}),
        ("devices: [/dev/mine b 8:* r]", {"devices": [{"type": "b", "major": 8, "access": "r", "path": "/dev/mine"}]}),
        ("devices: [c 1:1]", {"devices": [{"type": "c", "major": 1, "minor": 1, "access": "rwm"}]}),
        ("proc: {subset: pid, hidepid: invisible}", {"proc": {"subset": "pid", "hidepid": "invisible"}}),
        ("sysctls: {allow: [net.*], set: {net.a: 0}}", {"sysctls": {"allow": ["net.*"], "set": {"net.a": "0"}}}),
        ("ulimits: {core: 0, nofile: 1:2, as: unlimited}", None),
        ("mounts: {allow: [], deny: /etc/, options: nodev}", {"mounts": {"restricted": True, "deny": ["/etc"], "options": ["nodev"]}}),
        ("privileged: {allow: false}", {"privileged": False}),
        ("privileged: true", {"privileged": True}),
        ("init: true, landlock: false", {"init": True, "landlock": False}),
        ("network: none, namespaces: {pid: private}", {"network": "none", "namespaces": {"pid": "private"}}),
        ("loosen: [memory, namespaces.pid]", {"loosen": ["memory", "namespaces.pid"]}),
    ],
)
def test_values_are_read(tmp_path: Path, text: str, dumped: dict[str, Any] | None) -> None:
    found = read(tmp_path, text)
    kept = {key: value for key, value in found.dump().items() if key not in ("name", "places")}
    if dumped is not None:
        assert kept == dumped
    else:
        rows = {"core": {"soft": 0, "hard": 0}, "nofile": {"soft": 1, "hard": 2}, "as": {"soft": -1, "hard": -1}}
        assert kept == {"ulimits": rows}


def test_capabilities_start_from_those_of_docker(tmp_path: Path) -> None:
    found = read(tmp_path, "capabilities: {drop: [NET_RAW], allow: [ALL]}").capabilities
    assert found is not None
    assert set(found.given) == set(model.DOCKER_DEFAULT) - {"NET_RAW"}
    assert found.ceiling == set(CAPABILITIES)
    assert set(model.DOCKER_DEFAULT) == capabilities.DOCKER_DEFAULT


def test_every_key_stands_somewhere(tmp_path: Path) -> None:
    found = read(tmp_path, "memory: 1g, tmpfs: {/tmp: {size: 1m}}, namespaces: {pid: private}")
    path = f"{tmp_path}/p.yaml"
    assert found.where("tmpfs./tmp.size") == f"{path}:2:38"
    assert found.where("tmpfs./other") == f"{path}:2:23"
    assert found.where("namespaces.pid") == f"{path}:2:63"
    assert found.where("pids") == ""


def test_every_key_is_read_and_combined() -> None:
    assert set(runtime_load._READERS) == set(RUNTIME_KEYS)
    assert {*runtime_tighten._COMBINE, "loosen"} == set(RUNTIME_KEYS)


# --- a policy that extends another ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "own", "key"),
    [
        ("user: {not: root}", "user: '0'", "user"),
        ("user: '1'", "user: '2'", "user"),
        ("user: '0'", "user: {not: root}", "user"),
        ("capabilities: {drop: [ALL]}", "capabilities: {drop: [ALL], allow: [CHOWN]}", "capabilities"),
        ("read-only: true", "read-only: false", "read-only"),
        ("landlock: true", "landlock: false", "landlock"),
        ("network: none", "network: bridge", "network"),
        ("namespaces: {pid: private}", "namespaces: {pid: host-allowed}", "namespaces.pid"),
        ("memory: 512m", "memory: 1g", "memory"),
        ("memory: 8m, memory-swap: none", "memory: 8m, memory-swap: 8m", "memory-swap"),
        ("memory-swap: 8m", "memory-swap: 9m", "memory-swap"),
        ("pids: 5", "pids: 6", "pids"),
        ("cpus: 1", "cpus: 1.5", "cpus"),
        ("io: {weight: 10}", "io: {weight: 20}", "io.weight"),
        ("io: {'8:0': {read-bps: 5}}", "io: {'8:0': {read-bps: 6}}", "io.8:0.read-bps"),
        ("tmpfs: {/tmp: 1m}", "tmpfs: {/tmp: 2m}", "tmpfs./tmp.size"),
        ("tmpfs: {'*': 1m}", "tmpfs: {/tmp: 2m}", "tmpfs./tmp.size"),
        ("devices: []", "devices: [/dev/fuse]", "devices"),
        ("devices: [/dev/fuse:r]", "devices: [/dev/fuse]", "devices"),
        ("apparmor: a", "apparmor: b", "apparmor"),
        ("proc: {hidepid: invisible}", "proc: {hidepid: noaccess}", "proc.hidepid"),
        ("sysctls: {allow: [net.ipv4.*]}", "sysctls: {allow: [net.*]}", "sysctls.allow"),
        ("sysctls: {set: {net.x: 1}}", "sysctls: {set: {net.x: 2}}", "sysctls.set.net.x"),
        ("ulimits: {core: 0}", "ulimits: {core: 1}", "ulimits.core"),
        ("ulimits: {core: 0}", "ulimits: {core: unlimited}", "ulimits.core"),
        ("shm-size: 1m", "shm-size: 2m", "shm-size"),
        ("mounts: {allow: [/srv]}", "mounts: {allow: [/srv/a, /etc]}", "mounts.allow"),
        ("privileged: false", "privileged: true", "privileged"),
        ("seccomp: base.json", "seccomp: open.json", "seccomp"),
        ("seccomp: base.json", "seccomp: base.json, ptrace: true", "ptrace"),
    ],
)
def test_a_policy_cannot_loosen_what_it_extends(tmp_path: Path, base: str, own: str, key: str) -> None:
    write(tmp_path, json.dumps(BASE_PROFILE), "base.json")
    write(tmp_path, json.dumps({"defaultAction": "SCMP_ACT_ALLOW"}), "open.json")
    lower = write(tmp_path, f"name: base\nruntime: {{{base}}}\n", "base.yaml")
    path = write(tmp_path, f"name: own\nextends: base.yaml\nruntime: {{{own}}}\n")
    with pytest.raises(HardenError, match="asks for less than the policy base does") as caught:
        load(path)
    assert caught.value.what.startswith(f"{key} asks for less")
    assert caught.value.where.startswith(f"{path}:3:")
    assert lower in caught.value.what


@pytest.mark.parametrize(
    ("base", "own", "text"),
    [
        ("user: {not: root}", "user: '5'", "user: '5'"),
        ("user: '5'", "user: {not: root}", "user: '5'"),
        ("memory: 1g", "pids: 5", "memory: 1g, pids: 5"),
        ("memory: 1g", "memory: 512m", "memory: 512m"),
        ("memory: 8m, memory-swap: 9m", "memory-swap: none", "memory: 8m, memory-swap: none"),
        ("capabilities: {drop: []}", "capabilities: {drop: [ALL]}", "capabilities: {drop: [ALL]}"),
        ("network: host", "network: none", "network: none"),
        ("namespaces: {pid: host-allowed}", "namespaces: {pid: private, ipc: private}", "namespaces: {pid: private, ipc: private}"),
        ("tmpfs: {'*': 1m}", "tmpfs: {/tmp: {mode: 700}}", None),
        ("masked-paths: [/a]", "masked-paths: [/b, /a]", "masked-paths: [/a, /b]"),
        ("devices: [/dev/fuse]", "devices: []", "devices: []"),
        ("io: {weight: 20, '8:0': {read-bps: 5}}", "io: {'8:0': {write-bps: 6}, '8:1': {read-bps: 9}}", None),
        ("proc: {subset: pid}", "proc: {hidepid: invisible}", "proc: {subset: pid, hidepid: invisible}"),
        ("ulimits: {core: 0}", "ulimits: {nofile: 5}", "ulimits: {core: 0, nofile: 5}"),
        ("sysctls: {allow: [net.*]}", "sysctls: {allow: [net.x], set: {net.y: 1}}", "sysctls: {allow: [net.x], set: {net.y: 1}}"),
        ("mounts: {deny: [/a]}", "mounts: {allow: [/b], options: [ro]}", "mounts: {allow: [/b], deny: [/a], options: [ro]}"),
        ("mounts: {allow: [/a]}", "mounts: {deny: [/b]}", "mounts: {allow: [/a], deny: [/b]}"),
        ("privileged: true", "privileged: false", "privileged: false"),
        ("init: false", "init: true", "init: true"),
        ("loosen: [memory]", "pids: 5", "pids: 5, loosen: [memory]"),
        ("memory: 8m, loosen: [memory]", "loosen: []", "memory: 8m"),
        ("memory: 8m, loosen: [memory]", "pids: 5, loosen: [memory, pids]", "memory: 8m, pids: 5, loosen: [memory, pids]"),
        ("namespaces: {pid: private}, loosen: [namespaces]", "loosen: [namespaces.pid]", None),
    ],
)
def test_a_policy_adds_to_what_it_extends(tmp_path: Path, base: str, own: str, text: str | None) -> None:
    write(tmp_path, f"name: base\nruntime: {{{base}}}\n", "base.yaml")
    found = load(write(tmp_path, f"name: own\nextends: base.yaml\nruntime: {{{own}}}\n", "own.yaml"))
    assert found.runtime is not None
    assert found.files == (str(tmp_path / "own.yaml"), str(tmp_path / "base.yaml"))
    if text is not None:
        assert digest(found.runtime) == digest(read(tmp_path, text))
    assert found.runtime.name == "own"


def test_what_both_say_of_one_device_and_one_tmpfs_adds_up(tmp_path: Path) -> None:
    write(tmp_path, "name: base\nruntime: {io: {weight: 20, '8:0': {read-bps: 5}}, tmpfs: {'*': 1m}}\n", "base.yaml")
    path = write(tmp_path, "name: own\nextends: base.yaml\nruntime: {io: {'8:0': {write-bps: 6}}, tmpfs: {/tmp: {mode: 700}}}\n")
    found = load(path).runtime
    assert found is not None
    assert found.dump()["io"] == {"weight": 20, "devices": [{"device": "8:0", "readBps": 5, "writeBps": 6}]}
    assert found.dump()["tmpfs"] == {
        "*": {"size": 1 << 20, "options": ["nosuid", "nodev", "noexec"]},
        "/tmp": {"size": 1 << 20, "mode": "700", "options": ["nosuid", "nodev", "noexec"]},
    }


def test_a_policy_without_runtime_keeps_that_of_the_one_it_extends(tmp_path: Path) -> None:
    assert load(write(tmp_path, "name: own\nextends: strict\n")).runtime == load("strict").runtime
    assert load("cis-docker-1.6").runtime is None


def test_no_key_may_be_loosened_that_the_base_holds(tmp_path: Path) -> None:
    write(tmp_path, "name: base\nruntime: {memory: 8m, namespaces: {pid: private}, loosen: [namespaces.pid]}\n", "base.yaml")
    for word in ("memory", "namespaces", "namespaces.ipc"):
        path = write(tmp_path, f"name: own\nextends: base.yaml\nruntime: {{loosen: [{word}]}}\n")
        with pytest.raises(HardenError, match=f"loosen names {word}") as caught:
            load(path)
        assert caught.value.where == f"{path}:3:11"


def rules(*extra: dict[str, Any], without: int = 0) -> dict[str, Any]:
    return {**BASE_PROFILE, "syscalls": [*BASE_PROFILE["syscalls"][: 3 - without], *extra]}


READ = {"names": ["read"], "action": "SCMP_ACT_ALLOW"}


@pytest.mark.parametrize(
    ("own", "holds"),
    [
        (BASE_PROFILE, True),
        ({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [READ]}, True),
        ({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{**READ, "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}, True),
        ({"defaultAction": "SCMP_ACT_KILL", "syscalls": [{"name": "read", "action": "SCMP_ACT_LOG"}]}, True),
        (rules({"names": ["write"], "action": "SCMP_ACT_ERRNO"}), True),
        (rules({"names": ["mount"], "action": "SCMP_ACT_ALLOW"}), False),
        (rules({"names": ["socket"], "action": "SCMP_ACT_ALLOW"}), False),  # whatever the family
        (rules(without=1), False),  # TIOCSTI is let through
        (rules({"names": ["ioctl"], "action": "SCMP_ACT_ERRNO"}, without=1), True),  # no ioctl at all
        ({"defaultAction": "SCMP_ACT_ALLOW"}, False),
        ({**BASE_PROFILE, "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X32"]}]}, False),
        ({**BASE_PROFILE, "archMap": [], "architectures": ["SCMP_ARCH_X86"]}, False),
        (None, False),
    ],
)
def test_a_profile_lets_no_more_through(own: object, holds: bool) -> None:
    assert runtime_tighten.is_no_looser(own, BASE_PROFILE) is holds


def test_a_profile_that_lets_all_through_can_only_be_tightened() -> None:
    base = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [TIOCSTI]}
    assert runtime_tighten.is_no_looser({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [READ]}, base)
    assert not runtime_tighten.is_no_looser({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{**READ, "names": ["ioctl"]}]}, base)


def test_a_profile_that_is_none_is_refused_where_it_is_wrong(tmp_path: Path) -> None:
    write(tmp_path, '{"defaultAction": "SCMP_ACT_ALLOW", "sysalls": []}', "bad.json")
    with pytest.raises(HardenError, match="unknown key 'sysalls'") as caught:
        read(tmp_path, "seccomp: bad.json")
    assert caught.value.where == f"{tmp_path}/bad.json"


def test_a_gate_that_holds_services_to_runtime_needs_one(tmp_path: Path) -> None:
    for text, column in (("{runtime: true}", 8), ("{environments: {live: {runtime: true}}}", 30)):
        path = write(tmp_path, f"name: p\ngate: {text}\n")
        with pytest.raises(HardenError, match="there is no `runtime:`") as caught:
            load(path)
        assert caught.value.where == f"{path}:2:{column}"


# --- what a launch reads ------------------------------------------------------------------------------------------------------


def test_what_is_stored_comes_back_until_a_file_changes(tmp_path: Path) -> None:
    write(tmp_path, json.dumps(BASE_PROFILE), "base.json")
    base = write(tmp_path, "name: base\nruntime: {seccomp: base.json, cpus: 1.5}\n", "base.yaml")
    policy = load(write(tmp_path, "name: own\nextends: base.yaml\nruntime: {memory: 1g}\n"))
    assert policy.files == (str(tmp_path / "p.yaml"), base, str(tmp_path / "base.json"))
    text = stored.store(policy, Spec(oci_version=VERSION))
    assert restored(text) == policy.runtime
    for name in ("base.json", "base.yaml", "p.yaml"):
        path = tmp_path / name
        content = path.read_text()
        path.write_text(content + " ")
        assert stored.restore(text) is None
        path.write_text(content)
        assert restored(text) == policy.runtime
    (tmp_path / "p.yaml").unlink()
    assert stored.restore(text) is None


def restored(text: str) -> Runtime | None:
    kept = stored.restore(text)
    return kept.runtime() if kept is not None else None


@pytest.mark.parametrize("ptrace", ["", ", ptrace: true"])
def test_what_a_policy_makes_of_nothing_is_stored_with_it(tmp_path: Path, ptrace: str) -> None:
    write(tmp_path, json.dumps(BASE_PROFILE), "base.json")
    policy = load(write(tmp_path, f"name: own\nruntime: {{seccomp: base.json, cpus: 1.5{ptrace}}}\n"))
    kept = stored.restore(stored.store(policy, Spec(oci_version=VERSION)))
    assert policy.runtime is not None
    assert kept is not None
    assert kept.runtime() == policy.runtime
    spec = kept.settled()
    assert spec.linux is not None
    assert spec.linux.seccomp == stored.APART
    spec.linux.seccomp = json.loads(kept.profile)
    # What it leaves open is as the default policy has it: nobody has asked for anything.
    assert spec == enforce.apply(over(policy.runtime, load("default").runtime), Spec(oci_version="1.2.0"))
    assert spec.linux.resources is not None
    assert spec.linux.resources.cpu is not None
    assert spec.linux.resources.cpu.quota == 150_000
    assert spec.linux.resources.pids is not None
    assert spec.linux.resources.pids.limit == 256


def test_a_profile_kept_apart_is_no_filter() -> None:
    with pytest.raises(HardenError, match="unknown seccomp action 'kept apart'"):
        compile_filter(stored.APART, "x86_64")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 2, "files": {}, "runtime": []}', '{"version": 0} x'])
def test_what_was_not_stored_is_nothing(text: str) -> None:
    assert stored.restore(text) is None


def test_a_policy_without_runtime_is_not_stored() -> None:
    with pytest.raises(HardenError, match="says nothing of containers that run"):
        stored.store(load("cis-docker-1.6"), Spec(oci_version=VERSION))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    )
)
def test_json_is_read_as_the_standard_library_reads_it(value: object) -> None:
    text = json.dumps(value)
    assert json_text.scan(text) == json.loads(text)


def test_the_digest_is_of_what_is_asked_for(tmp_path: Path) -> None:
    plain = digest(read(tmp_path, "memory: 1g, pids: 5"))
    assert plain == digest(read(tmp_path, "pids: 5,  memory: 1024m"))
    assert plain != digest(read(tmp_path, "pids: 6, memory: 1g"))
    assert len(plain) == 64


@pytest.mark.parametrize(("size", "text"), [(1, "1"), (1023, "1023"), (1 << 10, "1KiB"), (3 << 29, "1536MiB"), (1 << 40, "1TiB")])
def test_sizes_are_written_as_people_do(size: int, text: str) -> None:
    assert size_text(size) == text


def test_what_a_launch_imports_is_cheap() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import hardener.policies.stored, hardener.policies.enforce; "
        "print(*sorted({'typing', 're', 'json', 'enum', 'yaml', 'hashlib', 'collections', 'dataclasses'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
