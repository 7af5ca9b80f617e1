"""Published ports and networks."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules import exposure, known_services
from hardener.rules.checks import Check
from hardener.rules.checks.service.chains import bypassing
from hardener.rules.context import ServiceContext
from hardener.rules.service_facts import Item
from hardener.rules.services import at, has_address, in_force, is_complete
from hardener.sources.service import Port, Project, Resource, Service, Variable
from hardener.sources.unknown import UNKNOWN
from hardener.text import Place

LOW, MEDIUM, HIGH, CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

# --- published ports --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)  # every rule on ports asks about the same one
def _published(item: Item) -> tuple[Port, known_services.Role | None] | None:
    """Return a port that is published on every interface, and what listens there.

    Not the one whose address a stack deployment drops: HS904 says that, and what listens.
    """
    port = item.item
    if not isinstance(port, Port) or (item.service.project.is_stack and has_address(port)):
        return None
    if not isinstance(port.target, str) or not exposure.is_published_everywhere(port, item.service):
        return None
    role = known_services.role(item.service, port.target, port.protocol)
    if role is not None and role.kind == "debug" and not _may_be_debugged(item.service):
        role = None
    return port, role


_DEBUGGERS: Final = ("jdwp", "agentlib", "--inspect", "debugpy", "dlv", "remote-debugging", "jmx")


def _may_be_debugged(service: Service) -> bool:
    """Whether a debugger's port is one: beside the program's own port, or spoken of. A lone one is the program's own."""
    if len(service.ports) > 1:
        return True
    return any(name in text for text in exposure.texts(service) for name in _DEBUGGERS)


def shown(port: Port) -> str:
    """Return the port on the host as a message names it."""
    if port.published is UNKNOWN:
        return "a port"
    return "a random port" if port.published is None else f"port {port.published}"


def _match(item: Item, port: Port, what: str, severity: Severity | None = None) -> Match:
    place = port.place
    where = "on every node of the swarm" if item.service.project.is_stack else "on every interface of the host"
    return Match(
        place.span, {"port": shown(port), "target": str(port.target), "what": what, "where": where}, port.history,
        severity=severity, file=place.file,
    )  # fmt: skip


def _of_kind(kind: str) -> Check:
    """Return the check that reports published ports of one kind of role."""

    def check(item: Item, context: ServiceContext) -> Iterator[Match]:
        found = _published(item)
        if found is not None and found[1] is not None and found[1].kind == kind:
            yield _match(item, found[0], found[1].what, found[1].severity)

    return check


def published_everywhere(item: Item, context: ServiceContext) -> Iterator[Match]:
    """Report the other ports that are published on every interface, unless their purpose is to be reached by everybody."""
    found = _published(item)
    if found is None or found[1] is not None:
        return
    port = found[0]
    if known_services.is_public(str(port.target), str(port.published), port.protocol):
        return
    if id(port) not in bypassing(item.service.project):
        yield _match(item, port, "")


def privileged_port(item: Item, context: ServiceContext) -> Iterator[Match]:
    """Report a port of the host below 1024, other than those of the web."""
    port = item.item
    if not isinstance(port, Port) or not isinstance(port.published, str):
        return
    numbers = known_services.ports_of(port.published)
    if numbers is not None and 0 < numbers.start < 1024 and port.published not in ("80", "443"):
        yield _match(item, port, "")


MANY: Final = 100


def wide_range(item: Item, context: ServiceContext) -> Iterator[Match]:
    """Report a range of more ports than anybody watches."""
    port = item.item
    numbers = known_services.ports_of(port.target) if isinstance(port, Port) and isinstance(port.target, str) else None
    if isinstance(port, Port) and numbers is not None and len(numbers) > MANY and exposure.is_published(port, item.service):
        place = port.place
        yield Match(place.span, {"range": str(port.target), "count": str(len(numbers))}, port.history, file=place.file)


