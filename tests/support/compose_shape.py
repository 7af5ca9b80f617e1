"""A project in the shape that `docker compose config --format json` prints, for everything that our model holds."""

from collections.abc import Iterable
from typing import Any, Final

from hardener.sources.compose import ports, units
from hardener.sources.expansion import HOLE
from hardener.sources.service import (
    Build,
    Deploy,
    Grant,
    Healthcheck,
    Hook,
    Mount,
    Port,
    Project,
    Resource,
    Service,
    Setting,
    Ulimit,
    Update,
    Variable,
    Words,
)
from hardener.sources.unknown import UNKNOWN

HOME: Final = "/home/user"  # where the recording says that `~` is

NOT_MODELLED: Final = {
    "attach", "blkio_config", "develop", "cpu_count", "cpu_percent", "cpu_period", "cpu_rt_period", "cpu_rt_runtime", "dns_search",
    "dns_opt", "external_links",
}  # fmt: skip
"""Keys of a service that no rule needs; some of them are in `Service.extra`."""

Shape = dict[str, Any]


def shape(project: Project) -> Shape:
    """Return services and resources."""
    return {
        "services": {service.name: _service(service) for service in project.services},
        **{
            f"{kind}s": {resource.name: _resource(project, resource) for resource in getattr(project, f"{kind}s").values()}
            for kind in ("network", "volume", "secret", "config")
        },
    }


def theirs(printed: Shape) -> Shape:
    """Return what compose printed without what our model does not hold, durations as seconds, and without defaults spelt out."""
    return {
        "services": {name: _cut(service) for name, service in printed["services"].items()},
        **{
            kind: {
                name: {key: value for key, value in (resource or {}).items() if key not in ("ipam", "labels")}
                for name, resource in printed.get(kind, {}).items()
                if not (kind == "networks" and name == "default" and set(resource) <= {"name", "ipam"})
            }
            for kind in ("networks", "volumes", "secrets", "configs")
        },
    }


def _cut(service: Shape) -> Shape:
    found = {key: value for key, value in service.items() if key not in NOT_MODELLED and value not in (None, {}, [])}
    networks = found.pop("networks", {})
    # What is on no network of its own choice is on `default`.
    found["networks"] = {
        name: {key: value for key, value in (item or {}).items() if key in ("aliases", "ipv4_address")}
        for name, item in networks.items()
        if name != "default" or item
    }
    for key in ("command", "entrypoint"):
        if service.get(key) is not None:
            found[key] = service[key]  # an empty list is not nothing
    if "stop_grace_period" in found:
        found["stop_grace_period"] = _seconds(found["stop_grace_period"])
    if "healthcheck" in found:
        found["healthcheck"] = {
            key: value if key in ("test", "retries", "disable") else _seconds(value) for key, value in found["healthcheck"].items()
        }
    if "ulimits" in found:
        found["ulimits"] = {
            name: [item.get("soft", 0), item.get("hard", 0)] if isinstance(item, dict) else [item, item]
            for name, item in found["ulimits"].items()
        }
    if "volumes" in found:
        found["volumes"] = [_cut_mount(item) for item in found["volumes"]]
    if "tmpfs" in found:
        found["tmpfs"] = sorted(found["tmpfs"])
    if "ports" in found:
        found["ports"] = sorted(
            ({key: value for key, value in item.items() if key not in ("name", "app_protocol")} for item in found["ports"]), key=repr
        )
    for key in ("secrets", "configs"):
        if key in found:
            found[key] = [{name: value for name, value in item.items() if name != "gid"} for item in found[key]]
    if "depends_on" in found:
        found["depends_on"] = {
            name: {key: value for key, value in item.items() if key != "restart"} for name, item in found["depends_on"].items()
        }
    if "gpus" in found:
        found["gpus"] = sum(item.get("count", 0) for item in found["gpus"])
    if "provider" in found:
        found["provider"] = found["provider"]["type"]
    if "models" in found:
        found["models"] = sorted(found["models"])
    if "credential_spec" in found:
        found["credential_spec"] = next(f"{key}://{value}" for key, value in found["credential_spec"].items())
    if "build" in found:
        found["build"] = _cut_build(found["build"])
    if "deploy" in found:
        deploy, limits = _cut_deploy(found.pop("deploy"))
        if deploy:
            found["deploy"] = deploy
        for key, value in limits.items():
            found.setdefault(key, value)
    return found


