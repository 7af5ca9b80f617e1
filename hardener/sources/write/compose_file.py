"""Services as a compose file."""

from collections.abc import Iterable, Sequence
from typing import Final

from hardener.sources.service import Mount, Resource, Service, Setting, Variable
from hardener.sources.unknown import UNKNOWN
from hardener.sources.write.run_line import duration, mount_ends, mount_options, mount_written, number, port_text, shown, size
from hardener.sources.write.texts import Loss, Text, literal, of, of_variable, quoted, written
from hardener.text import Pattern, Place

_TEXTS: Final = (
    "container_name", "hostname", "domainname", "platform", "user", "working_dir", "network_mode", "pid", "ipc", "uts", "userns_mode",
    "cgroup", "cgroup_parent", "isolation", "runtime", "mac_address", "cpuset", "restart", "stop_signal", "pull_policy",
)  # fmt: skip
_SWITCHES: Final = ("init", "stdin_open", "tty", "privileged", "read_only", "use_api_socket", "oom_kill_disable")
_LISTS: Final = ("group_add", "cap_add", "cap_drop", "security_opt", "device_cgroup_rules", "expose", "extra_hosts", "dns")
_SIZES: Final = (
    ("memory", "mem_limit"), ("memory_reservation", "mem_reservation"), ("memory_swap", "memswap_limit"), ("shm_size", "shm_size"),
)  # fmt: skip
_NUMBERS: Final = (
    ("memory_swappiness", "mem_swappiness"), ("cpus", "cpus"), ("cpu_quota", "cpu_quota"), ("cpu_shares", "cpu_shares"),
    ("pids_limit", "pids_limit"), ("oom_score_adj", "oom_score_adj"),
)  # fmt: skip
_EXTRA_SINGLE: Final = frozenset({"cpu_count", "cpu_percent", "cpu_period", "cpu_rt_period", "cpu_rt_runtime"})
_EXTRA_LISTS: Final = frozenset({"dns_opt", "dns_search", "external_links", "label_file"})
_NOT_CARRIED: Final = frozenset({
    "build", "depends_on", "profiles", "secrets", "configs", "develop", "provider", "models", "scale", "post_start", "pre_start",
    "pre_stop", "deploy", "credential_spec", "blkio_config",
})  # fmt: skip
_NAME: Final = Pattern(r"[^a-zA-Z0-9._-]+")
_LOST: Final = {
    "rm": "compose keeps a container until `down`, or `run --rm`",
    "publish-all": "compose publishes the ports that `ports` names",
    "detach": "",
    "ip": "an address needs a network, and the line names none",
}


def compose_file(services: Sequence[Service]) -> tuple[str, tuple[Loss, ...]]:
    """Return a compose file with the services, and what it does not say."""
    lost: list[Loss] = []
    root: dict[str, object] = {}
    found: dict[str, object] = {}
    for service in services:
        writer = _Writer(service)
        found[_free(_NAME.sub("-", service.name).strip("-") or "container", found)] = writer.write()
        lost.extend([loss for loss in writer.lost if loss not in lost])
    root["services"] = found
    for kind in ("networks", "volumes"):
        resources = _resources(services, kind)
        if resources:
            root[kind] = resources
    return "\n".join(_lines(root, 0)) + "\n", tuple(lost)


def _free(name: str, taken: dict[str, object]) -> str:
    if name not in taken:
        return name
    count = 2
    while f"{name}-{count}" in taken:
        count += 1
    return f"{name}-{count}"


def _resources(services: Iterable[Service], kind: str) -> dict[str, object]:
    """Return the top-level networks or volumes that services name: those of run lines exist outside of any project."""
    out: dict[str, object] = {}
    for service in services:
        names = (
            [network.name for network in service.networks]
            if kind == "networks"
            else [mount.source for mount in service.mounts if mount.type == "volume" and isinstance(mount.source, str)]
        )
        for name in names:
            if name in out or (kind == "networks" and name == "default" and service.is_compose):
                continue
            if service.is_compose:
                known: dict[str, Resource] = getattr(service.project, kind)
                out[name] = _resource(known.get(name))
            elif kind == "networks":
                out[name] = {"name": literal(name), "external": True}
            else:
                out[name] = {"name": literal(name)}
    return out


def _resource(resource: Resource | None) -> dict[str, object]:
    if resource is None:
        return {}
    out: dict[str, object] = {}
    if resource.external is True:
        out["external"] = True
    if resource.driver is not None:
        out["driver"] = literal(resource.driver)
    if resource.driver_opts:
        out["driver_opts"] = {
            option.name: literal(option.value.value)
            for option in resource.driver_opts
            if option.value is not None and option.value.value is not UNKNOWN
        }
    for name, setting in resource.settings.items():
        if setting.value is not UNKNOWN:
            out[name] = setting.value in ("true", "True") if name in ("internal", "attachable", "enable_ipv6") else literal(setting.value)
    return out


