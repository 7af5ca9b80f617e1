"""Whether files are meant for a swarm (`docker stack deploy`) rather than for `docker compose up`.

A name may say so. If not, keys do that mean something to a swarm only. `deploy.replicas`, `deploy.resources` and `deploy.restart_policy`
are no such keys: compose goes by them too.
"""

from collections.abc import Sequence
from typing import Final

from hardener.sources.compose.discover import is_stack_name
from hardener.sources.compose.tree import Keys, Leaf
from hardener.text import SourceFile

_DEPLOY: Final = ("update_config", "rollback_config", "placement", "endpoint_mode", "labels")
_COMPOSE_ONLY: Final = frozenset(
    {
        "build", "container_name",
        "cgroup", "cpus", "develop", "device_cgroup_rules", "extends", "gpus", "group_add", "mem_limit", "mem_reservation", "memswap_limit",
        "models", "pids_limit", "platform", "post_start", "pre_stop", "profiles", "provider", "pull_policy", "runtime", "scale", "uts",
        "volumes_from",
    }
)  # fmt: skip
"""Whoever writes these has `docker compose` in mind: a swarm builds nothing and names containers itself, and a stack deployment refuses a
file with one of the others (`hardener.rules.checks.service.swarm` has all of those)."""
_COMPOSE_ONLY_AT_TOP: Final = ("include", "models", "name")


def is_stack(tree: Keys, files: Sequence[SourceFile]) -> bool:
    """Return whether a project is to be judged as a stack."""
    if any(is_stack_name(file.path.replace("\\", "/").rpartition("/")[2]) for file in files):
        return True
    services = tree.get("services")
    if not isinstance(services, Keys):
        return False
    signs = False
    for entry in services.entries.values():
        service = entry.value
        if not isinstance(service, Keys):
            continue
        deploy = service.get("deploy")
        if isinstance(deploy, Keys):
            mode = deploy.get("mode")
            signs = signs or any(key in deploy.entries for key in _DEPLOY) or (isinstance(mode, Leaf) and mode.text != "replicated")
        signs = signs or _has_swarm_credentials(service)
        if not _COMPOSE_ONLY.isdisjoint(service.entries) or isinstance(service.get("depends_on"), Keys):
            return False
    return (signs or _has_overlay(tree)) and not any(key in tree.entries for key in _COMPOSE_ONLY_AT_TOP)


def _has_swarm_credentials(service: Keys) -> bool:
    spec = service.get("credential_spec")
    return isinstance(spec, Keys) and "config" in spec.entries


def _has_overlay(tree: Keys) -> bool:
    """Whether a network is made as an overlay: only the manager of a swarm can, unless it is external or `attachable` by hand."""
    networks = tree.get("networks")
    if not isinstance(networks, Keys):
        return False
    for entry in networks.entries.values():
        if not isinstance(entry.value, Keys) or "attachable" in entry.value.entries:
            continue
        driver = entry.value.get("driver")
        if isinstance(driver, Leaf) and driver.text == "overlay":
            return True
    return False
