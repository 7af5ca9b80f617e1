"""What each step would do, and what it refuses: pure, on any machine."""

from pathlib import Path
from typing import Any

import pytest
from launching import config

from hardener.errors import HardenError
from hardener.linux import consts, procfs
from hardener.oci.runtime import Spec
from hardener.runtime import cgroups, container, idmaps, limits, options, parent, privileges, users

V1 = cgroups.Layout(
    {name: f"/cg/{name}" for name in ("memory", "pids", "cpu", "cpuset", "devices", "blkio", "hugetlb", "rdma", "freezer")}, None, ()
)
V2 = cgroups.Layout({}, "/cg", ("cpuset", "cpu", "io", "memory", "pids", "hugetlb", "rdma"))
NONE = cgroups.Layout({}, None, ())


def planned(machine: cgroups.Layout = V1, **changes: Any) -> parent.Launch:
    return container.plan(Spec.parse(config("/root", "prog", **changes)), bundle="/bundle", name="box", machine=machine)


def test_a_launch_is_described() -> None:
    changes: dict[str, Any] = {
        "domainname": "example",
        "process__rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": -1}],
        "process__oomScoreAdj": 100,
        "process__capabilities": {"bounding": ["CAP_CHOWN"]},
        "linux__sysctl": {"net.ipv4.ip_forward": "1"},
        "linux__seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
        "process__terminal": True,
        "linux__namespaces": [{"type": kind} for kind in ("user", "mount", "network", "uts")] + [{"type": "ipc", "path": "/x"}],
    }
    described = dict(container.describe(planned(**changes)))
    assert described.keys() == set(container.STEPS)
    assert described["program"] == ["'prog'", "in /"]
    assert described["namespaces"] == ["new: user mount network uts", "join: ipc /x"]
    assert described["idmaps"] == ["uid 0-65535 -> 100000-165535", "gid 0-65535 -> 100000-165535"]
    assert described["mounts"][0] == "root /root (read-only)"
    assert "/tmp tmpfs nosuid" not in described["mounts"]
    assert "/tmp tmpfs mode=1777 size=1m" in described["mounts"]
    assert described["privileges"] == ["user 0:0 groups none umask 022", "bounding CAP_CHOWN", "no_new_privs"]
    assert described["cgroups"][0] == "/cg/memory/harden/box/memory.limit_in_bytes = 268435456"
    assert described["rlimits"] == ["core 0:unlimited", "oom_score_adj 100"]
    assert described["network"] == ["loopback up, nothing else"]
    assert described["sysctls"] == ["net/ipv4/ip_forward = 1"]
    assert described["hostname"] == ["hostname inside", "domainname example"]
    assert described["terminal"] == ["a terminal of its own"]
    assert described["seccomp"][0].startswith("filter of ")
    bare = dict(container.describe(planned(hostname=None, linux__resources=None, process__noNewPrivileges=False)))
    assert bare["hostname"] == bare["cgroups"] == bare["seccomp"] == ["nothing"]
    assert bare["privileges"][1:] == ["no capability in any of the five sets", "no_new_privs is off"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hooks": {"prestart": [{}]}}, "does not support hooks"),
        ({"process": None}, "there is no process to run|there is no program to run"),
        ({"root": None}, "there is no root filesystem"),
        ({"process__args": []}, "there is no program to run"),
        ({"process__args": [""]}, "there is no program to run"),
        ({"process__cwd": "tmp"}, "'tmp' is not absolute"),
        ({"process__env": ["=x"]}, "'=x' is not NAME=value"),
        ({"process__env": ["X"]}, "'X' is not NAME=value"),
        ({"process__user": {"uid": -1}}, "-1 is not an id"),
        ({"process__user": {"additionalGids": [2**32]}}, "4294967296 is not an id"),
        ({"process__user": {"username": "ContainerAdministrator"}}, "user names are for Windows"),
        ({"process__capabilities": {"bounding": ["CAP_CHWON"]}}, r"unknown capability 'CAP_CHWON'(?s:.)*did you mean 'CAP_CHOWN'"),
        ({"process__capabilities": {"bounding": ["chwon"]}}, r"unknown capability 'chwon'(?s:.)*did you mean 'CHOWN'"),
        ({"process__capabilities": {"effective": ["CAP_CHOWN"]}}, "CAP_CHOWN cannot be effective without being permitted"),
        ({"process__rlimits": [{"type": "RLIMIT_NOFIL", "soft": 1, "hard": 1}]}, "did you mean 'RLIMIT_NOFILE'"),
        ({"process__rlimits": [{"type": "NOFILE", "soft": 1, "hard": 1}]}, "unknown limit 'NOFILE'"),
        ({"process__rlimits": [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]}, "the soft limit 2 is above the hard one, 1"),
        ({"process__rlimits": [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}] * 2}, "RLIMIT_CPU is set twice"),
        ({"process__oomScoreAdj": 1001}, "1001 is not between"),
        ({"process__terminal": True, "mounts": []}, "a terminal needs a devpts"),
        ({"hostname": "x" * 65}, "longer than 64 bytes"),
        ({"linux__namespaces": [{"type": "mount"}]}, "a host name needs a UTS namespace"),
        ({"linux__namespaces": [{"type": "uts"}]}, "without a mount namespace would change the mounts"),
        ({"linux__namespaces": [{"type": "mnt"}]}, "unknown namespace 'mnt'"),
        ({"linux__namespaces": [{"type": "pid"}, {"type": "pid"}]}, "'pid' is named twice"),
        ({"linux__namespaces": [{"type": "user", "path": "/x"}]}, "cannot join a user namespace"),
        ({"linux__uidMappings": []}, "a user namespace needs id mappings"),
        ({"linux__uidMappings": [{"containerID": 0, "hostID": 1, "size": 0}]}, "0:1:0 is not a range"),
        (
            {"linux__gidMappings": [{"containerID": 0, "hostID": 1, "size": 9}, {"containerID": 5, "hostID": 100, "size": 9}]},
            "ranges overlap",
        ),
        ({"linux__sysctl": {"kernel.core_pattern": "|/x"}}, "'kernel.core_pattern' is a parameter of the whole machine"),
        ({"linux__sysctl": {"net.../../kernel/x": "1"}}, "parameter of the whole machine"),
        (
            {
                "linux__sysctl": {"net.ipv4.ip_forward": "1"},
                "linux__namespaces": [{"type": "mount"}, {"type": "network", "path": "/proc/self/ns/net"}],
                "hostname": None,
            },
            "'net.ipv4.ip_forward' needs a namespace of the container's own",
        ),
        ({"linux__sysctl": {"net/ipv4/../../kernel/core_pattern": "1"}}, "parameter of the whole machine"),
        (
            {"linux__sysctl": {"net.x": "1"}, "linux__namespaces": [{"type": "mount"}], "hostname": None},
            "needs a namespace of the container's own",
        ),
        ({"linux__seccomp": []}, None),
        ({"linux__seccomp": [1]}, "linux.seccomp must be an object"),
        ({"linux__seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}}, "a seccomp listener is not supported"),
        ({"linux__seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["X"]}}, "unknown flag 'X'"),
        ({"linux__seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}}, None),
        ({"linux__rootfsPropagation": "public"}, "unknown propagation 'public'"),
        ({"linux__devices": [{"path": "/dev/x", "type": "z"}]}, "'z' is no type of device"),
        ({"linux__devices": [{"path": "/dev/../etc/x", "type": "c"}]}, "would lie outside /dev"),
        ({"mounts": [{"destination": "tmp"}]}, "'tmp' is not absolute"),
        ({"mounts": [{"destination": "/a/.."}]}, "a mount on / would hide the root"),
        ({"mounts": [{"destination": "/a", "type": "bind"}]}, "a bind mount has no source"),
        ({"mounts": [{"destination": "/a", "type": "ext4", "source": "/dev/sda"}]}, "does not mount 'ext4'"),
        ({"mounts": [{"destination": "/a", "source": "/b", "options": ["bind", "tmpcopyup"]}]}, "unknown option 'tmpcopyup'"),
        ({"mounts": [{"destination": "/proc/", "type": "tmpfs"}]}, "only proc can be mounted on /proc"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert planned(**changes)
        return
    with pytest.raises(HardenError, match=message):
        planned(**changes)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b"])
def test_a_name_that_is_no_file_name(name: str) -> None:
    with pytest.raises(HardenError, match="is not a name for a container"):
        container.plan(Spec.parse(config("/root", "prog")), bundle="/", name=name, machine=V1)


def test_an_error_of_the_system_is_one_of_the_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(12, "clone: Cannot allocate memory")

    monkeypatch.setattr(parent, "run", broken)
    with pytest.raises(parent.LaunchError, match="container start: clone: Cannot allocate memory"):
        container.run(planned())


# --- cgroups --------------------------------------------------------------------------------------------------------------------


def writes(machine: cgroups.Layout, resources: dict[str, Any], **changes: Any) -> list[str]:
    plan = planned(machine, linux__resources=resources, **changes).cgroups
    return [] if plan is None else plan.lines()


@pytest.mark.parametrize(
    ("resources", "v1", "v2"),
    [
        ({"memory": {"limit": 5}}, ["memory/memory.limit_in_bytes = 5"], ["memory.max = 5"]),
        ({"memory": {"limit": -1}}, ["memory/memory.limit_in_bytes = -1"], ["memory.max = max"]),
        (
            {"memory": {"limit": 5, "swap": 7}},
            ["memory/memory.limit_in_bytes = 5", "memory/memory.memsw.limit_in_bytes = 7"],
            ["memory.max = 5", "memory.swap.max = 2"],
        ),
        (
            {"memory": {"limit": 5, "swap": -1}},
            ["memory/memory.limit_in_bytes = 5", "memory/memory.memsw.limit_in_bytes = -1"],
            ["memory.max = 5", "memory.swap.max = max"],
        ),
        ({"memory": {"reservation": 3}}, ["memory/memory.soft_limit_in_bytes = 3"], ["memory.low = 3"]),
        ({"pids": {"limit": 9}}, ["pids/pids.max = 9"], ["pids.max = 9"]),
        ({"pids": {"limit": -1}}, ["pids/pids.max = max"], ["pids.max = max"]),
        ({"pids": {"limit": 0}}, [], []),
        ({"cpu": {"shares": 1024}}, ["cpu/cpu.shares = 1024"], ["cpu.weight = 39"]),
        ({"cpu": {"quota": 50}}, ["cpu/cpu.cfs_period_us = 100000", "cpu/cpu.cfs_quota_us = 50"], ["cpu.max = 50 100000"]),
        ({"cpu": {"period": 50}}, ["cpu/cpu.cfs_period_us = 50", "cpu/cpu.cfs_quota_us = -1"], ["cpu.max = max 50"]),
        (
            {"cpu": {"cpus": "0-1", "mems": "0"}},
            ["cpuset/cpuset.cpus = 0-1", "cpuset/cpuset.mems = 0"],
            ["cpuset.cpus = 0-1", "cpuset.mems = 0"],
        ),
        ({"devices": [{"allow": False, "access": "rwm"}]}, [], []),
        ({"cpu": {"quota": -1}}, ["cpu/cpu.cfs_period_us = 100000", "cpu/cpu.cfs_quota_us = -1"], ["cpu.max = max 100000"]),
        ({"cpu": {"idle": 1, "burst": 7}}, ["cpu/cpu.idle = 1", "cpu/cpu.cfs_burst_us = 7"], ["cpu.idle = 1", "cpu.max.burst = 7"]),
        ({"memory": {"useHierarchy": True, "checkBeforeUpdate": True}}, [], []),
        (
            {"blockIO": {"weight": 500, "weightDevice": [{"major": 8, "minor": 0, "weight": 1000}]}},
            ["blkio/blkio.bfq.weight = 500", "blkio/blkio.bfq.weight_device = 8:0 1000"],
            ["io.bfq.weight = 500", "io.bfq.weight = 8:0 1000"],
        ),
        (
            {
                "blockIO": {
                    "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}],
                    "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 6}],
                    "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 7}],
                    "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 0}],
                }
            },
            [
                "blkio/blkio.throttle.read_bps_device = 8:0 5",
                "blkio/blkio.throttle.write_bps_device = 8:0 6",
                "blkio/blkio.throttle.read_iops_device = 8:0 7",
                "blkio/blkio.throttle.write_iops_device = 8:16 0",
            ],
            ["io.max = 8:0 rbps=5", "io.max = 8:0 wbps=6", "io.max = 8:0 riops=7", "io.max = 8:16 wiops=max"],
        ),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}, {"pageSize": "1GB", "limit": -1}]},
            ["hugetlb/hugetlb.2MB.limit_in_bytes = 4194304", "hugetlb/hugetlb.1GB.limit_in_bytes = -1"],
            ["hugetlb.2MB.max = 4194304", "hugetlb.1GB.max = max"],
        ),
        (
            {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 9}, "mlx5_2": {}}},
            ["rdma/rdma.max = mlx5_1 hca_handle=3 hca_object=9"],
            ["rdma.max = mlx5_1 hca_handle=3 hca_object=9"],
        ),
    ],
)
def test_limits_on_both_versions(resources: dict[str, Any], v1: list[str], v2: list[str]) -> None:
    old = ["/".join((f"/cg/{line.partition('/')[0]}/harden/box", line.partition("/")[2])) for line in v1]
    assert writes(V1, resources) == old
    assert writes(V2, resources) == [f"/cg/harden/box/{line}" for line in v2]


def test_a_weight_goes_from_end_to_end() -> None:
    assert [limits.weight(shares) for shares in (0, 2, 262144, 10**9)] == [1, 1, 10000, 10000]


def test_files_of_version_2_by_name() -> None:
    assert writes(V2, {"unified": {"memory.high": "1M"}}) == ["/cg/harden/box/memory.high = 1M"]
    plan = planned(V2, linux__resources={"unified": {"memory.high": "1M"}}).cgroups
    assert plan is not None
    assert (plan.unified, plan.groups[0].enable) == ("/cg/harden/box", ("memory",))


def test_rules_for_devices_without_a_user_namespace() -> None:
    kinds = [{"type": kind} for kind in ("mount", "uts")]
    rules = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 200, "access": "rw"},
        {"allow": True, "type": "b", "major": 8},
    ]
    found = [line.partition("/devices.")[2] for line in writes(V1, {"devices": rules}, linux__namespaces=kinds)]
    assert found[:4] == ["deny = a", "allow = c 10:200 rw", "allow = b 8:* rwm", "allow = c 1:3 rwm"]
    (line,) = writes(V2, {"devices": rules}, linux__namespaces=kinds)
    assert line.startswith("/cg/harden/box devices: none but c 10:200 rw, b 8:* rwm, c 1:3 rwm")
    assert writes(V1, {"devices": [{"allow": True}]}, linux__namespaces=kinds) == ["/cg/devices/harden/box/devices.allow = a"]


