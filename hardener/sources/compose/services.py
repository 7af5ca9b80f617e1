"""From the merged tree of a project to its services: every key of a service to the field that holds it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hardener.sources.compose import relations, scalars
from hardener.sources.compose.mounts import mounts, tmpfs
from hardener.sources.compose.ports import ports
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.compose.words import command
from hardener.sources.service import Hook, Logging, Project, Service, Setting, Variable
from hardener.text import Place, SourceFile, Span

if TYPE_CHECKING:
    from hardener.sources.compose import Options
    from hardener.sources.compose.env_files import Cache

_PLAIN: Final[dict[str, Callable[[Node | None, Place], object]]] = {
    **dict.fromkeys(
        (
            "image", "platform", "pull_policy", "working_dir", "container_name", "hostname", "domainname", "stop_signal", "user",
            "network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup", "cgroup_parent", "isolation", "runtime", "mac_address", "cpuset",
            "restart",
        ),
        scalars.text,
    ),
    **dict.fromkeys(("stdin_open", "tty", "init", "privileged", "read_only", "use_api_socket", "oom_kill_disable"), scalars.switch),
    **dict.fromkeys(
        ("group_add", "cap_add", "cap_drop", "security_opt", "volumes_from", "device_cgroup_rules", "expose", "links", "dns", "profiles"),
        scalars.texts,
    ),
    **dict.fromkeys(("cpu_quota", "cpu_shares", "mem_swappiness", "oom_score_adj", "pids_limit", "scale"), scalars.integer),
    **dict.fromkeys(("mem_limit", "mem_reservation", "memswap_limit", "shm_size"), scalars.size),
    "cpus": scalars.number,
    "stop_grace_period": scalars.duration,
    "extra_hosts": scalars.hosts,
    "command": command,
    "entrypoint": command,
}  # fmt: skip
"""How the keys are read whose value says everything."""

_FIELDS: Final = {
    "mem_limit": "memory",
    "mem_reservation": "memory_reservation",
    "memswap_limit": "memory_swap",
    "mem_swappiness": "memory_swappiness",
}
"""The fields that are not named like their key."""

_EXTRA: Final = frozenset(
    (
        "attach", "cpu_count", "cpu_percent", "cpu_period", "cpu_rt_period", "cpu_rt_runtime", "dns_opt", "dns_search", "external_links",
        "pull_refresh_after",
    )
)  # fmt: skip


def build(project: Project, tree: Keys, options: "Options") -> None:
    """Fill a project from the merged tree: services, resources, and what is wrong with either."""
    from hardener.sources.compose import schema, validate

    schema.check(project, tree)
    found = tree.get("services")
    services: list[Service] = []
    cache: Cache = {}
    if isinstance(found, Keys):
        for name, entry in found.entries.items():
            if isinstance(entry.value, Keys) and not name.startswith("x-"):
                services.append(_service(project, name, entry.key, entry.value, cache))
    project.services = tuple(services)
    if any(name in tree.entries for name in ("networks", "volumes", "secrets", "configs")):
        from hardener.sources.compose import resources

        resources.fill(project, tree, folders(project))
    validate.check(project, tree)


def _service(project: Project, name: str, key: Place, keys: Keys, cache: "Cache") -> Service:
    service = Service(name, "stack" if project.is_stack else "compose", key, _whole(key, keys), project)
    _note(service.keys, "", keys)
    for field, entry in keys.entries.items():
        read = _PLAIN.get(field)
        if read is not None:
            value = read(entry.value, entry.key)
            if value is not None:
                setattr(service, _FIELDS.get(field, field), value)
        elif (special := _SPECIAL.get(field)) is not None:
            special(service, entry.value, entry.key)
    # What two keys say together, in an order that does not depend on the file.
    if "deploy" in keys.entries:
        from hardener.sources.compose.deploy import deploy

        entry = keys.entries["deploy"]
        service.deploy = deploy(entry.value, entry.key, service)
    if "env_file" in keys.entries or "label_file" in keys.entries:
        from hardener.sources.compose import env_files

        env_files.add(service, keys, folders(project), cache)
    return service


def _whole(key: Place, keys: Keys) -> Place:
    """Return the whole definition, as far as it stands where its name does."""
    whole = keys.place
    if whole.file is not key.file or whole.span.end < key.span.end:
        return key
    return Place(key.file, Span(key.span.start, whole.span.end))


def _note(places: dict[str, Place], prefix: str, keys: Keys) -> None:
    """Write down where every key stands."""
    for name, entry in keys.entries.items():
        places[prefix + name] = entry.key
        if isinstance(entry.value, Keys):
            _note(places, f"{prefix}{name}.", entry.value)


def folders(project: Project) -> Callable[[SourceFile], str]:
    """Return a function from files to the folder that their relative paths start from."""
    known, usual = project.folders, project.folder
    return lambda file: known.get(file, usual)


def _environment(service: Service, node: Node, key: Place) -> None:
    service.environment = scalars.variables(node, "environment")


def _variables(name: str) -> Callable[[Service, Node, Place], None]:
    def read(service: Service, node: Node, key: Place) -> None:
        setattr(service, name, scalars.variables(node, name))

    return read


def _build(service: Service, node: Node, key: Place) -> None:
    from hardener.sources.compose.builds import build

    service.build = build(node, key, folders(service.project))


def _volumes(service: Service, node: Node, key: Place) -> None:
    service.mounts = (*mounts(node, folders(service.project)), *service.mounts)


def _tmpfs(service: Service, node: Node, key: Place) -> None:
    service.mounts = (*service.mounts, *tmpfs(node))


def _ports(service: Service, node: Node, key: Place) -> None:
    service.ports = ports(node)


def _networks(service: Service, node: Node, key: Place) -> None:
    service.networks = relations.networks(node)


def _depends_on(service: Service, node: Node, key: Place) -> None:
    service.depends_on = relations.dependencies(node)


def _secrets(service: Service, node: Node, key: Place) -> None:
    service.secrets = relations.grants(node, "/run/secrets/")


def _configs(service: Service, node: Node, key: Place) -> None:
    service.configs = relations.grants(node, "/")


def _healthcheck(service: Service, node: Node, key: Place) -> None:
    from hardener.sources.compose.health import healthcheck

    service.healthcheck = healthcheck(node, key)


def _logging(service: Service, node: Node, key: Place) -> None:
    if isinstance(node, Keys):
        found = service.logging = Logging(node.place, key)
        if (driver := node.entries.get("driver")) is not None:
            found.driver = scalars.text(driver.value, driver.key)
        found.options = scalars.variables(node.get("options"), "logging.options")


def _devices(service: Service, node: Node, key: Place) -> None:
    from hardener.sources.compose.devices import devices

    service.devices = devices(node)


def _ulimits(service: Service, node: Node, key: Place) -> None:
    from hardener.sources.compose.devices import ulimits

    service.ulimits = ulimits(node)


def _gpus(service: Service, node: Node, key: Place) -> None:
    from hardener.sources.compose.devices import gpus

    service.gpus = gpus(node, key)


def _credential_spec(service: Service, node: Node, key: Place) -> None:
    if isinstance(node, Keys):
        for name, entry in node.entries.items():
            written = scalars.text(entry.value, entry.key)
            if name in ("config", "file", "registry") and written is not None:
                value = written.value if written.known is None else f"{name}://{written.known}"
                service.credential_spec = Setting(value, written.place, entry.key, written.text, written.history)


def _provider(service: Service, node: Node, key: Place) -> None:
    if isinstance(node, Keys) and (kind := node.entries.get("type")) is not None:
        service.provider = scalars.text(kind.value, kind.key)


def _models(service: Service, node: Node, key: Place) -> None:
    if isinstance(node, Keys):
        service.models = tuple([Setting(name, entry.key, key, name) for name, entry in node.entries.items()])
    else:
        service.models = scalars.texts(node, key)


def _hooks(event: str) -> Callable[[Service, Node, Place], None]:
    def read(service: Service, node: Node, key: Place) -> None:
        found = []
        for item in node.items if isinstance(node, Items) else ():
            if isinstance(item, Keys):
                line, user, privileged = (item.entries.get(name) for name in ("command", "user", "privileged"))
                found.append(
                    Hook(
                        event,
                        None if line is None else command(line.value, line.key),
                        None if user is None else scalars.text(user.value, user.key),
                        None if privileged is None else scalars.switch(privileged.value, privileged.key),
                        item.place,
                    )
                )
        service.hooks = (*service.hooks, *found)

    return read


def _extra(name: str) -> Callable[[Service, Node, Place], None]:
    def read(service: Service, node: Node, key: Place) -> None:
        if isinstance(node, Leaf | Items):
            service.extra = (*service.extra, *(Variable(name, key, value, name) for value in scalars.texts(node, key)))

    return read


_SPECIAL: Final[dict[str, Callable[[Service, Node, Place], None]]] = {
    "environment": _environment,
    **{name: _variables(name) for name in ("labels", "annotations", "sysctls", "storage_opt")},
    "build": _build,
    "volumes": _volumes,
    "tmpfs": _tmpfs,
    "ports": _ports,
    "networks": _networks,
    "depends_on": _depends_on,
    "secrets": _secrets,
    "configs": _configs,
    "healthcheck": _healthcheck,
    "logging": _logging,
    "devices": _devices,
    "ulimits": _ulimits,
    "gpus": _gpus,
    "credential_spec": _credential_spec,
    "provider": _provider,
    "models": _models,
    **{event: _hooks(event) for event in ("pre_start", "post_start", "pre_stop")},
    **{name: _extra(name) for name in _EXTRA},
}
"""How the keys are read that need more than their value; each sets its field of the service."""
