"""What `docker inspect` shows of a container, beside what our reader makes of its run line: both as one plain mapping.

Only what differs from a container without any flag is kept, so a flag that does nothing shows as well.
"""

from typing import Any

from hardener.sources.service import Mount, Port, Service, Variable
from hardener.sources.unknown import UNKNOWN

CONFIG = (
    "Image", "Cmd", "Entrypoint", "Env", "User", "WorkingDir", "Hostname", "Domainname", "Tty", "OpenStdin", "Labels", "StopSignal",
    "StopTimeout", "Healthcheck", "ExposedPorts", "Volumes",
)  # fmt: skip
HOST = (
    "Binds", "Mounts", "Tmpfs", "NetworkMode", "PortBindings", "RestartPolicy", "AutoRemove", "VolumesFrom", "CapAdd", "CapDrop",
    "CgroupnsMode", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "IpcMode", "Links", "OomScoreAdj", "PidMode", "Privileged",
    "PublishAllPorts", "ReadonlyRootfs", "SecurityOpt", "UTSMode", "UsernsMode", "ShmSize", "Sysctls", "Runtime", "CpuShares", "Memory",
    "NanoCpus", "CgroupParent", "CpuPeriod", "CpuQuota", "CpusetCpus", "CpusetMems", "Devices", "DeviceCgroupRules", "DeviceRequests",
    "MemoryReservation", "MemorySwap", "MemorySwappiness", "OomKillDisable", "PidsLimit", "Ulimits", "LogConfig", "Init", "StorageOpt",
)  # fmt: skip


