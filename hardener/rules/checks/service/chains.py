"""Settings of several services that are harmless alone, or less bad, and not together."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules import exposure, known_services
from hardener.rules.checks import Check
from hardener.rules.context import ServiceContext
from hardener.rules.services import source_of
from hardener.sources.service import Mount, Port, Project, Service, Variable
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place

MEDIUM, HIGH = Severity.MEDIUM, Severity.HIGH

Related = tuple[tuple[Place, str], ...]


def _fronts(project: Project) -> Iterator[tuple[Service, Port]]:
    """Yield every published service, with its first published port."""
    for service in project.services:
        if service.ports and (port := next(exposure.published(service), None)) is not None:
            yield service, port


# --- published + credential + one network -----------------------------------------------------------------------------------


def way_to_store(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a published service that holds the literal password of a data store which it shares an open network with.

    One finding for each such service. The password is known to be the store's: the store has the same one in its own environment, or
    it stands in a URL with the store's name. A password that a variable fills in is not in the file, and no finding.
    """
    if project.kind == "commands":
        return
    stores = {service.name: service for service in project.services if known_services.is_store(service)}
    if not stores:
        return
    by_password: dict[str, list[tuple[Service, str]]] = {}
    for store in stores.values():
        for variable, text, is_secret in _literals(store):
            if is_secret:
                by_password.setdefault(text, []).append((store, variable.name))
    for front, port in _fronts(project):
        if front.name in stores:
            continue
        found = _key_to(front, stores, by_password)
        if found is None:
            continue
        variable, store, network, is_root = found
        related: Related = (
            (port.place, "published here"),
            (variable.key if variable.value is None else variable.value.place, f"the password of {store.name}"),
            (store.place, f"{store.name}, whose password it is"),
        )
        resource = project.networks.get(network)
        if resource is not None:
            related += ((resource.place, "the network on which both are"),)
        values = {
            "front": front.name,
            "store": store.name,
            "variable": variable.name,
            "network": f"the network {network}",
            "account": "as its administrator" if is_root else "with its password",
        }
        place = front.place
        yield Match(place.span, values, related, severity=HIGH if is_root else None, file=place.file)


def _key_to(
    front: Service, stores: Mapping[str, Service], by_password: Mapping[str, list[tuple[Service, str]]]
) -> tuple[Variable, Service, str, bool] | None:
    """Return the variable with a store's password, the store, the network between, and whether it is the administrator's password.

    The administrator's password is looked for first.
    """
    best: tuple[Variable, Service, str, bool] | None = None
    for variable, text, is_secret in _literals(front):
        doors = [(store, "ROOT" in name) for store, name in by_password.get(text, ())] if is_secret else []
        for user, password, host in _accounts(text):
            store = stores.get(host)
            if store is not None:
                names = [name for other, name in by_password.get(password, ()) if other is store]
                doors.append((store, user in ("root", "sa", "sys") or any("ROOT" in name for name in names)))
        for store, is_root in doors[:100]:
            if best is None or (is_root and not best[3]):
                network = _open_network(front, store)
                if network is not None:
                    best = variable, store, network, is_root
    return best


def _open_network(one: Service, other: Service) -> str | None:
    """Return a network that two services share and that is not internal."""
    return next((name for name in exposure.shared_networks(one, other) if exposure.is_internal(one.project, name) is False), None)


def _literals(service: Service) -> list[tuple[Variable, str, bool]]:
    """Return the variables whose values stand in the file letter by letter: with the value, and whether the name is a password's."""
    from hardener.rules.secrets.names import Likeness, is_secret_name

    found: list[tuple[Variable, str, bool]] = []
    for variable in service.environment:
        setting = variable.value
        if setting is not None and setting.value is not UNKNOWN and setting.value and "$" not in setting.place.text:
            is_secret = is_secret_name(variable.name) >= Likeness.PASSWORD and not variable.name.endswith("_FILE")
            found.append((variable, setting.value, is_secret))
    return found


