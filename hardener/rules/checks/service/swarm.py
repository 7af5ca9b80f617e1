"""Stacks: what a deployment ignores, updates, placement."""

from collections.abc import Mapping
from typing import Final

from hardener.rules.checks import Check

DROPPED: Final = frozenset({
    "build", "cgroup_parent", "cgroupns_mode", "container_name", "depends_on", "devices", "domainname", "expose", "external_links",
    "ipc", "links", "mac_address", "network_mode", "pid", "privileged", "security_opt", "shm_size", "tmpfs", "userns_mode",
})  # fmt: skip
"""Keys of a service that `docker stack deploy` accepts and does not put in force: most with a warning that scrolls by, `tmpfs` and
`depends_on` without a word. `restart` gets the same warning and is in force nevertheless. Measured: tests/fixtures/swarm/dropped.json."""

REFUSED: Final = frozenset({
    "annotations", "attach", "blkio_config", "cgroup", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period",
    "cpu_rt_runtime", "cpu_shares", "cpus", "cpuset", "develop", "device_cgroup_rules", "dns_opt", "extends", "gpus", "group_add",
    "label_file", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models", "oom_kill_disable", "pids_limit",
    "platform", "post_start", "pre_start", "pre_stop", "profiles", "provider", "pull_policy", "pull_refresh_after", "runtime", "scale",
    "storage_opt", "use_api_socket", "uts", "volume_driver", "volumes_from",
})  # fmt: skip
"""Keys of a service with which `docker stack deploy` refuses the whole file."""

CHECKS: Final[Mapping[str, Check]] = {}
