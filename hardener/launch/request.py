"""`Request`: what a user asks for, as values. It knows nothing of flags, and nothing of what a policy says to it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


HARMLESS: Final = frozenset({
    *("annotations", "arguments", "detach", "detach_keys", "domainname", "entrypoint", "environment", "hostname", "init", "labels", "name"),
    *("health_cmd", "health_interval_ns", "health_retries", "health_start_interval_ns", "health_start_period_ns", "health_timeout_ns"),
    *("no_health",),
    *("network", "policy", "pull", "read_only", "remove", "restart", "root", "rootfs", "stop_signal", "stop_timeout_s"),
    *("terminal", "working_directory"),
})  # fmt: skip
"""What makes nothing looser, whatever it says; everything else is held to the policy. (A network is judged by its name.)"""


class Request:
    """What a user asks for. None, an empty list and False are what nobody asked for: the policy decides.

    Sizes are bytes, processors are cores, time is seconds; a limit of -1 is none. `network` and its like are the words of `docker run`;
    `root` is what was named, and `rootfs` says that it is a folder.
    """

    __slots__ = (
        *("annotations", "arguments", "blkio_weight", "capabilities_added", "capabilities_dropped", "cgroup_namespace", "cgroup_parent"),
        *("health_cmd", "health_interval_ns", "health_retries", "health_start_interval_ns", "health_start_period_ns", "health_timeout_ns"),
        *("cpu_period", "cpu_quota", "cpu_shares", "cpus", "cpuset_cpus", "cpuset_mems", "detach", "detach_keys", "device_rules"),
        *("device_weights", "devices", "domainname", "entrypoint", "environment", "gid_maps", "groups", "hostname", "init", "ipc"),
        *("no_health",),
        *("keep", "labels", "limits", "memory", "memory_reservation", "memory_swap", "memory_swappiness", "mounts", "name", "network"),
        *("oom_score_adj", "pid", "pids", "platform", "policy", "privileged", "pull", "read_bps", "read_iops", "read_only"),
        *("remove", "restart", "root", "rootfs", "security", "shm_size", "stop_signal", "stop_timeout_s", "sysctls", "terminal", "tmpfs"),
        *("uid_maps", "unenforced", "user", "userns", "uts", "volumes", "working_directory", "writable", "write_bps", "write_iops"),
    )

    def __init__(self, root: str = "", arguments: list[str] | None = None) -> None:
        self.root = root
        self.rootfs = False
        self.arguments = arguments or []
        self.policy = "default"
        self.platform: str | None = None
        self.pull = "missing"
        # who and what
        self.name = ""
        self.hostname = ""
        self.domainname = ""
        self.entrypoint: str | None = None
        self.environment: list[str] = []
        self.working_directory: str | None = None
        self.user: str | None = None
        self.groups: list[str] = []
        self.labels: dict[str, str] = {}
        self.annotations: dict[str, str] = {}
        self.terminal = False
        # walls
        self.capabilities_added: list[str] = []
        self.capabilities_dropped: list[str] = []
        self.security: list[str] = []
        self.privileged = False
        self.network: str | None = None
        self.pid: str | None = None
        self.ipc: str | None = None
        self.uts: str | None = None
        self.cgroup_namespace: str | None = None
        self.userns: str | None = None
        self.uid_maps: list[str] = []
        self.gid_maps: list[str] = []
        self.sysctls: list[str] = []
        # limits
        self.memory: int | None = None
        self.memory_swap: int | None = None
        self.memory_reservation: int | None = None
        self.memory_swappiness: int | None = None
        self.pids: int | None = None
        self.cpus: float | None = None
        self.cpu_shares: int | None = None
        self.cpu_period: int | None = None
        self.cpu_quota: int | None = None
        self.cpuset_cpus: str | None = None
        self.cpuset_mems: str | None = None
        self.blkio_weight: int | None = None
        self.device_weights: list[str] = []
        self.read_bps: list[str] = []
        self.write_bps: list[str] = []
        self.read_iops: list[str] = []
        self.write_iops: list[str] = []
        self.limits: list[str] = []
        self.oom_score_adj: int | None = None
        self.shm_size: int | None = None
        self.cgroup_parent: str | None = None
        self.unenforced: list[str] = []
        # files
        self.writable = False
        self.read_only = False
        self.keep: str | None = None
        self.volumes: list[str] = []
        self.mounts: list[str] = []
        self.tmpfs: list[str] = []
        self.devices: list[str] = []
        self.device_rules: list[str] = []
        # life
        self.detach = False
        self.detach_keys: str | None = None
        self.init = False
        self.remove = False
        self.restart: str | None = None
        self.stop_signal: str | None = None
        self.stop_timeout_s: int | None = None
        self.no_health = False
        self.health_cmd: str | None = None
        self.health_interval_ns: int | None = None
        self.health_timeout_ns: int | None = None
        self.health_start_period_ns: int | None = None
        self.health_start_interval_ns: int | None = None
        self.health_retries: int | None = None

    def sets_health(self) -> bool:
        """Tell whether it says how health is checked."""
        times = (self.health_interval_ns, self.health_timeout_ns, self.health_start_period_ns, self.health_start_interval_ns)
        return any(value is not None for value in (self.health_cmd, self.health_retries, *times))

    def asks(self) -> bool:
        """Tell whether it asks for anything that a policy could have an opinion on."""
        if self.network not in (None, "none"):
            return True
        return any(getattr(self, name) not in (None, False, []) for name in self.__slots__ if name not in HARMLESS)