def publish_all(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `-P`."""
    setting = service.publish_all
    if setting is not None and setting.value is True:
        place = setting.key
        yield Match(place.span, {}, setting.history, file=place.file)


def store_on_host_network(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a data store that has the host's network: all its ports are published, whatever `ports:` says."""
    mode = service.network_mode
    if mode is not None and mode.known == "host" and in_force(service, "network_mode"):
        found = known_services.product(service)
        if found is not None and found.role.kind in ("store", "control"):
            yield at(mode, what=found.role.what, severity=CRITICAL if found.role.severity is CRITICAL else None)


def pointless_publishing(item: Item, context: ServiceContext) -> Iterator[Match]:
    """Report a port of a service whose networks are all internal: nobody reaches it."""
    port, service = item.item, item.service
    if not isinstance(port, Port) or service.network_mode is not None or service.project.is_stack:
        return
    names = exposure.networks(service)
    if all(exposure.is_internal(service.project, name) is True for name in names):
        place = port.place
        resource = service.project.networks[names[0]]
        yield Match(place.span, {"network": names[0]}, ((resource.place, "internal"), *port.history), file=place.file)


def plain_docker_api(item: Item, context: ServiceContext) -> Iterator[Match]:
    """Report a DOCKER_HOST that is reached without TLS."""
    variable, service = item.item, item.service
    if not isinstance(variable, Variable) or variable.name not in ("DOCKER_HOST", "CONTAINER_HOST"):
        return
    setting = variable.value
    address = None if setting is None else setting.known
    if setting is None or address is None or not address.startswith(("tcp://", "http://")):
        return
    host, _, port = address.partition("://")[2].partition("/")[0].rpartition(":")
    verify = service.variable("DOCKER_TLS_VERIFY") or service.variable("DOCKER_TLS")
    if port == "2376" or (verify is not None and (verify.value is None or verify.value.value != "")):
        return
    if exposure.is_loopback(host) or known_services.is_socket_proxy_name(host):
        return
    other = context.project.service(host)
    if other is not None and (known_services.is_socket_proxy(other) or not _serves_docker(other)):
        return  # a filter, or something that answers in the name of the daemon
    severity = None if other is None else MEDIUM
    related = () if other is None else ((other.place, "the daemon"),)
    yield at(setting, severity=severity, related=related, address=address)


def _serves_docker(service: Service) -> bool:
    found = known_services.product(service)
    return found is not None and found.role.kind == "control"


# --- networks ---------------------------------------------------------------------------------------------------------------


def flat_network(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a data store on the one network that a published service is on, which has no business with it."""
    services = [service for service in project.services if exposure.is_container(service)]
    if project.kind == "commands" or len(services) < 3 or any(exposure.networks(service) != ("default",) for service in services):
        return
    stores = [service for service in services if known_services.is_store(service)]
    if not stores:
        return
    users: dict[str, list[Service]] = {store.name: [] for store in stores}
    for service in services:
        for name in exposure.mentioned(service) & users.keys():
            if name != service.name:
                users[name].append(service)
    fronts: dict[str, tuple[Service, Port]] = {}
    for service in services:
        if service.ports and not known_services.is_store(service) and (port := next(exposure.published(service), None)) is not None:
            fronts[service.name] = service, port
    for store in stores:
        theirs = users[store.name]
        names = {service.name for service in theirs}
        outsiders = list(islice((name for name in fronts if name not in names), FEW + 1))
        if not theirs or not outsiders:
            continue
        related = [(fronts[name][1].place, f"{name} is published, and reaches {store.name}") for name in outsiders[:FEW]]
        related += [(user.place, f"{user.name} needs it") for user in theirs[:FEW]]
        place = store.place
        values = {"name": store.name, "fronts": _listed(outsiders), "users": _listed([user.name for user in theirs])}
        yield Match(place.span, values, tuple(related), file=place.file)


FEW: Final = 5
"""How many services a message names."""


def _listed(names: list[str]) -> str:
    return ", ".join(names[:FEW]) + (" …" if len(names) > FEW else "")


def store_with_way_out(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a data store none of whose networks is internal."""
    if not service.is_compose or not known_services.is_store(service) or any(exposure.published(service)):
        return
    names = exposure.networks(service)
    if names and all(exposure.is_internal(context.project, name) is False for name in names):
        place = service.place
        yield Match(place.span, {"name": service.name, "network": names[0]}, file=place.file)


def links(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `links`, a leftover from before networks."""
    if service.links and in_force(service, "links"):
        place = service.links[0].key
        yield Match(place.span, {}, service.links[0].history, file=place.file)


def default_bridge(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report Docker's default bridge where it is asked for."""
    mode = service.network_mode
    if mode is not None and mode.known == "bridge" and in_force(service, "network_mode"):
        yield at(mode)


def _settings(project: Project, name: str, wanted: tuple[str, ...]) -> Iterator[tuple[Resource, Place]]:
    """Yield the networks that a setting has one of some values in."""
    for resource in project.networks.values():
        setting = resource.settings.get(name)
        if setting is not None and setting.value is not UNKNOWN and str(setting.value).lower() in wanted:
            yield resource, setting.place


def attachable(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report overlay networks that any container may join."""
    for resource, place in _settings(project, "attachable", ("true",)):
        if resource.driver == "overlay" or (resource.driver is None and project.is_stack):
            yield Match(place.span, {"name": resource.name}, file=place.file)


def _users(project: Project, name: str) -> list[Service]:
    return [service for service in project.services if name in exposure.networks(service)]


def lan_network(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report networks that put containers on the host's own network segment: every port of them is open there."""
    for resource in project.networks.values():
        if resource.driver not in ("macvlan", "ipvlan"):
            continue
        users = _users(project, resource.name)
        stores = [service for service in users if known_services.is_store(service)]
        setting = resource.settings.get("driver")
        place = resource.place if setting is None else setting.place
        names = ", ".join(service.name for service in stores or users)
        if users:
            yield Match(
                place.span, {"name": resource.name, "driver": resource.driver, "names": names},
                tuple([(service.place, "on it") for service in stores or users]), severity=MEDIUM if stores else None, file=place.file,
            )  # fmt: skip


def host_network(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a network that is the host's by another name."""
    for resource in project.networks.values():
        name = resource.settings.get("name")
        is_host = resource.driver == "host" or (
            resource.external is True and (name.known == "host" if name is not None else resource.name == "host")
        )
        if not is_host:
            continue
        for service in project.services:
            for attachment in service.networks:
                if attachment.name == resource.name:
                    place = attachment.place
                    yield Match(
                        place.span, {"name": service.name, "network": resource.name}, ((resource.place, "this is it"),), file=place.file
                    )


def open_gateway(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report bridges whose containers are reached from outside on every port, published or not."""
    for resource in project.networks.values():
        for variable in resource.driver_opts:
            if not variable.name.startswith("com.docker.network.bridge.gateway_mode_ipv") or variable.value is None:
                continue
            setting = variable.value
            if setting.known in ("nat-unprotected", "routed-unprotected"):
                yield at(setting, name=resource.name, mode=setting.text)


def accidental_bridge(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a run line that names no network, so that it lands on the default bridge with every other such container."""
    if service.is_compose or not is_complete(service) or service.is_one_off:
        return
    if service.network_mode is None and not service.networks and not any(variable.name in ("pod", "network") for variable in service.extra):
        place = service.place
        yield Match(place.span, {}, file=place.file)


CHECKS: Final[Mapping[str, Check]] = {
    "HS302": plain_docker_api,
    "HS401": _of_kind("store"),
    "HS402": _of_kind("console"),
    "HS403": _of_kind("control"),
    "HS404": _of_kind("login"),
    "HS405": _of_kind("debug"),
    "HS406": published_everywhere,
    "HS407": privileged_port,
    "HS408": wide_range,
    "HS409": publish_all,
    "HS410": store_on_host_network,
    "HS411": pointless_publishing,
    "HS420": flat_network,
    "HS421": store_with_way_out,
    "HS422": links,
    "HS423": default_bridge,
    "HS424": accidental_bridge,
    "HS425": attachable,
    "HS426": lan_network,
    "HS427": host_network,
    "HS428": open_gateway,
}
