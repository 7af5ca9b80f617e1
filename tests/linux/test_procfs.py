"""The texts of /proc."""

import os
from pathlib import Path

import pytest

from hardener.linux import procfs

MOUNTINFO = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 22 0:26 /sub\040dir /mnt/a\040b\134c ro,nosuid - tmpfs tmp rw,size=4k
broken line
31 22 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
"""


def test_mounts() -> None:
    root, spaced, cgroup = procfs.parse_mounts(MOUNTINFO)
    assert (root.point, root.fstype, root.options) == ("/", "ext4", ("rw", "relatime"))
    assert (spaced.point, spaced.root, spaced.options) == ("/mnt/a b\\c", "/sub dir", ("ro", "nosuid"))
    assert cgroup.super_options == ("rw", "cpu", "cpuacct")
    assert repr(cgroup) == "MountPoint(cgroup on /sys/fs/cgroup/cpu)"


def test_cgroups() -> None:
    text = "9:name=systemd:/\n4:cpu,cpuacct:/a:b\n0::/user.slice\n"
    assert procfs.parse_cgroups(text) == {"systemd": "/", "cpu": "/a:b", "cpuacct": "/a:b", "": "/user.slice"}


def test_status_and_signals() -> None:
    status = procfs.parse_status(procfs.read("/proc/self/status"))
    assert status["Pid"] == str(os.getpid())
    assert list(procfs.signals("0000000000004003")) == [1, 2, 15]


def test_a_file_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 11)
    assert procfs.read(str(tmp_path / "long"), 11) == "x" * 11
    with pytest.raises(OSError, match="more than 10 bytes"):
        procfs.read(str(tmp_path / "long"), 10)


def test_a_value_that_is_not_taken_is_named() -> None:
    with pytest.raises(OSError, match=r"write\(/proc/self/oom_score_adj, '5000'\): Invalid argument"):
        procfs.write("/proc/self/oom_score_adj", "5000")