class _Writer:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.out: dict[str, object] = {}
        self.lost: list[Loss] = []

    def write(self) -> dict[str, object]:
        service = self.service
        if service.image is not None:
            self._text("image", service.image)
        for field in _TEXTS:
            setting = getattr(service, field)
            if setting is not None:
                self._text(field, setting)
        for field, words in (("entrypoint", service.entrypoint), ("command", service.command)):
            if words is not None:
                self.out[field] = [text for text in (self._of(field, word) for word in words.words) if text is not None]
        for field in _SWITCHES:
            switch: Setting[bool] | None = getattr(service, field)
            if switch is not None:
                self.out[field] = switch.value if switch.value is not UNKNOWN else self._raw(field, switch.place)
        for field in _LISTS:
            self._list(field, getattr(service, field))
        for field, key in (*_SIZES, *_NUMBERS):
            amount: Setting[float] | None = getattr(service, field)
            if amount is not None:
                value = amount.value
                is_size = (field, key) in _SIZES
                self.out[key] = (
                    self._raw(key, amount.place) if value is UNKNOWN else literal(size(int(value))) if is_size else _Number(number(value))
                )
        if service.stop_grace_period is not None and service.stop_grace_period.value is not UNKNOWN:
            self.out["stop_grace_period"] = literal(duration(service.stop_grace_period.value))
        elif service.stop_grace_period is not None:
            self._lose("stop-timeout", "docker takes seconds and compose a duration, and a variable holds it")
        self._gpus()
        self._files()
        self._variables()
        self._networks()
        self._items()
        self._health()
        self._extra()
        self._unsaid()
        return {name: value for name, value in self.out.items() if value is not None}

    def _lose(self, name: str, reason: str) -> None:
        loss = Loss(name if self.service.is_compose else f"--{name}", reason)
        if reason and loss not in self.lost:
            self.lost.append(loss)

    def _open(self, name: str, raw: str) -> None:
        self._lose(name, f"its value `{' '.join(raw.split())}` is filled in by something else than a variable that compose knows")

    def _of(self, name: str, setting: Setting[str]) -> Text | None:
        text = of(setting, self.service)
        if text is None:
            self._open(name, setting.place.text)
        return text

    def _raw(self, name: str, place: Place) -> Text | None:
        text = written(place, self.service)
        if text is None:
            self._open(name, place.text)
        return text

    def _text(self, key: str, setting: Setting[str]) -> None:
        text = self._of(key, setting)
        if text is not None:
            self.out[key] = text

    def _list(self, key: str, settings: Iterable[Setting[str]]) -> None:
        found = [text for text in (self._of(key, setting) for setting in settings) if text is not None]
        if found:
            self.out[key] = found

    def _mapping(self, variables: Iterable[Variable], key: str, *, empty: bool) -> dict[str, object] | list[object]:
        """Return variables as a map; as a list where one has no value (compose takes it from the environment)."""
        service = self.service
        found: dict[str, object] = {}
        bare: list[object] = []
        for variable in variables:
            if variable.source in ("env_file", "label_file"):
                continue
            text = of_variable(variable, service)
            if text is None:
                self._open(f"{key} {variable.name}".replace("\0", "…"), (variable.value.place if variable.value else variable.key).text)
                continue
            bare.append(text)
            value = literal("") if variable.value is None else of(variable.value, service)
            found[variable.name] = value
        if not empty and any(variable.value is None for variable in variables):
            return bare
        return found

    def _variables(self) -> None:
        service = self.service
        for key, variables, empty in (
            ("environment", service.environment, False), ("labels", service.labels, True), ("annotations", service.annotations, True),
            ("sysctls", service.sysctls, True), ("storage_opt", service.storage_opt, True),
        ):  # fmt: skip
            if variables:
                found = self._mapping(variables, key, empty=empty)
                if found:
                    self.out[key] = found
        logging = service.logging
        if logging is not None:
            said: dict[str, object] = {}
            if logging.driver is not None:
                said["driver"] = self._of("log-driver", logging.driver)
            if logging.options:
                said["options"] = self._mapping(logging.options, "log-opt", empty=True)
            self.out["logging"] = said

    def _gpus(self) -> None:
        gpus = self.service.gpus
        if gpus is None:
            return
        if gpus.value is UNKNOWN:
            self._lose("gpus", "a variable holds how many")
        elif gpus.value == "all":
            self.out["gpus"] = literal("all")
        else:
            from hardener.sources.write.gpus import requests

            self.out["gpus"] = requests(gpus.value)

    def _files(self) -> None:
        service = self.service
        paths = [
            literal(shown(path.value, service)) if isinstance(path.value, str) else self._of("env-file", path) for path in service.env_files
        ]
        if paths:
            self.out["env_file"] = [path for path in paths if path is not None]
        volumes: list[object] = []
        tmpfs: list[object] = []
        for mount in service.mounts:
            said = self._mount(mount)
            if said is not None:
                (tmpfs if mount.type == "tmpfs" else volumes).append(said)
        if volumes:
            self.out["volumes"] = volumes
        if tmpfs:
            self.out["tmpfs"] = tmpfs
        if service.volumes_from:
            named = [
                Setting(f"container:{item.value}", item.place, item.key, item.text)
                if isinstance(item.value, str) and not service.is_compose
                else item
                for item in service.volumes_from
            ]
            self._list("volumes_from", named)

    def _mount(self, mount: Mount) -> object | None:
        service = self.service
        whole = mount_written(mount, service)
        if whole is not None:
            return whole
        ends = mount_ends(mount, service)
        if ends is None:
            self._open("volume", mount.place.text)
            return None
        source, target = ends
        options = mount_options(mount)
        if mount.type == "tmpfs":
            return target + (":" + ",".join(options) if options else "")
        if mount.type in ("bind", "volume") and mount.create_host_path and not any("=" in option for option in options):
            where = target if source is None else source + ":" + target
            if source is not None or not options:
                return where + (":" + ",".join(options) if options else "")
        return self._long(mount, source, target, options)

    def _long(self, mount: Mount, source: Text | None, target: Text, options: list[str]) -> dict[str, object]:
        out: dict[str, object] = {"type": literal(mount.type)}
        if source is not None:
            out["source"] = source
        out["target"] = target
        if mount.read_only is True:
            out["read_only"] = True
        section: dict[str, object] = {}
        if mount.type == "bind":
            section["create_host_path"] = mount.create_host_path
            if mount.propagation:
                section["propagation"] = literal(mount.propagation)
        for option in options:
            name, equals, value = option.partition("=")
            if option in ("ro", "rw", mount.propagation):
                continue
            if option in ("z", "Z") and mount.type == "bind":
                section["selinux"] = literal(option)
            elif option == "nocopy" and mount.type == "volume":
                section["nocopy"] = True
            elif option in ("consistent", "cached", "delegated", "default"):
                out["consistency"] = literal(option)
            elif equals and name in ("bind-recursive", "volume-subpath", "image-subpath"):
                section[name.partition("-")[2]] = literal(value)
            else:
                self._lose(f"mount {option}", "compose has no such option")
        if section and mount.type in ("bind", "volume", "image"):
            out[mount.type] = section
        return out

    def _networks(self) -> None:
        service = self.service
        if service.networks:
            if any(network.ipv4 or network.aliases for network in service.networks):
                self.out["networks"] = {
                    network.name: {
                        **({"ipv4_address": literal(network.ipv4)} if network.ipv4 else {}),
                        **({"aliases": [literal(alias) for alias in network.aliases]} if network.aliases else {}),
                    }
                    for network in service.networks
                }
            else:
                self.out["networks"] = [literal(network.name) for network in service.networks]
        ports: list[object] = []
        for port in service.ports:
            text = port_text(port)
            said = written(port.place, service) if text is None else literal(text)
            if said is None or (text is None and ": " in port.place.text):
                self._open("publish", port.place.text)
            elif port.mode == "host" and text is not None:
                ports.append(_host_port(port.target, port.published, port.protocol))
            else:
                ports.append(_Quoted(said))
        if ports:
            self.out["ports"] = ports
        links = [text for text in (self._of("link", setting) for setting in service.links) if text is not None]
        if links:
            self.out["links" if service.is_compose else "external_links"] = links

    def _items(self) -> None:
        service = self.service
        devices: list[object] = []
        for device in service.devices:
            if UNKNOWN in (device.source, device.target):
                raw = written(device.place, service)
                if raw is None:
                    self._open("device", device.place.text)
                else:
                    devices.append(raw)
            elif not device.target:
                devices.append(literal(device.source))
            else:
                devices.append(literal(f"{device.source}:{device.target}:{device.permissions}"))
        if devices:
            self.out["devices"] = devices
        limits: dict[str, object] = {}
        for limit in service.ulimits:
            if UNKNOWN in (limit.soft, limit.hard):
                self._open(f"ulimit {limit.name}".replace("\0", "…"), limit.place.text)
            elif limit.soft == limit.hard:
                limits[limit.name] = _Number(str(limit.soft))
            else:
                limits[limit.name] = {"soft": _Number(str(limit.soft)), "hard": _Number(str(limit.hard))}
        if limits:
            self.out["ulimits"] = limits

    def _health(self) -> None:
        health = self.service.healthcheck
        if health is None:
            return
        out: dict[str, object] = {}
        if health.disabled is not None:
            out["disable"] = True
        elif health.test is not None:
            words = [self._of("health-cmd", word) for word in health.test.words]
            if None not in words:
                out["test"] = [literal("CMD-SHELL" if health.test.shell else "CMD"), *words]
        for name in ("interval", "timeout", "start_period", "start_interval"):
            setting: Setting[float] | None = getattr(health, name)
            if setting is not None:
                out[name] = self._raw(name, setting.place) if setting.value is UNKNOWN else literal(duration(setting.value))
        if health.retries is not None:
            retries = health.retries
            out["retries"] = self._raw("health-retries", retries.place) if retries.value is UNKNOWN else _Number(str(retries.value))
        self.out["healthcheck"] = out

    def _extra(self) -> None:
        service = self.service
        blkio: dict[str, object] = {}
        for variable in service.extra:
            name, setting = variable.name, variable.value
            text = None if setting is None else self._of(name, setting)
            if text is None:
                continue
            if name in _EXTRA_SINGLE:
                self.out[name] = _count(text)
            elif name in _EXTRA_LISTS:
                old = self.out.get(name)
                self.out[name] = [*(old if isinstance(old, list) else []), text]
            elif name.startswith("blkio_config."):
                _blkio(blkio, name.removeprefix("blkio_config."), text)
            else:
                flag = next((flag for flag, place in service.keys.items() if place == variable.key), name)
                self._lose(flag, _LOST.get(name, "compose has no such key"))
        if blkio:
            self.out["blkio_config"] = blkio

    def _unsaid(self) -> None:
        service = self.service
        if service.open_ended:
            self._lose("…", "the line has more flags than are written: a variable holds them")
        if service.remove is not None and service.remove.value is not False:
            self._lose("rm", _LOST["rm"])
        if service.publish_all is not None and service.publish_all.value is not False:
            self._lose("publish-all", _LOST["publish-all"])
        if not service.is_compose:
            if service.secrets:
                self._lose("secret", "where podman's secrets come from, a compose file must say")
            return
        for key in service.keys:
            if key in _NOT_CARRIED:
                self._lose(key, "converting from compose to compose does not carry it over")