def test_what_only_old_controllers_limit() -> None:
    machine = cgroups.Layout({name: f"/cg/{name}" for name in ("net_cls", "net_prio", "memory", "cpu")}, None, ())
    resources = {
        "network": {"classID": 7, "priorities": [{"name": "eth0", "priority": 3}]},
        "memory": {"kernelTCP": 1, "swappiness": 0, "disableOOMKiller": True},
        "cpu": {"realtimePeriod": 9, "realtimeRuntime": 8},
    }
    assert [line.partition("/harden/box/")[2] for line in writes(machine, resources)] == [
        *("memory.kmem.tcp.limit_in_bytes = 1", "memory.swappiness = 0", "memory.oom_control = 1"),
        *("cpu.rt_period_us = 9", "cpu.rt_runtime_us = 8", "net_cls.classid = 7", "net_prio.ifpriomap = eth0 3"),
    ]


@pytest.mark.parametrize(
    ("machine", "resources", "message"),
    [
        (NONE, {"pids": {"limit": 1}}, "this machine cannot limit pids"),
        (V1, {"memory": {"kernel": 1}}, r"memory\.kernel cannot be limited"),
        (V1, {"memory": {"swap": 1}}, "at least the memory limit"),
        (V1, {"memory": {"limit": 5, "swap": 4}}, "at least the memory limit"),
        (V2, {"cpu": {"realtimeRuntime": 1}}, r"cpu\.rt_runtime_us is a limit of cgroup v1 alone"),
        (V2, {"cpu": {"shares": 2, "realtimePeriod": 1}}, r"cpu\.rt_period_us is a limit of cgroup v1 alone"),
        (V2, {"memory": {"limit": 5, "kernelTCP": 1}}, r"memory\.kmem\.tcp\.limit_in_bytes is a limit of cgroup v1 alone"),
        (V2, {"memory": {"swappiness": 0}}, r"memory\.swappiness is a limit of cgroup v1 alone"),
        (V2, {"memory": {"disableOOMKiller": True}}, r"memory\.oom_control is a limit of cgroup v1 alone"),
        (V2, {"network": {"classID": 1}}, r"net_cls\.classid is a limit of cgroup v1 alone"),
        (V1, {"network": {"classID": 1}}, "this machine cannot limit net_cls"),
        (V1, {"memory": {"useHierarchy": False}}, "useHierarchy cannot be off"),
        (V1, {"memory": {"limits": 5}}, "does not know the limit limits"),
        (V1, {"disk": {}}, "does not know the limit disk"),
        (V1, {"blockIO": {"weights": 5}}, "does not know the limit weights"),
        (V2, {"blockIO": {"weight": 9}}, "9 is no weight"),
        (V2, {"blockIO": {"weight": 10, "leafWeight": 10}}, "leafWeight cannot be set"),
        (V2, {"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 10}]}}, "leafWeight cannot be set"),
        (V2, {"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": -1}]}}, "-1 is no rate"),
        (V2, {"hugepageLimits": {"2MB": 1}}, "hugepageLimits must be a list"),
        (V2, {"hugepageLimits": [{"pageSize": "2M", "limit": 1}]}, "'2M' is no size of pages"),
        (V2, {"rdma": ["mlx"]}, "rdma must be an object"),
        (V2, {"rdma": {"a b": {"hcaHandles": 1}}}, "'a b' is no name of a device"),
        (V1, {"unified": {"memory.max": "1"}}, "no file of a cgroup v2 controller here"),
        (V2, {"unified": {"memory/../x": "1"}}, "no file of a cgroup v2 controller here"),
    ],
)
def test_a_limit_that_cannot_be_kept(machine: cgroups.Layout, resources: dict[str, Any], message: str) -> None:
    with pytest.raises(HardenError, match=message):
        planned(machine, linux__resources=resources)