def _cut_mount(item: Shape) -> Shape:
    bind = {key: value for key, value in item.get("bind", {}).items() if key != "recursive"}
    if "propagation" in bind:
        bind.setdefault("create_host_path", True)  # the default that the specification names; 2.40 does not print it
    found = {key: value for key, value in item.items() if key not in ("bind", "image") and value != {}}
    if item["type"] == "bind":
        found["bind"] = {"create_host_path": False, **bind}
    return found


def _cut_build(build: Shape) -> Shape:
    dropped = ("cache_to", "platforms", "shm_size", "isolation")
    found = {key: value for key, value in build.items() if key not in dropped and value not in (None, {}, [])}
    if "ulimits" in found:
        found["ulimits"] = {
            name: [item.get("soft", 0), item.get("hard", 0)] if isinstance(item, dict) else [item, item]
            for name, item in found["ulimits"].items()
        }
    if "args" in found:
        # A name alone takes the value from the environment, or is no argument at all.
        found["args"] = {name: value for name, value in found["args"].items() if value is not None}
    return found


def _cut_deploy(deploy: Shape) -> tuple[Shape, Shape]:
    found = {key: value for key, value in deploy.items() if key not in ("resources", "placement", "restart_policy")}
    resources = deploy.get("resources", {})
    limits: Shape = {}
    for section, key, name in (
        ("limits", "cpus", "cpus"),
        ("limits", "memory", "mem_limit"),
        ("limits", "pids", "pids_limit"),
        ("reservations", "memory", "mem_reservation"),
    ):
        if key in resources.get(section, {}):
            limits[name] = resources[section][key]
    devices = resources.get("reservations", {}).get("devices")
    if devices:
        limits["gpus"] = sum(len(item["device_ids"]) if "device_ids" in item else item["count"] for item in devices)
    found.update(deploy.get("placement", {}))
    if "preferences" in found:
        found["preferences"] = [item["spread"] for item in found["preferences"]]
    policy = deploy.get("restart_policy", {})
    found.update({f"restart_{key}": value for key, value in policy.items() if key in ("condition", "max_attempts")})
    for key in ("update_config", "rollback_config"):
        if key in found:
            found[key] = {name: _seconds(value) if name in ("delay", "monitor") else value for name, value in found[key].items()}
    return found, limits


def _seconds(text: str) -> float:
    value = units.duration(text)
    assert value is not None
    return value


# --- ours ---------------------------------------------------------------------------------------------------------------------


def _value(setting: Setting[Any] | None) -> Any:
    if setting is None:
        return None
    if setting.value is UNKNOWN:
        return setting.text.replace(HOLE, "")  # compose makes empty what nothing sets
    return setting.value


def _written(shape: Shape) -> Shape:
    return {key: value for key, value in shape.items() if value not in (None, {}, [], ())}


def _texts(settings: Iterable[Setting[str]]) -> list[str]:
    return [_value(setting) for setting in settings]


def _variables(variables: Iterable[Variable], bare: str | None = "") -> Shape:
    return {item.name: bare if item.value is None else _value(item.value) for item in variables}


def _environment(service: Service) -> Shape:
    """Return the variables; a name alone passes on what whoever starts the project has."""
    found = _variables(service.environment, None)
    for name, value in found.items():
        outer = service.project.lookup(name)
        if value is None and outer is not None:
            found[name] = outer.text
    return found


def _bytes(setting: Setting[int] | None) -> str | None:
    return None if setting is None else str(_value(setting))


def _words(words: Words | None) -> list[str] | None:
    return None if words is None else _texts(words.words)


def _home(path: str) -> str:
    return f"{HOME}{path[1:]}" if path.startswith("~") else path


