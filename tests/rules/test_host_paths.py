"""Paths, sockets and devices of the host, and addresses that mean everybody."""

import pytest

from hardener.finding import Severity
from hardener.rules import exposure, host_devices, host_paths


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/", "/etc"),
        ("//etc/./ssh/../shadow", "/etc/shadow"),
        ("/../../etc", "/etc"),
        ("/", "/"),
        ("/var/run/docker.sock", "/run/docker.sock"),
        ("/var/run", "/run"),
        ("/usr/bin/docker", "/bin/docker"),
        ("/usr/local/bin", "/usr/local/bin"),
        ("~", "~"),
        ("~/./.ssh/", "~/.ssh"),
        ("~anna/.ssh", "~anna/.ssh"),
        ("~/../etc", None),
        ("relative", None),
        ("C:\\Windows", None),
        ("/c\\d", None),
        ("", None),
    ],
)
def test_normal(path: str, expected: str | None) -> None:
    assert host_paths.normal(path) == expected


@pytest.mark.parametrize(
    ("path", "severity"),
    [
        ("/run/docker.sock", Severity.CRITICAL),
        ("/run", Severity.CRITICAL),
        ("/run/user/1000", Severity.HIGH),
        ("/run/user/1000/podman/podman.sock", Severity.HIGH),
        ("~/.colima/default/docker.sock", Severity.HIGH),
        ("/run/user/1000/pulse", None),
        ("/run/udev", None),
        ("/", None),
        ("/var", None),
    ],
)
def test_socket(path: str, severity: Severity | None) -> None:
    found = host_paths.socket(path)
    assert (None if found is None else found.severity) is severity


def test_the_whole_host_holds_sockets_where_it_cannot_be_written() -> None:
    assert host_paths.socket("/", read_only=True) is not None


@pytest.mark.parametrize(
    ("path", "writable", "read_only"),
    [
        ("/etc", Severity.CRITICAL, Severity.MEDIUM),
        ("/etc/cron.d/job", Severity.CRITICAL, None),
        ("/etc/nginx", Severity.LOW, None),
        ("/etc/localtime", None, None),
        ("/root/.ssh", Severity.CRITICAL, Severity.HIGH),
        ("/root/app", None, None),
        ("/home", Severity.CRITICAL, Severity.HIGH),
        ("/home/anna", Severity.HIGH, Severity.HIGH),
        ("/home/anna/app", None, None),
        ("~/.config/gcloud/x", Severity.HIGH, Severity.HIGH),
        ("~/.config/app", None, None),
        ("~/.cargo/registry", None, None),
        ("/proc/cpuinfo", None, None),
        ("/proc/sys/kernel/core_pattern", Severity.CRITICAL, None),
        ("/sys/fs/cgroup", Severity.HIGH, None),
        ("/lib/modules/6.1", Severity.HIGH, Severity.LOW),
        ("/bin/docker", Severity.CRITICAL, None),
        ("/var/lib/app", None, None),
        ("/srv", None, None),
    ],
)
def test_grade(path: str, writable: Severity | None, read_only: Severity | None) -> None:
    grades = [host_paths.grade(path, read_only=flag) for flag in (False, True)]
    assert [grade and grade.severity for grade in grades] == [writable, read_only]


@pytest.mark.parametrize(
    ("host_ip", "everybody", "loopback"),
    [
        ("0.0.0.0", True, False),
        ("::", True, False),
        ("[::]", True, False),
        ("[::ffff:0.0.0.0]", True, False),
        ("0:0:0:0:0:0:0:0", True, False),
        ("127.0.0.1", False, True),
        ("127.8.8.8", False, True),
        ("::1", False, True),
        ("0:0:0:0:0:0:0:1", False, True),
        ("[::ffff:127.0.0.1]", False, True),
        ("localhost", False, True),
        ("10.0.0.1", False, False),
        ("0.0.0.1", False, False),
        ("fd00::1", False, False),
        ("100.0.0.0", False, False),
    ],
)
def test_addresses(host_ip: str, everybody: bool, loopback: bool) -> None:
    assert exposure.is_every_address(host_ip) is everybody
    assert exposure.is_loopback(host_ip) is loopback


@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        ("a", Severity.CRITICAL),
        ("a *:* rwm", Severity.CRITICAL),
        ("b 8:0 rw", Severity.CRITICAL),
        ("b 8:* r", Severity.HIGH),
        ("b 240:0 rw", Severity.HIGH),
        ("b 8:* m", None),
        ("c *:* rw", Severity.HIGH),
        ("c 1:1 r", Severity.CRITICAL),
        ("c 10:223 rw", Severity.MEDIUM),
        ("c 188:* rwm", None),
        ("", None),
        ("x 1:1 rw", None),
    ],
)
def test_device_rules(rule: str, severity: Severity | None) -> None:
    found = host_devices.opened(rule)
    assert (None if found is None else found.severity) is severity
