"""Stacks: what a deployment to a swarm drops or refuses, updates, placement, networks between the nodes.

What `docker stack deploy` does with each key was measured on a swarm manager; tests/fixtures/swarm/dropped.json has the table, and a test
that the sets here are the same.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules import known_services
from hardener.rules.checks import Check
from hardener.rules.checks.service.posture import has_healthcheck
from hardener.rules.context import ServiceContext
from hardener.rules.known_services import is_store
from hardener.rules.services import at, has_address, is_complete, missing, source_of
from hardener.sources.service import Deploy, Mount, Port, Project, Resource, Service, Setting, Update
from hardener.sources.unknown import UNKNOWN
from hardener.text import Place

DROPPED: Final = frozenset({
    "build", "cgroup_parent", "cgroupns_mode", "container_name", "depends_on", "devices", "domainname", "expose", "external_links",
    "ipc", "links", "mac_address", "network_mode", "pid", "privileged", "security_opt", "shm_size", "tmpfs", "userns_mode",
})  # fmt: skip
"""Keys of a service that `docker stack deploy` accepts and does not put in force: most with a warning that scrolls by, `tmpfs` and
`depends_on` without a word. `restart` gets the same warning and is in force nevertheless."""

REFUSED: Final = frozenset({
    "annotations", "attach", "blkio_config", "cgroup", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period",
    "cpu_rt_runtime", "cpu_shares", "cpus", "cpuset", "develop", "device_cgroup_rules", "dns_opt", "extends", "gpus", "group_add",
    "label_file", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models", "oom_kill_disable", "pids_limit",
    "platform", "post_start", "pre_start", "pre_stop", "profiles", "provider", "pull_policy", "pull_refresh_after", "runtime", "scale",
    "storage_opt", "use_api_socket", "uts", "volume_driver", "volumes_from",
})  # fmt: skip
"""Keys of a service with which `docker stack deploy` refuses the whole file."""

_INSTEAD: Final[Mapping[str, str]] = {
    "cgroup_parent": "the tasks stay in the engine's own control group",
    "cgroupns_mode": "each node's default decides",
    "container_name": "tasks are named after the stack, and others reach the service by its own name",
    "depends_on": "all services start at once, and each has to wait for what it needs by itself",
    "devices": "the container does not get them",
    "domainname": "the container has none",
    "external_links": "services reach each other by name on a network they share",
    "ipc": "each task has a namespace of its own",
    "links": "services reach each other by name on a network they share",
    "mac_address": "the engine chooses one",
    "network_mode": "the service is on the stack's own network",
    "pid": "each task has a namespace of its own",
    "privileged": "the service runs without privileges; cap_add and sysctls are in force",
    "security_opt": "each node's defaults are in force",
    "shm_size": "/dev/shm has 64 MB; a volume of type tmpfs at /dev/shm may be larger",  # noqa: S108
    "userns_mode": "each node's default decides",
}
"""What happens in place of a dropped key. `build` and `expose` are missing: beside an image, and on an overlay, they are only notes."""

_LOOPBACK: Final = ("127.", "localhost", "::1", "[::1]")

# Paths that are on every Linux node, or on every node that runs an engine.
_ON_EVERY_NODE: Final = ("/var/run/", "/run/", "/proc/", "/sys/", "/dev/", "/var/lib/docker/", "/var/log/", "/lib/modules/", "/boot/")
_FILES_ON_EVERY_NODE: Final = frozenset(
    {
        "/",
        "/etc/localtime",
        "/etc/timezone",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/passwd",
        "/etc/group",
        "/etc/os-release",
        "/etc/machine-id",
    }
)
_SHARED_FILE_SYSTEMS: Final = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "gpfs", "9p", "fuse")


# --- what is not in force ---------------------------------------------------------------------------------------------------


def _hardens(option: str) -> bool:
    """Whether a security option takes something away; `seccomp=unconfined` and its kin give."""
    name, _, value = option.replace(":", "=", 1).partition("=")
    return not (value in ("unconfined", "disable", "false") or (name == "label" and value.startswith("type=spc_t")))


def hardening_dropped(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report hardening that a stack deployment drops."""
    if service.origin != "stack":
        return
    lost = [option for option in service.security_opt if _hardens(option.text)]
    if lost:
        place = service.keys.get("security_opt", lost[0].place)
        named = ", ".join(option.text.partition("{")[0][:40] for option in lost)
        yield Match(place.span, {"key": "security_opt", "lost": f"{named} does not reach the tasks"}, file=place.file)
    ipc = service.ipc
    if ipc is not None and ipc.known in ("none", "private") and "ipc" in service.keys:
        place = service.keys["ipc"]
        yield Match(place.span, {"key": "ipc", "lost": f"`{ipc.text}` does not reach the tasks"}, file=place.file)