def recorded(inspected: dict[str, Any], plain: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Return what a container has that a plain one has not; `names` are what to call the things of the machine it was recorded on."""
    shape: dict[str, Any] = {}
    for part, keys in (("Config", CONFIG), ("HostConfig", HOST)):
        for name in keys:
            value = inspected[part].get(name)
            if value not in (plain[part].get(name), None, [], {}):
                shape[name] = value
    if inspected["Id"].startswith(shape.get("Hostname", "-")) or shape.get("Hostname") == names.get("host"):
        del shape["Hostname"]  # nobody asked for it
    if "Links" in shape:  # /other:/this/alias
        shape["Links"] = [link.split(":")[0][1:] + ":" + link.rpartition("/")[2] for link in shape["Links"]]
    return _sorted(_replace(shape, names))


def _sorted(shape: dict[str, Any]) -> dict[str, Any]:
    """Return a shape without the order and the spelling that the daemon changes."""
    for name in ("CapAdd", "CapDrop"):
        if name in shape:
            shape[name] = sorted(item if item == "ALL" else "CAP_" + item.upper().removeprefix("CAP_") for item in shape[name])
    if "Env" in shape:
        shape["Env"] = sorted(shape["Env"])
    return shape


def _replace(value: Any, names: dict[str, str]) -> Any:
    match value:
        case str():
            for old, new in names.items():
                value = value.replace(old, new) if old != "host" else value
        case list():
            return [_replace(item, names) for item in value]
        case dict():
            return {name: _replace(item, names) for name, item in value.items()}
    return value


def shape_of(service: Service) -> dict[str, Any]:
    """Return what the daemon would show of a container that is started as `service` says."""
    shape: dict[str, Any] = {}

    def put(name: str, value: Any) -> None:
        if value not in (None, [], {}, "", False):
            shape[name] = value

    def known(field: str) -> Any:
        setting = getattr(service, field)
        if setting is None:
            return None
        assert setting.value is not UNKNOWN
        return setting.value

    def texts(field: str) -> list[str]:
        return [setting.value for setting in getattr(service, field)]

    put("Image", known("image"))
    put("Cmd", [word.value for word in service.command.words] if service.command is not None else None)
    if service.entrypoint is not None:
        put("Entrypoint", [word.value for word in service.entrypoint.words])
    put("Env", [variable.name if variable.value is None else f"{variable.name}={variable.value.value}" for variable in service.environment])
    put("Labels", _mapping(service.labels))
    for name, field in (
        ("User", "user"), ("WorkingDir", "working_dir"), ("Hostname", "hostname"), ("Domainname", "domainname"), ("Tty", "tty"),
        ("OpenStdin", "stdin_open"), ("StopSignal", "stop_signal"), ("AutoRemove", "remove"), ("CgroupnsMode", "cgroup"),
        ("PidMode", "pid"),
        ("Privileged", "privileged"), ("PublishAllPorts", "publish_all"), ("ReadonlyRootfs", "read_only"), ("UTSMode", "uts"),
        ("UsernsMode", "userns_mode"), ("ShmSize", "shm_size"), ("Runtime", "runtime"), ("CpuShares", "cpu_shares"), ("Memory", "memory"),
        ("CgroupParent", "cgroup_parent"), ("CpuQuota", "cpu_quota"), ("CpusetCpus", "cpuset"), ("MemoryReservation", "memory_reservation"),
        ("MemorySwappiness", "memory_swappiness"), ("OomKillDisable", "oom_kill_disable"), ("PidsLimit", "pids_limit"),
        ("OomScoreAdj", "oom_score_adj"), ("IpcMode", "ipc"),
    ):  # fmt: skip
        put(name, known(field))
    if service.init is not None:
        shape["Init"] = service.init.value
    if service.stop_grace_period is not None:
        shape["StopTimeout"] = int(service.stop_grace_period.known or 0)
    if service.cpus is not None:
        put("NanoCpus", round((service.cpus.known or 0) * 1e9))
    memory = None if service.memory is None else service.memory.known
    if memory:
        put("MemorySwap", service.memory_swap.value if service.memory_swap is not None else 2 * memory)
    for name, field in (
        ("CapAdd", "cap_add"), ("CapDrop", "cap_drop"), ("Dns", "dns"), ("GroupAdd", "group_add"),
        ("VolumesFrom", "volumes_from"), ("DeviceCgroupRules", "device_cgroup_rules"), ("Links", "links"),
    ):  # fmt: skip
        put(name, texts(field))
    put("ExtraHosts", [host.replace("=", ":", 1) for host in texts("extra_hosts")])
    options = [option for option in texts("security_opt") if option != "systempaths=unconfined"]
    if known("privileged") or known("pid") == "host" or known("ipc") == "host":
        options.append("label=disable")
    put("SecurityOpt", options)
    put("Sysctls", _mapping(service.sysctls))
    put("StorageOpt", _mapping(service.storage_opt))
    put("Ulimits", [{"Name": limit.name, "Hard": limit.hard, "Soft": limit.soft} for limit in sorted(service.ulimits)])
    put(
        "Devices",
        [{"PathOnHost": item.source, "PathInContainer": item.target, "CgroupPermissions": item.permissions} for item in service.devices],
    )
    if service.gpus is not None:
        put("DeviceRequests", [_gpus(service.gpus.text)])
    extra: dict[str, list[str]] = {}
    for variable in service.extra:
        if variable.value is not None:
            extra.setdefault(variable.name, []).append(variable.value.text)
    put("DnsOptions", extra.get("dns_opt"))
    put("DnsSearch", extra.get("dns_search"))
    put("CpusetMems", extra.get("cpuset_mems", [""])[-1])
    put("CpuPeriod", int(extra.get("cpu_period", ["0"])[-1]))
    _restart(service, shape)
    _logging(service, shape)
    _health(service, shape)
    _network(service, shape)
    _mounts(service, shape)
    usual = {"IpcMode": "private", "CgroupnsMode": "host", "Runtime": "runc", "PidsLimit": -1}
    return _sorted({name: value for name, value in shape.items() if usual.get(name) != value})


def _mapping(variables: tuple[Variable, ...]) -> dict[str, str]:
    return {variable.name: "" if variable.value is None else variable.value.known or "" for variable in variables}


def _gpus(text: str) -> dict[str, Any]:
    request: dict[str, Any] = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}
    name, equals, value = text.partition("=")
    if not equals:
        request["Count"] = -1 if name == "all" else int(name)
    else:
        request["DeviceIDs"] = [value]
    return request


def _restart(service: Service, shape: dict[str, Any]) -> None:
    if service.restart is not None and service.restart.value not in ("", "no"):
        name, _, count = service.restart.text.partition(":")
        shape["RestartPolicy"] = {"Name": name, "MaximumRetryCount": int(count or 0)}


def _logging(service: Service, shape: dict[str, Any]) -> None:
    if service.logging is not None:
        driver = service.logging.driver
        shape["LogConfig"] = {"Type": "json-file" if driver is None else driver.value, "Config": _mapping(service.logging.options)}


def _health(service: Service, shape: dict[str, Any]) -> None:
    health = service.healthcheck
    if health is None:
        return
    if health.disabled is not None:
        shape["Healthcheck"] = {"Test": ["NONE"]}
        return
    found: dict[str, Any] = {}
    if health.test is not None:
        found["Test"] = ["CMD-SHELL", *[word.value for word in health.test.words]]
    for name, setting in (("Interval", health.interval), ("Timeout", health.timeout), ("StartPeriod", health.start_period)):
        if setting is not None and setting.known:
            found[name] = round(setting.known * 1e9)
    if health.retries is not None and health.retries.value:
        found["Retries"] = health.retries.value
    if found:
        shape["Healthcheck"] = found


def _network(service: Service, shape: dict[str, Any]) -> None:
    mode = service.network_mode.value if service.network_mode is not None else None
    if mode is None and service.networks:
        mode = service.networks[0].name
    if mode not in (None, "default"):
        shape["NetworkMode"] = mode
    exposed: dict[str, Any] = {}
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in service.ports:
        for target, host in _spread(port):
            exposed[f"{target}/{port.protocol}"] = {}
            bindings.setdefault(f"{target}/{port.protocol}", []).append({"HostIp": str(port.host_ip or ""), "HostPort": host})
    for setting in service.expose:
        ports, _, protocol = setting.text.partition("/")
        first, _, last = ports.partition("-")
        for number in range(int(first), int(last or first) + 1):
            exposed[f"{number}/{protocol or 'tcp'}"] = {}
    if exposed:
        shape["ExposedPorts"] = exposed
    if bindings:
        shape["PortBindings"] = bindings


def _spread(port: Port) -> list[tuple[int, str]]:
    first, _, last = str(port.target).partition("-")
    targets = range(int(first), int(last or first) + 1)
    if port.published is None:
        return [(target, "") for target in targets]
    low, _, high = str(port.published).partition("-")
    if high and len(targets) == 1:
        return [(targets[0], f"{low}-{high}" if high != low else low)]
    return [(target, str(int(low) + index)) for index, target in enumerate(targets)]


def _mounts(service: Service, shape: dict[str, Any]) -> None:
    binds: list[str] = []
    mounts: list[dict[str, Any]] = []
    volumes: dict[str, Any] = {}
    tmpfs: dict[str, str] = {}
    for mount in service.mounts:
        if mount.place.text.startswith(("type=", "src=", "source=", "target=", "dst=", "ro,")):
            mounts.append(_long(mount))
        elif mount.type == "tmpfs":
            tmpfs[str(mount.target)] = ",".join(mount.options)
        elif mount.source is None:
            volumes[str(mount.target)] = {}
        else:
            options = ",".join(mount.options)
            binds.append(f"{mount.source}:{mount.target}" + (f":{options}" if options else ""))
    found = {"Binds": binds, "Mounts": mounts, "Volumes": volumes, "Tmpfs": tmpfs}
    shape.update({name: value for name, value in found.items() if value})


def _long(mount: Mount) -> dict[str, Any]:
    found: dict[str, Any] = {"Type": mount.type, "Target": mount.target}
    if mount.source is not None:
        found["Source"] = mount.source
    if mount.read_only is True:
        found["ReadOnly"] = True
    if mount.propagation:
        found["BindOptions"] = {"Propagation": mount.propagation}
    if "nocopy" in mount.options:
        found["VolumeOptions"] = {"NoCopy": True, "DriverConfig": {}}
    for option in mount.options:
        name, _, value = option.partition("=")
        if name == "size":
            found.setdefault("TmpfsOptions", {})["SizeBytes"] = int(value.removesuffix("m")) * 1024**2
        if name == "mode":
            found.setdefault("TmpfsOptions", {})["Mode"] = int(value, 8)
    return found
