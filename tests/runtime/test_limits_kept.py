"""Limits that are asked for hold: what the kernel was told, and what a program inside feels of it."""

import os
from pathlib import Path
from typing import Any

import pytest
from launching import config, launch

from hardener.errors import HardenError
from hardener.oci.runtime import Spec
from hardener.runtime import cgroups


def disk(path: Path) -> tuple[int, int]:
    """Return the whole disk that a file lies on; skips where it is on none."""
    number = path.stat().st_dev
    here = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    if not here.exists():
        pytest.skip("kernel: the folder of this test is on no disk")
    whole = here.parent if (here / "partition").exists() else here
    major, minor = (whole / "dev").read_text().split(":")
    return int(major), int(minor)


def test_a_program_writes_no_faster_than_it_may(root: Path, folder: Path) -> None:
    major, minor = disk(folder)
    if not cgroups.writable(cgroups.read_layout(), "blkio"):
        pytest.skip("kernel: no controller of input and output is mounted")
    (folder / "data").mkdir()
    copy = "dd if=/dev/zero of=/data/x bs=64k count=24 oflag=direct,dsync 2>&1"
    script = f"read start _ < /proc/uptime; {copy}; read end _ < /proc/uptime; echo $start $end"

    def seconds(**resources: Any) -> float:
        document = config(root, "sh", "-c", script, linux__resources=resources)
        document["mounts"].append(
            {"destination": "/data", "source": str(folder / "data"), "type": "bind", "options": ["bind", "rw", "noidmap"]}
        )
        document["linux"]["uidMappings"] = document["linux"]["gidMappings"] = None
        document["linux"]["namespaces"] = [{"type": kind} for kind in ("mount", "pid", "ipc", "uts", "cgroup")]
        result = launch(document, folder)
        assert (result.code, result.error) == (0, ""), result
        start, end = result.out.splitlines()[-1].split()
        return float(end) - float(start)

    limit = [{"major": major, "minor": minor, "rate": 1 << 20}]
    assert seconds(blockIO={"throttleWriteBpsDevice": limit}) > 1.0  # 1.5 MiB at 1 MiB a second, of which a little goes at once
    assert seconds() < 1.0


def made(root: Path, resources: dict[str, Any]) -> cgroups.Cgroups:
    plan = cgroups.plan(Spec.parse(config(root, "true", linux__resources=resources)), cgroups.read_layout(), f"test-{os.getpid()}")
    assert plan is not None
    return plan


@pytest.mark.parametrize(
    "resources",
    [
        {"memory": {"limit": 64 << 20, "reservation": 32 << 20}},
        {"cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 1000}},
        {"cpu": {"cpus": "0", "mems": "0"}},
        {"pids": {"limit": 99}},
    ],
)
def test_the_kernel_has_what_it_was_told(root: Path, resources: dict[str, Any]) -> None:
    plan = made(root, resources)
    cgroups.create(plan)
    try:
        for group in plan.groups:
            for file, value, *_ in group.writes:
                assert Path(group.directory, file).read_text().strip() == value
    finally:
        cgroups.remove(plan)
    assert not any(Path(directory).exists() for directory in plan.directories)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"cpu": {"cpus": "7777"}}, r"the kernel refuses '7777' for cpuset\.cpus"),
        ({"cpu": {"quota": 1, "period": 100000}}, "the kernel refuses '1"),
        ({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}, r"this kernel has no limit hugetlb\.3MB|cannot limit hugetlb"),
    ],
)
def test_what_the_kernel_refuses_is_named(root: Path, resources: dict[str, Any], message: str) -> None:
    with pytest.raises(HardenError, match=message):
        cgroups.create(made(root, resources))


def test_memory_that_ran_out_elsewhere_is_told_apart(tmp_path: Path) -> None:
    from hardener.runtime import hits

    (tmp_path / "memory.max").write_text("1073741824\n")
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 0\noom 0\noom_kill 2\n")
    told = hits.sentence(str(tmp_path), "memory.max", 2)
    assert told == "memory: 2 processes killed: not for the container's own limit, but because memory ran out around it"
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n")
    (tmp_path / "memory.peak").write_text("1610612736\n")
    assert (
        hits.sentence(str(tmp_path), "memory.max", 1)
        == "memory: 1 process killed at the limit of 1 GiB, peak use 1.5 GiB; --memory 2g raises it"
    )
    assert [hits.human(size) for size in (0, 1023, 1 << 10, 1536 << 10, 3 << 40)] == ["0 B", "1023 B", "1 KiB", "1.5 MiB", "3 TiB"]
    assert [hits.option(size) for size in (5, 1 << 10, 1536 << 10)] == ["5", "1k", "1536k"]
