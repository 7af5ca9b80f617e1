"""Policies over specifications: what is looser, and that `apply` leaves nothing that is."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.launch import cache
from hardener.linux.names import CAPABILITIES
from hardener.oci.runtime import Spec
from hardener.policies import runtime as model
from hardener.policies import seccomp
from hardener.policies.enforce import WALLS, Violation, apply, is_privileged, refused, violations
from hardener.policies.load import load
from hardener.policies.runtime import RUNTIME_KEYS, Runtime, with_ptrace

PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [{"names": ["read", "ptrace"], "action": "SCMP_ACT_ALLOW"}, {"names": ["kcmp"], "action": "SCMP_ACT_ERRNO"}],
}
OTHER: dict[str, Any] = {"defaultAction": "SCMP_ACT_ALLOW"}
NAMES = ["user", "pid", "ipc", "uts", "cgroup", "time", "mount", "network"]


def spec(**parts: Any) -> Spec:
    """Return a specification: keys of `linux` and `process` by themselves, others as they are."""
    document: dict[str, Any] = {"ociVersion": "1.2.0", "process": {"cwd": "/"}, "root": {"path": "r"}, "linux": {"resources": {}}}
    process = ("user", "capabilities", "rlimits", "noNewPrivileges", "apparmorProfile", "selinuxLabel")
    resources = ("memory", "pids", "cpu", "devices", "blockIO", "unified")
    for name, value in parts.items():
        if name in process:
            document["process"][name] = value
        elif name in resources:
            document["linux"]["resources"][name] = value
        elif name in ("mounts", "root", "annotations"):
            document[name] = value
        elif name == "nodes":
            document["linux"]["devices"] = value
        else:
            document["linux"][name] = value
    return Spec.parse(document)


def policy(folder: Path, text: str) -> Runtime:
    (folder / "profile.json").write_text(json.dumps(PROFILE), encoding="utf-8")
    path = folder / "p.yaml"
    path.write_text(f"name: p\nruntime: {{{text}}}\n", encoding="utf-8")
    found = load(str(path)).runtime
    assert found is not None
    return found


MEMORY = {"limit": 512 << 20, "swap": 512 << 20}
TMP = {"destination": "/tmp", "type": "tmpfs"}
BIND = {"destination": "/x", "type": "bind", "source": "/srv/x", "options": ["rbind", "nosuid", "nodev"]}
SMALL = "tmpfs: {/tmp: 64MiB}"


@pytest.mark.parametrize(
    ("text", "parts", "says"),
    [
        # each key: what satisfies it, then what is looser
        ("user: {not: root}", {"user": {"uid": 1000}}, []),
        ("user: {not: root}", {"user": {"uid": 0}}, ["user root"]),
        ("user: {not: root}", {}, ["user root"]),
        ("user: {not: root}", {"user": {"uid": 1, "username": "web"}}, ["user web, whose id the container decides"]),
        ("user: 1000", {"user": {"uid": 1000, "gid": 1000}}, []),
        ("user: 1000:5", {"user": {"uid": 1000}}, ["user 1000:0"]),
        ("capabilities: {drop: [ALL]}", {"capabilities": {}}, []),
        ("capabilities: {drop: [ALL]}", {}, ["capabilities are left open"]),
        ("capabilities: {drop: [ALL]}", {"capabilities": {"bounding": ["CAP_NET_ADMIN"]}}, ["cap_add NET_ADMIN"]),
        ("capabilities: {drop: [ALL]}", {"capabilities": {"ambient": ["CAP_CHOWN", "CAP_BPF"]}}, ["cap_add CHOWN", "cap_add BPF"]),
        ("capabilities: {drop: [ALL], allow: [chown]}", {"capabilities": {"ambient": ["CAP_CHOWN"]}}, []),
        ("capabilities: {}", {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_BPF"]}}, ["cap_add BPF"]),
        ("capabilities: {allow: [ALL]}", {"capabilities": {"bounding": ["CAP_BPF", "CAP_FUTURE"]}}, ["cap_add FUTURE"]),
        ("capabilities: {allow: [ALL]}", {"capabilities": {"bounding": ["BPF"]}}, ["cap_add BPF"]),  # not as the specification has it
        ("no-new-privileges: true", {"noNewPrivileges": True}, []),
        ("no-new-privileges: true", {}, ["no-new-privileges off"]),
        ("no-new-privileges: false", {}, []),
        ("ulimits: {nofile: 10:20}", {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}]}, []),
        ("ulimits: {nofile: 10:20}", {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 11, "hard": 20}]}, ["ulimit nofile=11:20"]),
        ("ulimits: {core: 0}", {"rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1}]}, ["ulimit core=0:unlimited"]),
        ("ulimits: {core: -1}", {"rlimits": [{"type": "RLIMIT_CORE", "soft": -1, "hard": 2**64 - 1}]}, []),
        ("ulimits: {core: 0}", {}, ["ulimit core is not set"]),
        ("apparmor: a", {"apparmorProfile": "a"}, []),
        ("apparmor: a", {"apparmorProfile": "unconfined"}, ["apparmor unconfined"]),
        ("selinux: s", {}, ["selinux is not set"]),
        ("network: none", {"namespaces": [{"type": "network"}]}, []),
        ("network: none", {}, ["network host"]),
        ("network: bridge", {"namespaces": [{"type": "network", "path": "/n"}]}, ["network of another container"]),
        ("network: container", {"namespaces": [{"type": "network", "path": "/n"}]}, []),
        ("network: container", {}, ["network host"]),
        ("network: host", {}, []),
        ("namespaces: {pid: private}", {"namespaces": [{"type": "pid"}]}, []),
        ("namespaces: {pid: private}", {}, ["pid host"]),
        ("namespaces: {pid: private}", {"namespaces": [{"type": "pid", "path": "/n"}]}, ["pid /n"]),
        ("namespaces: {pid: private}", {"namespaces": [{"type": "pid"}, {"type": "pid"}]}, ["pid given 2 times"]),
        ("namespaces: {pid: host-allowed}", {}, []),
        (
            "namespaces: {user: private}",
            {"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]},
            ["user namespace with the host's root in it"],
        ),
        (
            "namespaces: {user: private}",
            {"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]},
            [],
        ),
        ("sysctls: {allow: [net.*]}", {"sysctl": {"net.ipv4.x": "1"}}, []),
        ("sysctls: {allow: [net.*]}", {"sysctl": {"kernel.x": "1"}}, ["sysctl kernel.x=1"]),
        ("sysctls: {set: {net.x: 1}}", {"sysctl": {"net.x": "2"}}, ["sysctl net.x=2"]),
        ("sysctls: {set: {net.x: 1}}", {}, ["sysctl net.x is not set"]),
        ("seccomp: profile.json", {"seccomp": PROFILE}, []),
        ("seccomp: profile.json", {}, ["seccomp unconfined"]),
        ("seccomp: profile.json", {"seccomp": OTHER}, ["seccomp with another profile"]),
        ("seccomp: profile.json", {"seccomp": with_ptrace(PROFILE)}, ["ptrace"]),
        ("seccomp: profile.json, ptrace: true", {"seccomp": with_ptrace(PROFILE)}, []),
        ("seccomp: profile.json, ptrace: true", {"seccomp": PROFILE}, []),
        ("landlock: true", {"annotations": {"dev.hardener.landlock": "off"}}, ["landlock off"]),
        ("landlock: true", {}, []),
        ("init: true", {}, ["no init"]),
        ("init: true", {"annotations": {"dev.hardener.init": "true"}}, []),
        ("memory: 512MiB", {"memory": {"limit": 512 << 20}}, []),
        ("memory: 512MiB", {"memory": {"limit": 1 << 30}}, ["memory 1GiB"]),
        ("memory: 512MiB", {"memory": {"limit": -1}}, ["memory unlimited"]),
        ("memory: 512MiB", {}, ["memory is not limited"]),
        ("memory: 512MiB", {"memory": MEMORY, "unified": {"memory.max": "max"}}, ["cgroup file memory.max"]),
        ("memory: 512MiB, memory-swap: none", {"memory": MEMORY}, []),
        ("memory: 512MiB, memory-swap: none", {"memory": {"limit": 512 << 20}}, ["memory-swap is not limited"]),
        ("memory: 512MiB, memory-swap: none", {"memory": {"limit": 1 << 20, "swap": 1 << 21}}, ["memory-swap 2MiB"]),
        ("memory-swap: 1GiB", {"memory": {"swap": 1 << 30}}, []),
        ("memory-swap: 1GiB", {"memory": {"swap": -1}}, ["memory-swap unlimited"]),
        ("memory-swap: 1GiB", {"memory": {"swap": 9}, "unified": {"memory.swap.max": "max"}}, ["cgroup file memory.swap.max"]),
        ("pids: 256", {"pids": {"limit": 256}}, []),
        ("pids: 256", {"pids": {"limit": 257}}, ["pids 257"]),
        ("pids: 256", {"pids": {"limit": 0}}, ["pids unlimited"]),
        ("pids: 256", {"unified": {"pids.max": "9"}}, ["pids is not limited", "cgroup file pids.max"]),
        ("cpus: 1.5", {"cpu": {"quota": 150000}}, []),
        ("cpus: 1.5", {"cpu": {"quota": 150001}}, ["cpus 1.50001"]),
        ("cpus: 1.5", {"cpu": {"quota": 20000, "period": 10000}}, ["cpus 2"]),
        ("cpus: 1.5", {"unified": {"cpu.max": "max"}}, ["cpus is not limited", "cgroup file cpu.max"]),
        ("cpu-shares: 512", {}, ["cpu-shares 1024"]),
        ("cpu-shares: 1024", {"unified": {"cpu.weight": "100"}}, ["cgroup file cpu.weight"]),
        ("io: {weight: 100}", {"blockIO": {"weight": 100}}, []),
        ("io: {weight: 100}", {}, ["io weight is not set"]),
        ("io: {weight: 100}", {"blockIO": {"weight": 9, "weightDevice": [{"weight": 101}]}}, ["io weight of a device"]),
        ("io: {'8:0': {read-bps: 1MiB}}", {"unified": {"io.max": "x"}}, ["io read-bps of 8:0 is not limited enough", "cgroup file io.max"]),
        (
            "io: {'8:0': {read-bps: 1MiB}}",
            {"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1 << 20}]}},
            [],
        ),
        ("read-only: true", {"root": {"path": "r", "readonly": True}}, []),
        ("read-only: true", {}, ["a root file system that can be written to"]),
        (
            "read-only: true",
            {"root": {"path": "r", "readonly": True}, "mounts": [{"destination": "/sys", "type": "sysfs", "options": ["ro", "rw"]}]},
            ["/sys that can be written to"],
        ),
        (SMALL, {"mounts": [TMP | {"options": ["nosuid", "nodev", "noexec", "size=64m"]}]}, []),
        (SMALL, {"mounts": [TMP | {"options": ["nosuid", "nodev", "noexec", "size=65M"]}]}, ["tmpfs /tmp of 65MiB"]),
        (SMALL, {"mounts": [TMP | {"options": ["nosuid", "nodev", "noexec", "size=0"]}]}, ["tmpfs /tmp without a size"]),
        (SMALL, {"mounts": [TMP | {"options": ["nosuid", "nodev", "noexec", "size=1%"]}]}, ["tmpfs /tmp without a size"]),
        (SMALL, {"mounts": [TMP | {"options": ["nosuid", "nodev", "noexec", "exec", "size=1k"]}]}, ["tmpfs /tmp without noexec"]),
        (SMALL, {"mounts": [TMP | {"options": ["rsuid", "nosuid", "nodev", "noexec", "size=1k"]}]}, ["tmpfs /tmp without nosuid"]),
        (SMALL, {"mounts": [TMP | {"destination": "/other"}]}, []),
        ("tmpfs: {'*': {options: [nodev]}}", {"mounts": [TMP | {"destination": "/other/"}]}, ["tmpfs /other without nodev"]),
        ("tmpfs: {'*': 1MiB}", {"mounts": [TMP | {"destination": "/dev"}]}, []),
        ("shm-size: 64MiB", {"mounts": [TMP | {"destination": "/dev/shm", "options": ["size=65536k"]}]}, []),
        ("shm-size: 64MiB", {"mounts": [TMP | {"destination": "/dev/shm", "options": ["size=1g"]}]}, ["shm-size 1GiB"]),
        ("shm-size: 64MiB", {"mounts": [TMP | {"destination": "/dev/shm"}]}, ["shm-size is not limited"]),
        ("proc: {subset: pid}", {"mounts": [{"destination": "/proc", "type": "proc"}]}, ["/proc with all of it"]),
        ("proc: {hidepid: noaccess}", {"mounts": [{"destination": "/proc", "type": "proc", "options": ["hidepid=2"]}]}, []),
        (
            "proc: {hidepid: invisible}",
            {"mounts": [{"destination": "/proc", "type": "proc", "options": ["hidepid=2", "hidepid=0"]}]},
            ["/proc with other users' processes"],
        ),
        ("masked-paths: [/proc/keys]", {"maskedPaths": ["/proc//keys"]}, []),
        ("masked-paths: [/proc/keys, /proc/kcore]", {"maskedPaths": ["/proc/keys"]}, ["/proc/kcore not hidden"]),
        ("readonly-paths: [/proc/sys]", {"maskedPaths": ["/proc/sys"]}, []),
        ("readonly-paths: [/proc/sys]", {}, ["/proc/sys can be written to"]),
        ("mounts: {options: [nosuid, nodev]}", {"mounts": [BIND]}, []),
        ("mounts: {options: [ro]}", {"mounts": [BIND]}, ["volume /srv/x without ro"]),
        ("mounts: {allow: [/srv]}", {"mounts": [BIND]}, []),
        ("mounts: {allow: [/srv/xx]}", {"mounts": [BIND]}, ["volume /srv/x"]),
        ("mounts: {allow: []}", {"mounts": [BIND]}, ["volume /srv/x"]),
        ("mounts: {deny: [/srv]}", {"mounts": [BIND]}, ["volume /srv/x"]),
        ("mounts: {deny: [/srv/x/secret]}", {"mounts": [BIND]}, ["volume /srv/x"]),
        ("mounts: {deny: [/etc]}", {"mounts": [BIND | {"source": "/"}]}, ["volume /"]),
        ("mounts: {}", {"mounts": [BIND | {"source": "/srv/../etc"}]}, ["volume /srv/../etc"]),
        ("mounts: {}", {"mounts": [BIND | {"options": ["bind", "rshared"]}]}, ["/x rshared"]),
        ("mounts: {}", {"mounts": [{"destination": "/x", "type": "ext4", "source": "/dev/sda"}]}, ["a mount of type ext4 on /x"]),
        ("mounts: {}", {"mounts": [{"destination": "/x"}]}, ["a mount of type nothing on /x"]),
        ("mounts: {}", {"rootfsPropagation": "shared"}, ["a root that is shared"]),
        ("devices: []", {"nodes": [{"path": "/dev/n", "type": "c", "major": 1, "minor": 3}, {"path": "/dev/f", "type": "p"}]}, []),
        ("devices: []", {"nodes": [{"path": "/dev/null", "type": "b", "major": 8, "minor": 0}]}, ["device /dev/null (b 8:0)"]),
        ("devices: [/dev/fuse]", {"nodes": [{"path": "/dev/x", "type": "u", "major": 10, "minor": 229}]}, []),
        ("devices: []", {"devices": [{"allow": False, "access": "rwm"}, {"allow": True, "type": "b", "access": "m"}]}, []),
        ("devices: []", {"devices": [{"allow": True}]}, ["device a *:* rwm"]),
        ("devices: ['c 10:229 r']", {"devices": [{"allow": True, "type": "c", "major": 10, "minor": 229}]}, ["device c 10:229 rwm"]),
        ("devices: ['c 10:* rw']", {"devices": [{"allow": True, "type": "c", "major": 10, "access": "rw"}]}, []),
        ("privileged: {allow: false}", {"devices": [{"allow": True, "type": "a", "access": "rwm"}]}, ["privileged"]),
    ],
)
def test_what_is_looser_is_said_and_tightened(tmp_path: Path, text: str, parts: dict[str, Any], says: list[str]) -> None:
    wanted = policy(tmp_path, text)
    given = spec(**parts)
    before = given.dump()
    found = violations(wanted, given)
    assert [violation.says for violation in found] == says
    assert all(violation.where.startswith(f"{tmp_path}/p.yaml:2:") and violation.wants for violation in found)
    made = apply(wanted, given)
    assert violations(wanted, made) == ()
    assert given.dump() == before
    if not says and parts:
        assert violations(wanted, apply(wanted, made)) == ()


def test_what_is_looser_names_its_key_its_place_and_whether_a_flag_may(tmp_path: Path) -> None:
    wanted = policy(
        tmp_path, "namespaces: {pid: private, ipc: private}, capabilities: {drop: [ALL]}, loosen: [namespaces.pid, capabilities]"
    )
    found = violations(wanted, spec(capabilities={"bounding": ["CAP_NET_ADMIN"]}))
    assert [(item.key, item.allowed, item.where.rpartition("p.yaml:")[2]) for item in found] == [
        ("capabilities", True, "2:53"),
        ("namespaces.pid", True, "2:24"),
        ("namespaces.ipc", False, "2:38"),
    ]
    assert found[0].line == "looser than policy p: cap_add NET_ADMIN"
    assert [violation.key for violation in refused(found)] == ["namespaces.ipc"]
    assert repr(found[1]).startswith("Violation(namespaces.pid: pid host; wanted: a pid namespace of its own; ")


def test_what_is_privileged_is_allowed_whole_or_not(tmp_path: Path) -> None:
    given = spec(devices=[{"allow": True, "access": "rwm"}], capabilities={"bounding": [f"CAP_{name}" for name in CAPABILITIES]})
    text = "capabilities: {drop: [ALL]}, devices: [], pids: 5, privileged: {allow: %s}"
    strict = violations(policy(tmp_path, text % "false"), given)
    assert is_privileged(given)
    assert not any(violation.allowed for violation in strict)
    loose = policy(tmp_path, text % "true")
    found = violations(loose, given)
    assert (found[0].key, found[0].allowed) == ("privileged", True)
    assert {violation.key for violation in refused(found)} == {"pids"}  # which --privileged does not take down
    assert violations(loose, apply(loose, given)) == ()


def test_a_tmpfs_is_mounted_before_what_lies_below_it(tmp_path: Path) -> None:
    wanted = policy(tmp_path, "tmpfs: {/run: {size: 1MiB, mode: 755, options: [nodev]}}")
    made = apply(wanted, spec(mounts=[BIND, BIND | {"destination": "/run/secrets/a"}]))
    assert [mount.destination for mount in made.mounts] == ["/x", "/run", "/run/secrets/a"]
    assert made.mounts[1].options == ("nodev", "mode=755", f"size={1 << 20}")


def test_what_is_left_open_is_filled_in(tmp_path: Path) -> None:
    wanted = policy(
        tmp_path,
        "user: 7:8, capabilities: {drop: [ALL], add: [CHOWN]}, namespaces: {user: private}, cpus: 0.01,"
        " seccomp: profile.json, ptrace: true",
    )
    made = apply(wanted, Spec(oci_version="1.2.0", process=spec().process))
    assert made.process is not None
    assert made.process.user is not None
    assert (made.process.user.uid, made.process.user.gid) == (7, 8)
    assert made.process.capabilities is not None
    assert made.process.capabilities.bounding == ("CAP_CHOWN",)
    assert made.process.capabilities.ambient == ()
    assert made.linux is not None
    assert [namespace.type for namespace in made.linux.namespaces] == ["user"]
    assert made.linux.seccomp == with_ptrace(PROFILE)
    assert made.linux.resources is not None
    assert made.linux.resources.cpu is not None
    assert (made.linux.resources.cpu.quota, made.linux.resources.cpu.period) == (1000, 100_000)


def test_ids_of_the_hosts_root_are_given_up(tmp_path: Path) -> None:
    row = {"containerID": 0, "hostID": 0, "size": 65536}
    made = apply(policy(tmp_path, "namespaces: {user: private}"), spec(uidMappings=[row], gidMappings=[row]))
    assert made.linux is not None
    assert (made.linux.uid_mappings, made.linux.gid_mappings) == ((), ())


def test_nothing_is_asked_of_what_has_no_process() -> None:
    found = load("strict").runtime
    assert found is not None
    given = Spec(oci_version="1.2.0")
    assert {violation.key for violation in violations(found, given)}.isdisjoint({"user", "capabilities", "no-new-privileges"})
    assert violations(found, apply(found, given)) == ()


def test_debugging_is_what_the_reader_of_profiles_makes_of_it() -> None:
    def read(profile: object) -> seccomp.Profile:
        return seccomp.parse(json.dumps(profile).encode(), "x")

    assert read(with_ptrace(PROFILE)) == seccomp.allowing(read(PROFILE), model.DEBUGGING)
    assert with_ptrace({"syscalls": [{"name": "kcmp"}, {"name": "read"}]}) == {
        "syscalls": [{"names": ["read"]}, {"names": [*model.DEBUGGING], "action": "SCMP_ACT_ALLOW"}]
    }
    assert with_ptrace(None) is None


def test_a_profile_becomes_the_filter_of_a_machine(tmp_path: Path) -> None:
    made = apply(policy(tmp_path, "seccomp: profile.json"), spec(capabilities={"bounding": ["CAP_BPF"]}))
    assert made.linux is not None
    assert made.linux.seccomp == PROFILE  # which of its rules count is known when a launch has its capabilities
    text = json.dumps(made.linux.seccomp)
    found = cache.filter_rules(text, "profile.json", machine="x86_64", kernel=(6, 1), capabilities=["CAP_BPF"], cache="")
    assert found == seccomp.resolved(seccomp.parse(text.encode(), "x"), machine="x86_64", capabilities=["CAP_BPF"], kernel=(6, 1))


def test_every_key_has_a_wall() -> None:
    assert {wall.key for wall in WALLS} | {"loosen"} == set(RUNTIME_KEYS)
    assert len({wall.key for wall in WALLS}) == len(WALLS)


# --- the law ------------------------------------------------------------------------------------------------------------------

INTEGERS = st.integers(-2, 3000) | st.integers(-(2**31), 2**40)
CAPS = st.lists(st.sampled_from([*(f"CAP_{name}" for name in CAPABILITIES), "CAP_NEW", "CHOWN"]), max_size=5)
OPTIONS = st.lists(
    st.sampled_from(
        [
            *(
                "ro",
                "rw",
                "suid",
                "nosuid",
                "dev",
                "nodev",
                "exec",
                "noexec",
                "rbind",
                "bind",
                "size=1k",
                "size=9g",
                "size=0",
                "size=x",
                "size",
            ),
            *(
                "shared",
                "rslave",
                "rprivate",
                "rro",
                "rrw",
                "rexec",
                "hidepid=0",
                "hidepid=invisible",
                "hidepid=4",
                "subset=pid",
                "mode=777",
            ),
        ]
    ),
    max_size=6,
)
PATHS = st.sampled_from(["/", "/tmp", "/tmp/", "/run", "/run/x", "/dev", "/dev/shm", "/proc", "/sys", "/srv/a", "/etc", "//etc/..", "x"])
MAPPINGS = st.lists(st.fixed_dictionaries({"containerID": INTEGERS, "hostID": INTEGERS, "size": INTEGERS}), max_size=2)
TYPES = st.sampled_from(["a", "b", "c", "u", "p", ""])
NUMBERS = {"major": INTEGERS, "minor": INTEGERS}
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["major", "minor", "rate", "weight"]), st.sampled_from([0, 8, 500, "x"]), max_size=4), max_size=3
)
DOCUMENTS = st.fixed_dictionaries(
    {"ociVersion": st.just("1.2.0")},
    optional={
        "process": st.fixed_dictionaries(
            {"cwd": st.just("/")},
            optional={
                "user": st.fixed_dictionaries({}, optional={"uid": INTEGERS, "gid": INTEGERS, "username": st.just("web")}),
                "capabilities": st.dictionaries(st.sampled_from(["bounding", "effective", "permitted", "inheritable", "ambient"]), CAPS),
                "noNewPrivileges": st.booleans(),
                "rlimits": st.lists(
                    st.fixed_dictionaries(
                        {"type": st.sampled_from(["RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_AS"]), "soft": INTEGERS, "hard": INTEGERS}
                    ),
                    max_size=3,
                ),
                "apparmorProfile": st.sampled_from(["a", "unconfined"]),
                "selinuxLabel": st.just("s"),
            },
        ),
        "root": st.fixed_dictionaries({"path": st.just("r")}, optional={"readonly": st.booleans()}),
        "annotations": st.dictionaries(
            st.sampled_from(["dev.hardener.landlock", "dev.hardener.init", "x"]), st.sampled_from(["on", "off", "true"])
        ),
        "mounts": st.lists(
            st.fixed_dictionaries(
                {"destination": PATHS},
                optional={
                    "type": st.sampled_from(["tmpfs", "bind", "proc", "sysfs", "cgroup2", "ext4", "overlay"]),
                    "source": PATHS,
                    "options": OPTIONS,
                },
            ),
            max_size=5,
        ),
        "linux": st.fixed_dictionaries(
            {},
            optional={
                "namespaces": st.lists(
                    st.fixed_dictionaries({"type": st.sampled_from(NAMES)}, optional={"path": st.sampled_from(["", "/proc/1/ns/x"])}),
                    max_size=10,
                ),
                "uidMappings": MAPPINGS,
                "gidMappings": MAPPINGS,
                "devices": st.lists(st.fixed_dictionaries({"path": PATHS, "type": TYPES}, optional=NUMBERS), max_size=3),
                "seccomp": st.sampled_from([None, {}, PROFILE, with_ptrace(PROFILE), OTHER]),
                "sysctl": st.dictionaries(st.sampled_from(["net.x", "net.y", "kernel.z"]), st.sampled_from(["0", "1"])),
                "maskedPaths": st.lists(PATHS, max_size=3),
                "readonlyPaths": st.lists(PATHS, max_size=3),
                "rootfsPropagation": st.sampled_from(["shared", "rslave", "private"]),
                "resources": st.fixed_dictionaries(
                    {},
                    optional={
                        "memory": st.dictionaries(st.sampled_from(["limit", "swap", "reservation"]), INTEGERS),
                        "pids": st.fixed_dictionaries({"limit": INTEGERS}),
                        "cpu": st.dictionaries(st.sampled_from(["quota", "period", "shares"]), INTEGERS),
                        "unified": st.dictionaries(
                            st.sampled_from(
                                ["memory.max", "memory.low", "memory.swap.max", "pids.max", "cpu.max", "cpu.weight", "io.max", "rdma.max"]
                            ),
                            st.just("max"),
                        ),
                        "blockIO": st.sampled_from([1, None])
                        | st.fixed_dictionaries(
                            {},
                            optional={"weight": st.sampled_from([0, 50, 500, "x"]), "weightDevice": ROWS, "throttleReadBpsDevice": ROWS},
                        ),
                        "devices": st.lists(
                            st.fixed_dictionaries(
                                {"allow": st.booleans()},
                                optional={**NUMBERS, "type": TYPES, "access": st.sampled_from(["", "r", "m", "rwm"])},
                            ),
                            max_size=4,
                        ),
                    },
                ),
            },
        ),
    },
)
SWITCH = st.booleans()
SOME_CAPS = st.lists(st.sampled_from(CAPABILITIES), max_size=3)
SOME_OPTIONS = st.lists(st.sampled_from(["ro", "nosuid", "nodev", "noexec"]), max_size=4, unique=True)
SIZES = st.integers(6 << 20, 2**31)
TMPFS = st.fixed_dictionaries({}, optional={"size": st.integers(1, 2**33), "options": SOME_OPTIONS, "mode": st.just("700")})
ABSOLUTE = st.lists(st.sampled_from(["/", "/etc", "/srv", "/srv/a", "/proc/kcore"]), max_size=2, unique=True)
POLICIES = st.fixed_dictionaries(
    {"name": st.just("p"), "memory": SIZES},
    optional={
        "user": st.sampled_from(["not-root", "1000:1000", "0:0"]),
        "capabilities": st.fixed_dictionaries({"given": SOME_CAPS, "allowed": SOME_CAPS}),
        "no-new-privileges": SWITCH,
        "read-only": SWITCH,
        "tmpfs": st.dictionaries(st.sampled_from(["/tmp", "/run", "/srv/a", "*"]), TMPFS),
        "network": st.sampled_from(["none", "bridge", "container", "host"]),
        "namespaces": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["private", "host-allowed"])),
        "memory-swap": st.just(0) | SIZES,
        "pids": st.integers(1, 5000),
        "cpus": st.floats(0.01, 64),
        "cpu-shares": st.integers(2, 5000),
        "io": st.fixed_dictionaries(
            {},
            optional={
                "weight": st.integers(10, 1000),
                "devices": st.lists(
                    st.fixed_dictionaries({"device": st.just("8:0")}, optional={"readBps": st.integers(1, 900)}), max_size=1
                ),
            },
        ),
        "devices": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from("bc"), "major": st.integers(0, 9), "access": st.sampled_from(["r", "rwm"])},
                optional={"minor": st.integers(0, 9)},
            ),
            max_size=2,
        ),
        "seccomp": st.just(PROFILE),
        "ptrace": SWITCH,
        "landlock": SWITCH,
        "apparmor": st.just("a"),
        "selinux": st.just("s"),
        "proc": st.dictionaries(st.sampled_from(["subset", "hidepid"]), st.just("pid")).map(
            lambda found: {**found, "hidepid": "invisible"} if "hidepid" in found else found
        ),
        "sysctls": st.fixed_dictionaries(
            {}, optional={"allow": st.lists(st.sampled_from(["net.*", "kernel.z"])), "set": st.just({"net.x": "1"})}
        ),
        "ulimits": st.dictionaries(
            st.sampled_from(["core", "nofile"]),
            st.integers(-1, 99).map(lambda number: {"soft": number, "hard": number}),
        ),
        "shm-size": SIZES,
        "masked-paths": ABSOLUTE,
        "readonly-paths": ABSOLUTE,
        "mounts": st.fixed_dictionaries({"restricted": SWITCH, "allow": ABSOLUTE, "deny": ABSOLUTE, "options": SOME_OPTIONS}),
        "privileged": SWITCH,
        "init": SWITCH,
        "loosen": st.lists(st.sampled_from(["memory", "network"])),
    },
)


@given(document=DOCUMENTS, asked=POLICIES)
def test_what_was_applied_is_not_violated_and_stays(document: dict[str, Any], asked: dict[str, Any]) -> None:
    wanted, given_spec = Runtime.parse(asked), Spec.parse(document)
    made = apply(wanted, given_spec)
    assert violations(wanted, made) == ()
    assert apply(wanted, made).dump() == made.dump()
    assert Spec.parse(made.dump()) == made
    assert Runtime.parse(wanted.dump()) == wanted
    if not violations(wanted, given_spec):
        assert given_spec.dump() == document  # judging changes nothing


@given(document=DOCUMENTS, name=st.sampled_from(["default", "strict"]))
def test_the_shipped_policies_hold(document: dict[str, Any], name: str) -> None:
    wanted = SHIPPED[name]
    made = apply(wanted, Spec.parse(document))
    assert violations(wanted, made) == ()
    assert all(isinstance(violation, Violation) for violation in violations(wanted, Spec.parse(document)))


def _shipped(name: str) -> Runtime:
    found = load(name).runtime
    assert found is not None
    return found


SHIPPED = {name: _shipped(name) for name in ("default", "strict")}