def test_devices_that_cannot_be_limited() -> None:
    kinds = [{"type": kind} for kind in ("mount", "uts")]
    with pytest.raises(HardenError, match="this machine cannot limit devices"):
        planned(NONE, linux__resources={"devices": [{"allow": False}]}, linux__namespaces=kinds)
    with pytest.raises(HardenError, match="'z' is no type of device"):
        planned(V1, linux__resources={"devices": [{"allow": False, "type": "z"}]}, linux__namespaces=kinds)


@pytest.mark.parametrize("path", ["system.slice:runc:x", "/a/../b", "a//b", "/"])
def test_a_path_of_a_cgroup_that_is_none(path: str) -> None:
    with pytest.raises(HardenError, match=r"is a systemd path|is not a path below"):
        planned(linux__cgroupsPath=path)


def test_a_layout_is_read_from_a_mount_table() -> None:
    table = (
        "1 1 0:1 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n2 1 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    )
    found = cgroups.layout(procfs.parse_mounts(table), "memory pids\n")
    assert found.v1["cpu"] == found.v1["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct"
    assert (found.unified, found.controllers) == ("/sys/fs/cgroup/unified", ("memory", "pids"))


# --- ids and users ----------------------------------------------------------------------------------------------------------------

SUBUID = "# comment\nroot:1:1\nann:200000:65536\n1001:300000:100\nharden:500000:1000\nbad:x:y\n"


@pytest.mark.parametrize(
    ("uid", "name", "text", "expected"),
    [
        (0, "root", "", [(0, 100000, 65536)]),
        (0, "root", SUBUID, [(0, 500000, 1000)]),
        (1000, "ann", SUBUID, [(0, 1000, 1), (1, 200000, 65536)]),
        (1001, "bob", SUBUID, [(0, 1001, 1), (1, 300000, 100)]),
        (1002, "bad", SUBUID, [(0, 1002, 1)]),
    ],
)
def test_the_default_range(uid: int, name: str, text: str, expected: list[tuple[int, int, int]]) -> None:
    for mappings in idmaps.default(uid, uid, name, text, text):
        assert [(one.container_id, one.host_id, one.size) for one in mappings] == expected


PASSWD = """root:x:0:0:root:/root:/bin/sh
broken
app:x:1000:1000::/home/app:/bin/sh
1234:x:7:8::/odd:
big:x:99999999999:1::/:
homeless:x:5:6:::
"""
GROUP = "root:x:0:\nstaff:x:50:app,root\nvideo:x:44:app\napp:x:1000:\nbroken\n"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("root", (0, 0, (50,), "/root")),
        ("0", (0, 0, (50,), "/root")),
        ("app", (1000, 1000, (44, 50), "/home/app")),
        ("1000", (1000, 1000, (44, 50), "/home/app")),
        ("app:video", (1000, 44, (), "/home/app")),
        ("app:7", (1000, 7, (), "/home/app")),
        ("1234", (1234, 0, (), "/")),  # an id, as in Docker
        ("4000", (4000, 0, (), "/")),
        ("4000:4001", (4000, 4001, (), "/")),
        ("homeless", (5, 6, (), "/")),
    ],
)
def test_a_user_is_found(user: str, expected: tuple[int, int, tuple[int, ...], str]) -> None:
    found = users.resolve(user, PASSWD, GROUP)
    assert (found.uid, found.gid, found.groups, found.home) == expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("1000", (1000, 0)),
        ("01000", (1000, 0)),
        ("1000:1000", (1000, 1000)),
        ("web:1000", (33, 1000)),
        ("33", (33, 34)),
        ("033", (33, 34)),
        ("0", (0, 0)),
    ],
)
def test_digits_are_an_id_whatever_names_an_image_has(user: str, expected: tuple[int, int]) -> None:
    """CVE-2016-3697: an account whose name is a number would decide who `--user 1000` is."""
    passwd = "1000:x:0:0::/root:/bin/sh\n1000:x:99999999999:0::/:\n0:x:7:7::/:\nroot:x:0:0::/root:\nweb:x:33:34::/:/bin/sh\n"
    found = users.resolve(user, passwd, "1000:x:0:\nroot:x:0:\n")
    assert (found.uid, found.gid, found.groups) == (*expected, ())