def known_password(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a published data store whose literal password stands in the file."""
    for store in project.services:
        if not store.ports or not known_services.is_store(store):
            continue
        for port in exposure.published(store):
            role = known_services.role(store, port.target, port.protocol) if isinstance(port.target, str) else None
            if role is None or role.kind != "store":
                continue
            found = next(((variable, text) for variable, text, is_secret in _literals(store) if is_secret), None)
            if found is not None:
                variable = found[0]
                where = variable.key if variable.value is None else variable.value.place
                place = store.place
                values = {"store": store.name, "variable": variable.name}
                yield Match(place.span, values, ((port.place, "published here"), (where, "its password")), file=place.file)
            break


_URL: Final = Pattern(r"://([^:/@\s]*):([^@/\s]+)@([\w.-]+)")


def _accounts(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield user, password and host of the URLs in a text (`postgres://app:secret@db:5432/app`)."""
    if "://" in text and "@" in text:
        for found in _URL.finditer(text):
            yield found[1], found[2], found[3]


# --- published + power over the host ----------------------------------------------------------------------------------------


def published_socket(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a published service that holds a runtime's socket."""
    for front, port in _fronts(project):
        found = exposure.socket(front)
        if found is None or found[0].path == "/":
            continue
        source, held = found
        written = (source.origin or source.place).text
        path = written if written.startswith("/") and ":" not in written else source.path
        place = front.place
        yield Match(
            place.span, {"front": front.name, "socket": held.name, "path": path, "gives": held.gives},
            ((port.place, "published here"), (source.place, "the socket")), file=place.file,
        )  # fmt: skip


def published_power(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a published service in which root is root on the host."""
    for front, port in _fronts(project):
        powers = list(exposure.powers(front))
        if powers:
            place = front.place
            yield Match(
                place.span, {"front": front.name, "powers": ", ".join(power.what for power in powers)},
                ((port.place, "published here"), *[(power.place, power.what) for power in powers]), file=place.file,
            )  # fmt: skip


_KINDS: Final = {"bind": "path", "volume": "volume"}


def stepping_stone(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a volume that a published service writes and a service with power over the host reads."""
    if project.kind == "commands":
        return
    strong: list[tuple[Service, str, Place]] = []
    for service in project.services:
        held = exposure.socket(service) if not known_services.is_socket_proxy(service) else None
        power = next(exposure.powers(service), None)
        if power is not None:
            strong.append((service, power.what, power.place))
        elif held is not None:
            strong.append((service, held[1].name, held[0].place))
    if not strong:
        return
    names = {service.name for service, _, _ in strong}
    readers: dict[tuple[str, object], tuple[Mount, Service, str, Place]] = {}
    for service, what, where in strong:
        for mount in service.mounts:
            if isinstance(mount.source, str):
                readers.setdefault((mount.type, mount.source), (mount, service, what, where))
    for front, port in _fronts(project):
        if front.name in names:
            continue  # that is HS452 or HS453
        for mount in front.mounts:
            reader = readers.get((mount.type, mount.source))
            if reader is None or mount.read_only is not False or mount.type not in _KINDS:
                continue
            other, service, what, where = reader
            place = mount.source_place
            volume = f"the {_KINDS[mount.type]} {source_of(mount, front)}"
            yield Match(
                place.span, {"front": front.name, "volume": volume, "service": service.name, "power": what},
                ((port.place, f"{front.name} is published here"), (other.place, f"{service.name} mounts it"), (where, what)),
                file=place.file,
            )  # fmt: skip


def reachable_docker_api(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a Docker API without a login on a network of a published service that has no business with it."""
    servers = [(service, what) for service in project.services if (what := _open_api(service))]
    if not servers or project.kind == "commands":
        return
    for server, what in servers:
        for front, port in _fronts(project):
            if front is server or not exposure.shared_networks(front, server):
                continue
            place = server.place
            yield Match(
                place.span, {"server": server.name, "what": what, "front": front.name},
                ((port.place, f"{front.name} is published here"),), file=place.file,
            )  # fmt: skip
            break


def _open_api(service: Service) -> str:
    """Return what makes a service command a runtime for whoever asks; "" when nothing does."""
    image = service.image
    if image is None or image.value is UNKNOWN or service.build is not None:
        return ""
    name = known_services.image_name(service)
    if name in ("docker", "dind", "docker-dind") and ("dind" in image.value or name != "docker"):
        certificates = service.variable("DOCKER_TLS_CERTDIR")
        if certificates is not None and certificates.value is not None and certificates.value.value == "":
            return "a Docker daemon without TLS"
        words = [] if service.command is None else [word.text for word in service.command.words]
        if "--tls=false" in words or any(":2375" in word for word in words):
            return "a Docker daemon without TLS"
    elif known_services.is_socket_proxy(service):
        post = service.variable("POST")
        if post is not None and post.value is not None and post.value.known in ("1", "true"):
            return "a Docker API that takes commands (POST)"
    return ""


# --- past the proxy ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def bypassed(project: Project) -> tuple[tuple[Port, Service, Service, Port], ...]:
    """Return the published ports of services that a published reverse proxy stands in front of: port, service, proxy, its port."""
    if len(project.services) < 2 or project.kind == "commands":
        return ()
    fronts = {service.name: (service, port) for service, port in _fronts(project)}
    proxies = [pair for pair in fronts.values() if known_services.is_web_proxy(pair[0])]
    if not proxies or len(proxies) == len(fronts):
        return ()
    found: dict[str, tuple[Port, Service, Service, Port]] = {}
    by_network: dict[str, tuple[Service, Port]] = {}
    for proxy, entrance in proxies:
        for name in exposure.networks(proxy):
            by_network.setdefault(name, (proxy, entrance))
        for name in sorted(exposure.mentioned(proxy) & fronts.keys()):
            service, port = fronts[name]
            if name not in found and _may_stand_behind(service, port) and exposure.shared_networks(proxy, service):
                found[name] = port, service, proxy, entrance
    for name, (service, port) in fronts.items():
        if name not in found and _asks_for_proxy(service) and _may_stand_behind(service, port):
            pair = next((by_network[network] for network in exposure.networks(service) if network in by_network), None)
            if pair is not None:
                found[name] = port, service, *pair
    return tuple(found.values())


def _may_stand_behind(service: Service, port: Port) -> bool:
    """Whether a service is one that a web proxy serves: no proxy itself, and no port that has a rule of its own."""
    if known_services.is_web_proxy(service) or not isinstance(port.target, str):
        return False
    return known_services.role(service, port.target, port.protocol) is None


def _asks_for_proxy(service: Service) -> bool:
    """Whether a service's labels or environment ask a proxy to serve it."""
    return service.variable("VIRTUAL_HOST") is not None or any(
        label.name.startswith(("traefik.http.", "caddy")) for label in service.labels
    )


@lru_cache(maxsize=2)
def bypassing(project: Project) -> frozenset[int]:
    """Return the identities of the ports that `bypassed` returns."""
    return frozenset(id(port) for port, *_ in bypassed(project))


def past_the_proxy(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a service that is published beside the proxy in front of it."""
    for port, service, proxy, entrance in bypassed(project):
        place = port.place
        yield Match(
            place.span, {"name": service.name, "proxy": proxy.name, "port": str(port.target)},
            ((entrance.place, f"{proxy.name} is published here"),), file=place.file,
        )  # fmt: skip


CHECKS: Final[Mapping[str, Check]] = {
    "HS451": way_to_store,
    "HS452": published_socket,
    "HS453": published_power,
    "HS454": stepping_stone,
    "HS455": reachable_docker_api,
    "HS456": past_the_proxy,
    "HS457": known_password,
}