class _Number(str):
    """A number as it is to be written."""

    __slots__ = ()


class _Quoted:
    """A text that is always quoted: what looks like a number to other readers."""

    __slots__ = ("text",)

    def __init__(self, text: Text) -> None:
        self.text = text


def _host_port(target: object, published: object, protocol: str) -> dict[str, object]:
    out: dict[str, object] = {"target": literal(target), "mode": literal("host"), "protocol": literal(protocol)}
    if published is not None:
        out["published"] = literal(published)
    return out


def _count(text: Text) -> Text | _Number:
    known = text.known
    return text if known is None or not known.isdecimal() else _Number(known)


def _blkio(out: dict[str, object], name: str, text: Text) -> None:
    if name == "weight":
        out[name] = _count(text)
        return
    known = text.known
    path, colon, rate = (known or "").rpartition(":")
    if not colon:
        return
    old = out.get(name)
    item: dict[str, object] = {"path": literal(path), "weight" if name == "weight_device" else "rate": _count(literal(rate))}
    out[name] = [*(old if isinstance(old, list) else []), item]


def _lines(node: object, depth: int) -> list[str]:
    """Return a tree as the lines of a YAML file."""
    pad = "  " * depth
    out: list[str] = []
    if isinstance(node, dict):
        for name, value in node.items():
            key = literal(name).yaml().replace("$$", "$")
            if isinstance(value, dict | list) and value:
                out.append(f"{pad}{key}:")
                out.extend(_lines(value, depth + 1))
            else:
                out.append(f"{pad}{key}: {_scalar(value)}")
    elif isinstance(node, list):
        for item in node:
            if isinstance(item, dict) and item:
                first, *rest = _lines(item, depth + 1)
                out.append(f"{pad}- {first.strip()}")
                out.extend(rest)
            else:
                out.append(f"{pad}- {_scalar(item)}")
    return out


def _scalar(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case _Number():
            return str(value)
        case _Quoted():
            text = value.text.yaml()
            return text if text.startswith('"') else quoted(text)
        case Text():
            return value.yaml()
        case dict():
            return "{}"
        case list():
            return "[]"
    raise TypeError(f"no YAML for {type(value).__name__}")