def _service(service: Service) -> Shape:
    found = _written(
        {
            **{
                key: _value(getattr(service, key))
                for key in (
                    "image", "platform", "working_dir", "container_name", "hostname", "domainname", "stop_signal", "user", "network_mode",
                    "pid", "ipc", "uts", "userns_mode", "cgroup", "cgroup_parent", "isolation", "runtime", "mac_address", "cpuset",
                    "restart", "init", "cpus", "cpu_quota", "cpu_shares", "oom_score_adj", "pids_limit", "scale", "provider",
                    "credential_spec",
                )
            },
            **{
                key: _value(getattr(service, key)) or None  # a switch that is off is not printed
                for key in ("privileged", "read_only", "stdin_open", "tty", "oom_kill_disable", "use_api_socket")
            },
            **{
                key: _texts(getattr(service, key))
                for key in (
                    "group_add", "cap_add", "cap_drop", "security_opt", "volumes_from", "device_cgroup_rules", "expose", "links", "dns",
                    "profiles",
                )
            },
            "pull_policy": {"if_not_present": "missing"}.get(_value(service.pull_policy), _value(service.pull_policy)),
            "extra_hosts": sorted(_texts(service.extra_hosts)),
            "mem_limit": _bytes(service.memory),
            "mem_reservation": _bytes(service.memory_reservation),
            "memswap_limit": _bytes(service.memory_swap),
            "mem_swappiness": _bytes(service.memory_swappiness),
            "shm_size": _bytes(service.shm_size),
            "stop_grace_period": _value(service.stop_grace_period),
            "environment": _environment(service),
            **{key: _variables(getattr(service, key)) for key in ("labels", "annotations", "sysctls", "storage_opt")},
            "ports": sorted((one for port in service.ports for one in _ports(port)), key=repr),
            "volumes": [_mount(mount) for mount in service.mounts if not _is_short_tmpfs(mount)],
            "tmpfs": sorted(":".join(filter(None, [str(m.target), ",".join(m.options)])) for m in service.mounts if _is_short_tmpfs(m)),
            "devices": [
                {"source": item.source, "target": item.target or item.source, "permissions": item.permissions or "rwm"}
                for item in service.devices
            ],
            "ulimits": _ulimits(service.ulimits),
            "healthcheck": None if service.healthcheck is None else _health(service.healthcheck),
            "logging": None
            if service.logging is None
            else _written({"driver": _value(service.logging.driver), "options": _variables(service.logging.options)}),
            "build": None if service.build is None else _build(service.build),
            "deploy": None if service.deploy is None else _deploy(service.deploy),
            "secrets": [_grant(item) for item in service.secrets],
            "configs": [_grant(item) for item in service.configs],
            "depends_on": _depends_on(service),
            "gpus": None if service.gpus is None else -1 if service.gpus.value == "all" else int(_value(service.gpus)),
            "models": sorted(_texts(service.models)),
            **{event: [_hook(hook) for hook in service.hooks if hook.event == event] for event in ("post_start", "pre_stop")},
        }
    )  # fmt: skip
    for key in ("command", "entrypoint"):
        words = _words(getattr(service, key))
        if words is not None:
            found[key] = words
    found["networks"] = {
        item.name: _written({"aliases": list(item.aliases), "ipv4_address": item.ipv4})
        for item in service.networks
        if item.name != "default" or item.aliases
    }
    return found


def _ports(port: Port) -> list[Shape]:
    """Return one port each, as compose prints ranges: unless the range is one that Docker chooses from."""
    assert isinstance(port.target, str)
    targets = ports.span(port.target)
    assert targets is not None
    published: list[Any] = [port.published] * len(targets)
    if isinstance(port.published, str) and len(targets) > 1:
        published = [str(number) for number in ports.span(port.published) or ()]
    return [
        _written({"mode": port.mode, "host_ip": port.host_ip, "target": target, "published": at, "protocol": port.protocol})
        for target, at in zip(targets, published, strict=True)
    ]


def _is_short_tmpfs(mount: Mount) -> bool:
    return mount.type == "tmpfs" and not mount.place.text.lstrip("- ").startswith(("type", "{"))


def _mount(mount: Mount) -> Shape:
    options = dict(option.partition("=")[::2] for option in mount.options)
    found: Shape = {"type": mount.type, "source": mount.source and _home(str(mount.source)), "target": mount.target}
    found["read_only"] = mount.read_only or None
    found["volume"] = _written({"nocopy": True if "nocopy" in options else None, "subpath": options.get("volume-subpath")})
    size = units.size(options["size"]) if "size" in options else None
    found["tmpfs"] = _written(
        {"size": size and str(size), "mode": int(options["mode"].replace("0o", "0"), 8) if "mode" in options else None}
    )
    is_long = mount.place.text.startswith(("type", "{"))
    consistency = next((option for option in ("cached", "consistent", "delegated") if option in options and is_long), None)
    found["consistency"] = consistency
    if mount.type == "bind":
        selinux = next((option for option in mount.options if option in ("z", "Z")), None)
        found["bind"] = {
            "create_host_path": mount.create_host_path, **_written({"propagation": mount.propagation or None, "selinux": selinux})
        }  # fmt: skip
    return _written(found)


def _ulimits(limits: Iterable[Ulimit]) -> Shape:
    return {limit.name: [limit.soft, limit.hard] for limit in limits}