@pytest.mark.parametrize(
    "user", ["", ":", "app:", "nobody", "app:nobody", "-1", "0x0", "4294967295", "99999999999", "big", "²", "app:99999999999", "app video"]
)
def test_a_user_that_is_none(user: str) -> None:
    with pytest.raises(HardenError, match=r"is not a user|no user|no group|is not an id"):
        users.resolve(user, PASSWD, GROUP)


def test_capabilities_by_name() -> None:
    assert [privileges.number(name) for name in ("CAP_CHOWN", "chown", "cap_bpf")] == [0, 0, 39]
    assert privileges.names(1 | 1 << 39) == ["CAP_CHOWN", "CAP_BPF"]


def test_ambient_is_what_can_be_given() -> None:
    # runc spec writes ambient capabilities that are not inheritable
    sets = {name: ["CAP_KILL"] for name in ("bounding", "effective", "permitted", "ambient")}
    assert planned(process__capabilities=sets).privileges.ambient == 0


def test_options_of_mounts() -> None:
    said = options.read(("ro", "rbind", "nosuid", "noexec", "exec", "rslave", "noidmap", "size=1m", "rw", "nofail", "strictatime"))
    assert said.attributes == consts.MOUNT_ATTR_NOSUID | consts.MOUNT_ATTR_STRICTATIME
    assert (said.bind, said.recursive, said.idmap, said.propagation, said.data) == (True, True, False, consts.MS_SLAVE, ["size=1m"])


def test_a_relative_root_is_relative_to_the_bundle() -> None:
    assert planned(root__path="rootfs").mounts.root.folders == ("/bundle/rootfs",)
    assert planned(root__path=str(Path("/abs"))).mounts.root.folders == ("/abs",)