def _is_idle(service: Service, key: str) -> bool:
    """Whether a dropped key says what holds anyway, or has a rule of its own."""
    match key:
        case "privileged":
            return service.privileged is None or service.privileged.value is False
        case "security_opt":
            return not service.security_opt or any(_hardens(option.text) for option in service.security_opt)
        case "ipc":
            return service.ipc is None or service.ipc.known in ("none", "private", "")
        case "depends_on":
            return any(name.startswith("depends_on.") for name in service.keys)  # the long form is refused
        case "network_mode":
            return service.network_mode is None or service.network_mode.known in ("bridge", "default")
    return False


def key_dropped(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report other keys that a stack deployment drops."""
    if service.origin != "stack":
        return
    for key, place in service.keys.items():
        if key in DROPPED:
            instead = _INSTEAD.get(key)
            if instead is not None and not _is_idle(service, key):
                yield Match(place.span, {"key": key, "instead": instead}, file=place.file)
        elif key.startswith("networks.") and key.endswith((".ipv4_address", ".ipv6_address")):
            yield Match(place.span, {"key": key.rpartition(".")[2], "instead": "the swarm hands out addresses"}, file=place.file)


def tmpfs_dropped(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `tmpfs:` in a stack; worst where the root file system is read-only and the service needs it."""
    place = service.keys.get("tmpfs")
    if service.origin != "stack" or place is None:
        return
    sealed = service.read_only is not None and service.read_only.value is True
    consequence = (
        "and on its read-only file system the service cannot write there" if sealed else "and its files are written to the node's disk"
    )
    yield Match(place.span, {"consequence": consequence}, severity=Severity.MEDIUM if sealed else None, file=place.file)


def address_dropped(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a port that is published on one address: a swarm publishes it on all of all nodes."""
    if service.origin != "stack":
        return
    for port in service.ports:
        if not has_address(port):
            continue
        address = str(port.host_ip)
        role = known_services.role(service, port.target, port.protocol) if isinstance(port.target, str) else None
        severity = Severity.HIGH if address.startswith(_LOOPBACK) else None
        if role is not None and role.severity is not None:
            severity = max(role.severity, severity or Severity.MEDIUM)
        number = f"port {'that a variable names' if port.published is UNKNOWN else port.published or port.target}"
        yield Match(
            port.place.span,
            {"address": address, "port": number if role is None else f"{role.what} at {number}"},
            port.history,
            severity=severity,
            file=port.place.file,
        )


def key_refused(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report keys with which the deployment is refused."""
    if service.origin != "stack":
        return
    long_form = True
    for key, place in service.keys.items():
        if key in REFUSED:
            yield Match(place.span, {"key": f"`{key}`"}, file=place.file)
        elif key == "deploy.resources.reservations.devices":
            yield Match(place.span, {"key": "a reservation of devices"}, file=place.file)
        elif key.startswith("depends_on.") and long_form:
            long_form = False  # once is enough
            start = service.keys["depends_on"]
            yield Match(start.span, {"key": "the long form of `depends_on`"}, file=start.file)
        elif key.startswith("networks.") and key.endswith((".mac_address", ".priority")):
            yield Match(place.span, {"key": f"`{key.rpartition('.')[2]}` of a network"}, file=place.file)


def no_image(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service of a stack that has only a build."""
    if service.origin == "stack" and service.image is None and service.build is not None and is_complete(service):
        place = service.build.key
        yield Match(place.span, {"name": service.name}, file=place.file)


def impossible_deployment(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report settings of a deployment that exclude each other."""
    deploy = service.deploy
    if deploy is None or service.origin != "stack":
        return
    mode, replicas = deploy.mode, deploy.replicas
    if mode is not None and replicas is not None and mode.known in ("global", "global-job"):
        related = ((mode.place, "global here"),)
        yield at(replicas, related=related, reason=f"a {mode.text} service runs once on each node, and has no number of replicas")
    endpoint = deploy.endpoint_mode
    if endpoint is not None and endpoint.known == "dnsrr":
        port = next((port for port in service.ports if port.mode != "host"), None)
        if port is not None:
            reason = "a service with dnsrr has no address of its own, so the routing mesh cannot publish a port of it"
            yield at(endpoint, related=((port.place, "published here"),), reason=reason)


def restart_no_dropped(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `restart: no` in a stack: a swarm takes it for nothing said, and restarts everything that ends."""
    restart = service.restart
    if service.origin == "stack" and restart is not None and restart.known == "no" and "deploy.restart_policy" not in service.keys:
        mode = None if service.deploy is None else service.deploy.mode
        if mode is None or mode.known in ("replicated", "global"):
            yield at(restart, name=service.name)


_NOT_FOR_COMPOSE: Final[Mapping[str, str]] = {
    "deploy.update_config": "compose replaces all containers at once",
    "deploy.rollback_config": "compose knows no rollback",
    "deploy.placement": "compose has one host",
    "deploy.endpoint_mode": "compose has no virtual addresses",
}


def deploy_key_dropped(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report keys of `deploy:` that only a swarm acts on, in a project that cannot be a stack."""
    if service.deploy is None or service.origin != "compose":
        return
    for key, reason in _NOT_FOR_COMPOSE.items():
        place = service.keys.get(key)
        if place is not None:
            yield Match(place.span, {"key": key, "reason": reason}, file=place.file)


# --- updates ----------------------------------------------------------------------------------------------------------------


def _deployment(service: Service) -> Deploy | None:
    """Return the deployment of a service of a stack that runs on; None for jobs and for what is no stack."""
    deploy = service.deploy
    if service.origin != "stack" or deploy is None:
        return None
    return None if deploy.mode is not None and (deploy.mode.value is UNKNOWN or deploy.mode.value.endswith("-job")) else deploy


def _update(service: Service) -> Update | None:
    deploy = _deployment(service)
    return None if deploy is None else deploy.update


def _replicas(service: Service) -> int | None:
    """Return how many tasks a service has; None when that is not known, or one for each node."""
    deploy = service.deploy
    if deploy is None:
        return 1
    if deploy.mode is not None and deploy.mode.known != "replicated":
        return None
    return 1 if deploy.replicas is None else deploy.replicas.known


def _says(setting: Setting[str] | None, value: str) -> bool:
    return setting is not None and setting.known == value


def _keeps_data(service: Service) -> bool:
    """Whether a service writes to something that outlives its tasks, or is a data store."""
    return is_store(service) or any(mount.type in ("volume", "bind", "cluster") and mount.read_only is not True for mount in service.mounts)


def _mesh_port(service: Service) -> Port | None:
    return next((port for port in service.ports if port.mode != "host"), None)


def update_without_healthcheck(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report an update that goes by health where there is no health check."""
    update = _update(service)
    if update is None or not is_complete(service) or has_healthcheck(service, context) is not False:
        return
    relies = [
        setting for setting in (update.failure_action, update.order) if setting is not None and setting.known in ("rollback", "start-first")
    ]
    what = f"`{relies[0].text}`" if relies else "the update"
    severity = None if relies else Severity.LOW
    yield Match(update.key.span, {"what": what, "name": service.name}, severity=severity, file=update.key.file)


def update_failure_ignored(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report an update that goes on over tasks that fail."""
    update = _update(service)
    action = None if update is None else update.failure_action
    if action is not None and action.known == "continue":
        yield at(action, name=service.name)


def update_without_rollback(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report an update that stops half-way when it fails."""
    update = _update(service)
    if update is None:
        return
    action = update.failure_action
    if action is None:
        yield Match(update.key.span, {"name": service.name}, file=update.key.file)
    elif action.known == "pause":
        yield at(action, name=service.name)


def no_update_config(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a published service whose updates nobody has thought about."""
    if service.origin != "stack" or not service.ports or not is_complete(service):
        return
    deploy = service.deploy
    if deploy is None or (deploy.update is None and _deployment(service) is not None):
        yield missing(service, name=service.name)


def no_rollback_config(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a rollback that is asked for and not described."""
    deploy, update = _deployment(service), _update(service)
    if deploy is not None and update is not None and deploy.rollback is None:
        action = update.failure_action
        if action is not None and action.known == "rollback":
            yield at(action, name=service.name)


def update_all_at_once(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report an update of all tasks at the same time."""
    update = _update(service)
    setting = None if update is None else update.parallelism
    if setting is None or setting.value is UNKNOWN or update is None or _says(update.order, "start-first"):
        return
    replicas = _replicas(service)
    if setting.value == 0 and replicas != 1:
        yield at(setting, what="0 updates all tasks at the same time")
    elif replicas is not None and replicas > 1 and setting.value >= replicas:
        yield at(setting, what=f"{setting.value} at a time are all of its {replicas} tasks")


def unmonitored_update(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `monitor: 0s`, which is no value but the default."""
    deploy = _deployment(service)
    for update in () if deploy is None else (deploy.update, deploy.rollback):
        monitor = None if update is None else update.monitor
        if monitor is not None and monitor.value is not UNKNOWN and monitor.value == 0:
            yield Match(monitor.place.span, {}, monitor.history, file=monitor.place.file)


def stop_first_update(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a stateless published service of one task whose update stops it first."""
    if service.origin != "stack" or _replicas(service) != 1 or _mesh_port(service) is None or _keeps_data(service):
        return
    update = _update(service)
    if update is None:
        return
    if update.order is None:
        yield Match(update.key.span, {"name": service.name}, file=update.key.file)
    elif update.order.known == "stop-first":
        yield at(update.order, name=service.name)


def start_first_store(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report two tasks of a data store on the same data, for the time of an update."""
    update = _update(service)
    if update is None or update.order is None or update.order.known != "start-first" or not is_store(service):
        return
    mount = next((mount for mount in service.mounts if mount.type in ("volume", "bind", "cluster") and mount.read_only is False), None)
    if mount is not None:
        yield at(update.order, related=((mount.place, "the data"),), name=service.name)


def start_first_host_port(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report an update that starts the new task while the old one has the node's port."""
    update = _update(service)
    if update is None or update.order is None or update.order.known != "start-first":
        return
    port = next((port for port in service.ports if port.mode == "host" and port.published is not None), None)
    if port is not None:
        yield at(update.order, related=((port.place, "the port of the node"),), port=str(port.published))


# --- replicas and placement -------------------------------------------------------------------------------------------------


def single_replica(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report one task behind a published port, of a service that could have more."""
    if service.origin != "stack" or _replicas(service) != 1 or _mesh_port(service) is None or _keeps_data(service):
        return
    replicas = None if service.deploy is None else service.deploy.replicas
    if replicas is not None:
        yield at(replicas, name=service.name)
    elif is_complete(service):
        yield missing(service, name=service.name)


def _local_volume(mount: Mount, project: Project) -> bool:
    """Whether a mount is a volume that lives on one node."""
    source = mount.source
    if mount.type != "volume" or mount.read_only is True or source is None or source is UNKNOWN:
        return False
    volume = project.volumes.get(source)
    if volume is None:
        return False
    if volume.external is not False or volume.driver not in (None, "local"):
        return False
    if volume.driver is None and "driver" in volume.settings:
        return False  # a variable decides
    for option in volume.driver_opts:
        if option.name in ("type", "device", "o"):
            value = option.value
            text = "" if value is None else value.text
            if (
                value is None
                or value.value is UNKNOWN
                or (option.name == "type" and text.startswith(_SHARED_FILE_SYSTEMS))
                or "addr=" in text
            ):
                return False
    return True


def _is_placed(service: Service) -> bool:
    deploy = service.deploy
    return deploy is not None and (bool(deploy.constraints) or (deploy.mode is not None and deploy.mode.known != "replicated"))


def unplaced_data(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report data on one node of a task that the swarm may start on another."""
    replicas = _replicas(service)
    if service.origin != "stack" or _is_placed(service) or (replicas is not None and replicas > 1):
        return
    for mount in service.mounts:
        if _local_volume(mount, context.project):
            place = mount.source_place
            yield Match(place.span, {"name": service.name, "volume": str(mount.source)}, mount.history, file=place.file)
            return


def replicated_data(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report several tasks that each have, or all share, a volume of one node."""
    deploy, replicas = service.deploy, _replicas(service)
    if service.origin != "stack" or deploy is None or deploy.replicas is None or replicas is None or replicas < 2:
        return
    store = is_store(service)
    if _is_placed(service) and not store:
        return
    for mount in service.mounts:
        if _local_volume(mount, context.project):
            each = "write to the same files" if _is_placed(service) else "see different files, depending on their node"
            values = {"name": service.name, "replicas": str(replicas), "volume": str(mount.source), "each": each}
            place = deploy.replicas.place
            yield Match(place.span, values, ((mount.source_place, "the volume"),), file=place.file)
            return


def unplaced_bind(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a folder or file of a node that other nodes may not have."""
    if service.origin != "stack" or (service.deploy is not None and service.deploy.constraints):
        return
    for mount in service.mounts:
        source = mount.source
        if mount.type != "bind" or source is None or source is UNKNOWN:
            continue
        path = source.rstrip("/") or "/"
        if path in _FILES_ON_EVERY_NODE or f"{path}/".startswith(_ON_EVERY_NODE):
            continue
        place = mount.source_place
        yield Match(place.span, {"path": source_of(mount, service), "name": service.name}, mount.history, file=place.file)


def host_mode_port(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a port of whichever node a task happens to run on."""
    if service.origin != "stack" or _is_placed(service):
        return
    if service.deploy is not None and service.deploy.max_replicas_per_node is not None:
        return
    for port in service.ports:
        if port.mode == "host" and port.published is not None:
            yield Match(port.place.span, {"port": str(port.published), "name": service.name}, port.history, file=port.place.file)


def image_of_one_node(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report an image that is built here and that no registry is named for."""
    image = service.image
    if service.origin != "stack" or image is None or service.build is None or image.known is None or not image.known:
        return
    if "/" not in image.known.partition("@")[0]:
        yield at(image, image=image.known)


_PROXY_LABELS: Final = ("traefik.", "caddy", "com.df.")


def labels_on_container(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report labels for a proxy that reads those of the service, put on the container."""
    if service.origin != "stack":
        return
    for prefix in _PROXY_LABELS:
        own = next((label for label in service.labels if label.name.startswith(prefix)), None)
        if own is None:
            continue
        if service.deploy is None or not any(label.name.startswith(prefix) for label in service.deploy.labels):
            yield Match(own.key.span, {"label": own.name}, file=own.key.file)
        return


# --- resources --------------------------------------------------------------------------------------------------------------


def _overlays(project: Project) -> Iterator[Resource]:
    """Yield the overlay networks that a project makes: in a stack it is what a network is when nothing else is said."""
    for network in project.networks.values():
        if network.external is not False:
            continue
        if network.driver == "overlay" or (project.is_stack and network.driver is None and "driver" not in network.settings):
            yield network


def unencrypted_overlay(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report networks whose traffic goes from node to node in plain text."""
    for network in _overlays(project):
        # The engine asks whether the option is there, whatever its value: daemon/libnetwork/drivers/overlay/ov_network.go.
        if not any(option.name == "encrypted" for option in network.driver_opts):
            yield Match(network.place.span, {"network": network.name}, file=network.place.file)


def secret_from_file(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report secrets that a deployment takes from files."""
    if not project.is_stack:
        return
    for secret in project.secrets.values():
        file = secret.settings.get("file")
        if secret.external is False and file is not None:
            place: Place = file.place
            yield Match(place.span, {"secret": secret.name, "path": place.text[:80]}, file=place.file)


CHECKS: Final[Mapping[str, Check]] = {
    "HS901": hardening_dropped,
    "HS902": key_dropped,
    "HS903": tmpfs_dropped,
    "HS904": address_dropped,
    "HS905": key_refused,
    "HS906": no_image,
    "HS907": impossible_deployment,
    "HS908": restart_no_dropped,
    "HS909": deploy_key_dropped,
    "HS911": update_without_healthcheck,
    "HS912": update_failure_ignored,
    "HS913": update_without_rollback,
    "HS914": no_update_config,
    "HS915": no_rollback_config,
    "HS916": update_all_at_once,
    "HS917": unmonitored_update,
    "HS918": stop_first_update,
    "HS919": start_first_store,
    "HS920": start_first_host_port,
    "HS931": single_replica,
    "HS932": unplaced_data,
    "HS933": replicated_data,
    "HS934": unplaced_bind,
    "HS935": host_mode_port,
    "HS936": image_of_one_node,
    "HS937": labels_on_container,
    "HS941": unencrypted_overlay,
    "HS942": secret_from_file,
}