def _health(health: Healthcheck) -> Shape:
    test = _words(health.test)
    if test is not None and health.test is not None:
        test = ["CMD-SHELL" if health.test.shell else "CMD", *test]
    elif health.disabled is not None and health.disabled.text == "NONE":
        test = ["NONE"]
    return _written(
        {
            "test": test,
            "disable": True if health.disabled is not None and health.disabled.text != "NONE" else None,
            **{key: _value(getattr(health, key)) for key in ("interval", "timeout", "start_period", "start_interval", "retries")},
        }
    )


def _build(build: Build) -> Shape:
    dockerfile, context = _value(build.dockerfile), _value(build.context)
    if dockerfile is not None and "://" not in context and context.startswith("/"):
        dockerfile = dockerfile.removeprefix(f"{context}/")
    return _written(
        {
            "context": context,
            "dockerfile": dockerfile,
            "dockerfile_inline": _value(build.inline),
            "target": _value(build.target),
            "args": {item.name: _value(item.value) for item in build.args if item.value is not None},
            "labels": _variables(build.labels),
            "network": _value(build.network),
            "provenance": _value(build.provenance),
            "sbom": _value(build.sbom),
            **{key: _value(getattr(build, key)) or None for key in ("privileged", "no_cache", "pull")},
            **{key: _texts(getattr(build, key)) for key in ("entitlements", "cache_from", "tags")},
            "extra_hosts": sorted(_texts(build.extra_hosts)),
            "secrets": [{"source": item.source, **_target(item)} for item in build.secrets],
            "additional_contexts": {
                item.name: value if "://" in (value := _value(item.value)) else _absolute(value) for item in build.additional_contexts
            },
            "ulimits": _ulimits(build.ulimits),
        }
    )


def _absolute(path: str) -> str:
    return f"/{path.removeprefix('../')}" if path.startswith("../") else path


def _target(item: Grant) -> Shape:
    """Return a target that was written: compose does not spell out the default of a build's secrets."""
    default = f"/run/secrets/{item.source}"
    return {} if item.target == default else {"target": (item.target or "").removeprefix("/run/secrets/")}


def _deploy(deploy: Deploy) -> Shape:
    return _written(
        {
            "mode": _value(deploy.mode),
            "replicas": _value(deploy.replicas),
            "endpoint_mode": _value(deploy.endpoint_mode),
            "labels": _variables(deploy.labels),
            "constraints": _texts(deploy.constraints),
            "preferences": _texts(deploy.preferences),
            "max_replicas_per_node": _value(deploy.max_replicas_per_node),
            "restart_condition": _value(deploy.restart_condition),
            "restart_max_attempts": _value(deploy.restart_max_attempts),
            "update_config": None if deploy.update is None else _update(deploy.update),
            "rollback_config": None if deploy.rollback is None else _update(deploy.rollback),
        }
    )


def _update(update: Update) -> Shape:
    names = ("parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order")
    return _written({name: _value(getattr(update, name)) for name in names})


def _grant(item: Grant) -> Shape:
    """Return a secret or a config. Compose does not print the default target of a config, and leaves that of a secret relative."""
    mode = None if item.mode is None else oct(int(item.mode.replace("0o", "0"), 8)).replace("0o", "0")
    target = item.target or ""
    if target.removeprefix("/run/secrets/") != item.source:
        target = target.removeprefix("/run/secrets/")
    return _written({"source": item.source, "target": None if target == f"/{item.source}" else target, "mode": mode, "uid": item.uid})


def _depends_on(service: Service) -> Shape:
    found: Shape = {item.name: {"condition": item.condition, "required": item.required} for item in service.depends_on}
    implied = [link.text.partition(":")[0] for link in service.links]
    shared = (service.network_mode, service.ipc, service.pid, service.uts, service.cgroup)
    implied += [one.text.removeprefix("service:") for one in shared if one is not None and one.text.startswith("service:")]
    implied += [item.text.partition(":")[0] for item in service.volumes_from if not item.text.startswith("container:")]
    for name in implied:
        found.setdefault(name, {"condition": "service_started", "required": True})
    return found


def _hook(hook: Hook) -> Shape:
    return _written({"command": _words(hook.command), "user": _value(hook.user), "privileged": _value(hook.privileged) or None})


def _resource(project: Project, resource: Resource) -> Shape:
    external = resource.external is True
    name = _value(resource.settings.get("name"))
    return _written(
        {
            "name": name or (resource.name if external else f"{project.name}_{resource.name}"),
            "external": True if external else None,
            "driver": resource.driver,
            "driver_opts": _variables(resource.driver_opts),
            **{
                key: True if (value := _value(setting)) == "true" else None if value == "false" else value
                for key, setting in resource.settings.items()
                if key not in ("name", "driver")
            },
        }
    )
