"""What a service says, without where it says so: for comparing services that were written in different ways."""

from typing import Any

from hardener.sources.compose.mounts import PROPAGATIONS
from hardener.sources.service import Service, Setting, Variable, Words
from hardener.sources.unknown import UNKNOWN

_SINGLE = (
    "image", "platform", "working_dir", "container_name", "hostname", "domainname", "user", "network_mode", "pid", "ipc", "uts",
    "userns_mode", "cgroup", "cgroup_parent", "isolation", "runtime", "mac_address", "cpuset", "restart", "stop_signal", "init",
    "stdin_open", "tty", "privileged", "read_only", "use_api_socket", "oom_kill_disable", "memory", "memory_reservation", "memory_swap",
    "memory_swappiness", "cpus", "cpu_quota", "cpu_shares", "pids_limit", "shm_size", "oom_score_adj", "stop_grace_period", "pull_policy",
)  # fmt: skip
_LISTS = ("group_add", "cap_add", "cap_drop", "security_opt", "device_cgroup_rules", "expose", "extra_hosts", "dns", "env_files")
_NOT_OF_THE_CONTAINER = frozenset(
    {"attach", "cidfile", "detach_keys", "disable-content-trust", "kernel-memory", "quiet", "sig-proxy", "help"}
)


def shape(service: Service) -> dict[str, Any]:
    """Return everything that both a run line and a compose file can say."""
    out: dict[str, Any] = {}
    for field in _SINGLE:
        setting = getattr(service, field)
        if setting is not None and setting.value is not False:
            out[field] = _value(setting)
    for field in _LISTS:
        out[field] = list(dict.fromkeys(_value(setting) for setting in getattr(service, field)))
    for field in ("environment", "labels", "annotations", "sysctls", "storage_opt"):
        out[field] = _variables(getattr(service, field), empty=field != "environment")
    out["argv"] = _argv(service)
    out["mounts"] = sorted(
        [
            mount.type,
            str(mount.source),
            str(mount.target),
            str(mount.read_only),
            sorted(option for option in mount.options if option and option not in PROPAGATIONS and option not in ("ro", "rw")),
            mount.propagation,
            mount.create_host_path,
        ]
        for mount in service.mounts
    )
    out["ports"] = sorted({tuple(str(part) for part in port[:4]) for port in service.ports})
    out["devices"] = sorted([str(part) for part in device[:3]] for device in service.devices)
    out["ulimits"] = sorted([limit.name, str(limit.soft), str(limit.hard)] for limit in service.ulimits)
    out["networks"] = sorted([network.name, network.ipv4, list(network.aliases)] for network in service.networks)
    out["volumes_from"] = [str(_value(setting)).removeprefix("container:") for setting in service.volumes_from]
    out["links"] = [_value(setting) for setting in service.links]
    if service.gpus is not None and (service.gpus.text == "all" or service.gpus.text.isdigit()):
        out["gpus"] = service.gpus.text
    if service.logging is not None:
        driver = service.logging.driver
        out["logging"] = [None if driver is None else _value(driver), _variables(service.logging.options, empty=True)]
    if service.healthcheck is not None:
        out["health"] = _health(service)
    for variable in service.extra:
        if variable.value is None or variable.name in _NOT_OF_THE_CONTAINER or variable.name.startswith("blkio_config"):
            continue
        if variable.name == "external_links":
            out["links"].append(_value(variable.value))
        else:
            out.setdefault(variable.name, []).append(_value(variable.value))
    return {name: value for name, value in out.items() if value not in ([], {}, None)}


def _value(setting: Setting[Any]) -> Any:
    if setting.value is UNKNOWN:
        return "?"
    return (
        round(float(setting.value), 9) if isinstance(setting.value, int | float) and not isinstance(setting.value, bool) else setting.value
    )


def _variables(variables: tuple[Variable, ...], *, empty: bool) -> dict[str, Any]:
    none = "" if empty else None
    return {
        variable.name: none if variable.value is None else _value(variable.value) for variable in variables if variable.source != "env_file"
    }


def _words(words: Words | None) -> list[Any] | None:
    return None if words is None else [_value(word) for word in words.words]


def _argv(service: Service) -> list[Any] | None:
    """Return entrypoint and command; where the entrypoint is more than a program, docker run can say the rest only as a command."""
    entrypoint, command = _words(service.entrypoint), _words(service.command)
    if entrypoint is None:
        return None if not command else [None, *command]
    return [entrypoint[:1], *entrypoint[1:], *(command or [])]


def _health(service: Service) -> Any:
    health = service.healthcheck
    assert health is not None
    if health.disabled is not None:
        return "disabled"
    parts = (health.interval, health.timeout, health.start_period, health.start_interval, health.retries)
    return [_words(health.test), *[None if part is None else _value(part) for part in parts]]
