"""From the merged tree of a project to its services."""

from collections.abc import Callable
from typing import Final

from hardener.sources.compose import scalars
from hardener.sources.compose.mounts import mounts, tmpfs
from hardener.sources.compose.ports import ports
from hardener.sources.compose.tree import Keys, Leaf, Node
from hardener.sources.service import Attachment, Project, Service, Setting, Words
from hardener.text import Place, Span

_TEXTS: Final = dict.fromkeys(
    (
        "image", "platform", "pull_policy", "working_dir", "container_name", "hostname", "domainname", "stop_signal", "user",
        "network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup", "cgroup_parent", "isolation", "runtime", "mac_address", "cpuset",
        "restart",
    ),
    scalars.text,
)  # fmt: skip
_SWITCHES: Final = dict.fromkeys(
    ("stdin_open", "tty", "init", "privileged", "read_only", "use_api_socket", "oom_kill_disable"), scalars.switch
)
_LISTS: Final = dict.fromkeys(
    (
        "group_add", "cap_add", "cap_drop", "security_opt", "volumes_from", "device_cgroup_rules", "expose", "links", "dns", "profiles",
    ),
    scalars.texts,
)  # fmt: skip
_VARIABLES: Final = frozenset(("environment", "labels", "annotations", "sysctls", "storage_opt"))
_PLAIN: Final[dict[str, Callable[[Node | None, Place], object]]] = {
    **_TEXTS,
    **_SWITCHES,
    **_LISTS,
    "cpu_quota": scalars.integer,
    "cpu_shares": scalars.integer,
    "mem_swappiness": scalars.integer,
    "oom_score_adj": scalars.integer,
    "pids_limit": scalars.integer,
    "scale": scalars.integer,
    "cpus": scalars.number,
    "mem_limit": scalars.size,
    "mem_reservation": scalars.size,
    "memswap_limit": scalars.size,
    "shm_size": scalars.size,
    "stop_grace_period": scalars.duration,
}
_FIELDS: Final = {
    "mem_limit": "memory",
    "mem_reservation": "memory_reservation",
    "memswap_limit": "memory_swap",
    "mem_swappiness": "memory_swappiness",
}


def build(project: Project, tree: Keys, options: object) -> None:
    """Fill `project.services` from the merged tree."""
    found = tree.get("services")
    if not isinstance(found, Keys):
        return
    services = []
    for name, entry in found.entries.items():
        if isinstance(entry.value, Keys):
            services.append(_service(project, name, entry.key, entry.value))
    project.services = tuple(services)


def _service(project: Project, name: str, key: Place, keys: Keys) -> Service:
    whole = keys.place
    if whole.file is key.file and whole.span.end >= key.span.start:
        whole = Place(key.file, Span(min(key.span.start, whole.span.start), whole.span.end))
    service = Service(name, "stack" if project.is_stack else "compose", key, whole, project)
    _note(service.keys, "", keys)
    for field, entry in keys.entries.items():
        read = _PLAIN.get(field)
        if read is not None:
            value = read(entry.value, entry.key)
            if value is not None:
                setattr(service, _FIELDS.get(field, field), value)
        elif field in _VARIABLES:
            setattr(service, field, scalars.variables(entry.value, field))
    service.ports = ports(keys.get("ports"))
    service.mounts = mounts(keys.get("volumes"), lambda file: project.folders.get(file, project.folder)) + tmpfs(keys.get("tmpfs"))
    if isinstance(networks := keys.get("networks"), Keys):
        service.networks = tuple([Attachment(net, at.key) for net, at in networks.entries.items()])
    else:
        service.networks = tuple([Attachment(leaf.text, leaf.place) for leaf in scalars.leaves(networks)])
    for field in ("command", "entrypoint"):
        if (found := keys.entries.get(field)) is not None:
            setattr(service, field, words(found.value, found.key))
    return service


def words(node: Node, key: Place) -> Words | None:
    """Return a command in list form, or in string form, which is split as a shell would."""
    if isinstance(node, Leaf):
        whole = scalars.text(node, key)
        if whole is None:
            return None
        pieces = [] if whole.known is None else whole.known.split()
        return Words(tuple([Setting(piece, node.place, key, piece) for piece in pieces]), node.place, key, whole)
    return Words(scalars.texts(node, key), node.place, key)


def _note(places: dict[str, Place], prefix: str, keys: Keys) -> None:
    """Write down where every key stands."""
    for name, entry in keys.entries.items():
        places[prefix + name] = entry.key
        if isinstance(entry.value, Keys):
            _note(places, f"{prefix}{name}.", entry.value)
