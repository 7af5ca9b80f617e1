"""What `match:` can ask about services: the counterpart of facts.py, imported only where services are judged.

Kinds: `service` (one container's settings), `service.port`, `service.mount` and `service.variable` (one item of it, with all facts of
its service), `service.project` (services that run together) and `service.problem` (what the reader stumbled over).
"""

from collections.abc import Callable
from typing import Final

from hardener.rules.vocabulary import Atom, FactValue, Getter, Kind, SpanGetter, Subject
from hardener.sources.service import Mount, Port, Problem, Project, Service, Setting, Variable
from hardener.text import Place


class Item:
    """A port, mount or variable together with the service it belongs to."""

    __slots__ = ("item", "service")

    def __init__(self, item: Port | Mount | Variable, service: Service) -> None:
        self.item = item
        self.service = service

    def __repr__(self) -> str:
        return f"Item({type(self.item).__name__} of {self.service.name!r})"


def _service(subject: Subject) -> Service:
    found = subject.service if isinstance(subject, Item) else subject
    if not isinstance(found, Service):
        raise TypeError(f"expected a service, got {type(found).__name__}")
    return found


def _port(subject: Subject) -> Port:
    if not isinstance(subject, Item) or not isinstance(subject.item, Port):
        raise TypeError("expected a port")
    return subject.item


def _mount(subject: Subject) -> Mount:
    if not isinstance(subject, Item) or not isinstance(subject.item, Mount):
        raise TypeError("expected a mount")
    return subject.item


def _variable(subject: Subject) -> Variable:
    if not isinstance(subject, Item) or not isinstance(subject.item, Variable):
        raise TypeError("expected a variable")
    return subject.item


def _project(subject: Subject) -> Project:
    if not isinstance(subject, Project):
        raise TypeError("expected a project")
    return subject


def _problem(subject: Subject) -> Problem:
    if not isinstance(subject, Problem):
        raise TypeError("expected a problem")
    return subject


def _atom(setting: "Setting[str]") -> Atom:
    return setting.value


def _one(field: str) -> Getter:
    """Return the getter of a single setting."""

    def get(subject: Subject) -> FactValue:
        setting: Setting[FactValue] | None = getattr(_service(subject), field)
        return None if setting is None else setting.value

    return get


def _many(field: str) -> Getter:
    """Return the getter of a list of texts."""

    def get(subject: Subject) -> FactValue:
        return tuple(_atom(setting) for setting in getattr(_service(subject), field))

    return get


def _names(field: str) -> Getter:
    """Return the getter of the names of a list of variables, networks, grants or dependencies."""

    def get(subject: Subject) -> FactValue:
        items: tuple[object, ...] = getattr(_service(subject), field)
        return tuple(str(getattr(item, "name", None) or getattr(item, "source", "")) for item in items)

    return get


def _where(field: str) -> SpanGetter:
    """Return the place of a single setting."""

    def get(subject: Subject) -> Place | None:
        setting = getattr(_service(subject), field)
        return None if setting is None else setting.place

    return get


def _present(field: str) -> Getter:
    return lambda subject: getattr(_service(subject), field) is not None


_SINGLE: Final = (
    "image", "platform", "pull_policy", "working_dir", "container_name", "hostname", "stdin_open", "tty", "init", "stop_signal", "user",
    "privileged", "read_only", "use_api_socket", "network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup", "cgroup_parent", "runtime",
    "gpus", "publish_all", "memory", "memory_reservation", "memory_swap", "cpus", "cpuset", "pids_limit", "shm_size", "oom_kill_disable",
    "oom_score_adj", "restart", "remove", "detach",
)  # fmt: skip
_LISTS: Final = (
    "cap_add", "cap_drop", "security_opt", "group_add", "device_cgroup_rules", "volumes_from", "env_files", "expose", "links",
    "extra_hosts", "dns", "profiles",
)  # fmt: skip
_NAMED: Final = ("environment", "labels", "annotations", "sysctls", "networks", "secrets", "configs", "depends_on")
_PARTS: Final = ("build", "command", "entrypoint", "healthcheck", "logging", "deploy")


def _fact_name(field: str) -> str:
    return "service." + field.replace("_", "-")


_SERVICE_FACTS: Final[dict[str, Getter]] = {
    "service.name": lambda subject: _service(subject).name,
    "service.origin": lambda subject: _service(subject).origin,
    "service.one-off": lambda subject: _service(subject).is_one_off,
    **{_fact_name(field): _one(field) for field in _SINGLE},
    **{_fact_name(field): _many(field) for field in _LISTS},
    **{_fact_name(field): _names(field) for field in _NAMED},
    **{_fact_name(field): _present(field) for field in _PARTS},
}
_SERVICE_PLACES: Final[dict[str, SpanGetter]] = {
    "service": lambda subject: _service(subject).place,
    **{_fact_name(field): _where(field) for field in (*_SINGLE, *_PARTS)},
}


def _kind(facts: dict[str, Getter], places: dict[str, SpanGetter], where: Callable[[Subject], Place]) -> Kind:
    return Kind({**_SERVICE_FACTS, **facts}, {**_SERVICE_PLACES, **places}, where)


def _variable_value(subject: Subject) -> FactValue:
    value = _variable(subject).value
    return None if value is None else value.value


def _variable_place(subject: Subject) -> Place:
    variable = _variable(subject)
    return variable.key if variable.value is None else variable.value.place


KINDS: Final[dict[str, Kind]] = {
    "service": _kind({}, {}, lambda subject: _service(subject).place),
    "service.port": _kind(
        {
            "port.target": lambda subject: _port(subject).target,
            "port.published": lambda subject: _port(subject).published,
            "port.host-ip": lambda subject: _port(subject).host_ip,
            "port.protocol": lambda subject: _port(subject).protocol,
            "port.mode": lambda subject: _port(subject).mode,
        },
        {"port": lambda subject: _port(subject).place},
        lambda subject: _port(subject).place,
    ),
    "service.mount": _kind(
        {
            "mount.type": lambda subject: _mount(subject).type,
            "mount.source": lambda subject: _mount(subject).source,
            "mount.target": lambda subject: _mount(subject).target,
            "mount.read-only": lambda subject: _mount(subject).read_only,
            "mount.options": lambda subject: _mount(subject).options,
            "mount.propagation": lambda subject: _mount(subject).propagation,
        },
        {
            "mount": lambda subject: _mount(subject).place,
            "mount.source": lambda subject: _mount(subject).source_place,
            "mount.target": lambda subject: _mount(subject).target_place,
        },
        lambda subject: _mount(subject).place,
    ),
    "service.variable": _kind(
        {
            "variable.name": lambda subject: _variable(subject).name,
            "variable.value": _variable_value,
            "variable.source": lambda subject: _variable(subject).source,
        },
        {"variable.name": lambda subject: _variable(subject).key, "variable.value": _variable_place},
        _variable_place,
    ),
    "service.project": Kind(
        {
            "project.kind": lambda subject: _project(subject).kind,
            "project.name": lambda subject: _project(subject).name,
            "project.services": lambda subject: tuple(service.name for service in _project(subject).services),
        },
        {},
        lambda subject: Place(_project(subject).file, _project(subject).file.line_span(1)),
    ),
    "service.problem": Kind(
        {"problem.code": lambda subject: _problem(subject).code, "problem.message": lambda subject: _problem(subject).message},
        {},
        lambda subject: _problem(subject).place,
    ),
}
