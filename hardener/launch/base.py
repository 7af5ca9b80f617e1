"""What a container is before any policy: namespaces and kernel filesystems of its own, which no policy needs to ask for."""

from __future__ import annotations

from hardener.oci.runtime import VERSION, DeviceRule, Linux, Mount, Namespace, Process, Resources, Root, Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


NAMESPACES: Final = ("user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time")
# In a network of its own every port is the container's: a server of port 80 needs no capability. Docker says the same.
PORTS: Final = {"net.ipv4.ip_unprivileged_port_start": "0"}
QUIET: Final = ("nosuid", "nodev", "noexec")


def nothing() -> Spec:
    """Return a specification that asks for nothing; `policies.enforce` makes of it what a policy wants."""
    return Spec(
        oci_version=VERSION,
        root=Root(path="/", readonly=None),
        process=Process(args=(), cwd="/", env=()),
        mounts=(
            Mount(destination="/proc", type="proc", source="proc", options=QUIET),
            Mount(destination="/dev", type="tmpfs", source="tmpfs", options=("nosuid", "noexec", "ro", "mode=755", "size=64k")),
            Mount(
                destination="/dev/pts",
                type="devpts",
                source="devpts",
                options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
            ),
            Mount(destination="/dev/shm", type="tmpfs", source="shm", options=(*QUIET, "mode=1777")),  # noqa: S108  # nosec B108
            Mount(destination="/dev/mqueue", type="mqueue", source="mqueue", options=QUIET),
            Mount(destination="/sys", type="sysfs", source="sysfs", options=(*QUIET, "ro")),
        ),
        linux=Linux(
            namespaces=tuple([Namespace(type=kind) for kind in NAMESPACES]),
            resources=Resources(devices=(DeviceRule(allow=False, access="rwm"),)),
            sysctl=PORTS,
        ),
    )
