"""Settings of several services that are harmless alone, or less bad, and not together."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules import exposure, known_services
from hardener.rules.checks import Check
from hardener.rules.context import ServiceContext
from hardener.sources.service import Mount, Port, Project, Service, Variable
from hardener.sources.unknown import UNKNOWN
from hardener.text import Place

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
    stores = [(service, _secrets(service)) for service in project.services if known_services.is_store(service)]
    if not stores:
        return
    for front, port in _fronts(project):
        if known_services.is_store(front):
            continue
        literals = _literals(front)
        for store, secrets in stores if literals else ():
            shared = exposure.shared_networks(front, store)
            open_network = next((name for name in shared if exposure.is_internal(project, name) is False), None)
            found = None if open_network is None else _password(literals, store.name, secrets)
            if open_network is None or found is None:
                continue
            variable, is_root = found
            resource = project.networks.get(open_network)
            related: Related = (
                (port.place, "published here"),
                (variable.key if variable.value is None else variable.value.place, f"the password of {store.name}"),
                (store.place, f"{store.name}, whose password it is"),
            )
            if resource is not None:
                related += ((resource.place, "the network on which both are"),)
            values = {
                "front": front.name,
                "store": store.name,
                "variable": variable.name,
                "network": open_network,
                "account": "as its administrator" if is_root else "with its password",
            }
            place = front.place
            yield Match(place.span, values, related, severity=HIGH if is_root else None, file=place.file)
            break


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


def _secrets(service: Service) -> dict[str, str]:
    """Return the secrets of a data store by value, with the names of their variables."""
    found: dict[str, str] = {}
    for variable, text, is_secret in _literals(service):
        if is_secret and (text not in found or "ROOT" in variable.name):
            found[text] = variable.name
    return found


def _password(literals: list[tuple[Variable, str, bool]], host: str, secrets: Mapping[str, str]) -> tuple[Variable, bool] | None:
    """Return the variable of a service that holds a store's password, and whether that is its administrator's."""
    for variable, text, is_secret in literals:
        name = secrets.get(text)
        if name is not None and is_secret:
            return variable, "ROOT" in name
        account = _account(text, host)
        if account is not None and account[1]:
            return variable, account[0] in ("root", "sa", "sys") or "ROOT" in secrets.get(account[1], "")
    return None


def _account(text: str, host: str) -> tuple[str, str] | None:
    """Return user and password of a URL with a host of a name (`postgres://app:secret@db:5432/app`)."""
    at = text.find(f"@{host}")
    start = text.rfind("://", 0, at) if at > 0 else -1
    if start < 0 or text[at + 1 + len(host) : at + 2 + len(host)] not in ("", ":", "/", "?", ","):
        return None
    user, colon, password = text[start + 3 : at].partition(":")
    return (user, password) if colon else None


# --- published + power over the host ----------------------------------------------------------------------------------------


def published_socket(project: Project, context: ServiceContext) -> Iterator[Match]:
    """Report a published service that holds a runtime's socket."""
    for front, port in _fronts(project):
        found = exposure.socket(front)
        if found is None or found[0].path == "/":
            continue
        source, held = found
        place = front.place
        yield Match(
            place.span, {"front": front.name, "socket": held.name, "path": source.path, "gives": held.gives},
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
            if reader is None or mount.read_only is not False or mount.type not in ("bind", "volume"):
                continue
            other, service, what, where = reader
            place = mount.source_place
            yield Match(
                place.span, {"front": front.name, "volume": str(mount.source), "service": service.name, "power": what},
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
def bypassed(project: Project) -> list[tuple[Port, Service, Service, Port]]:
    """Return the published ports of services that a published reverse proxy stands in front of: port, service, proxy, its port."""
    found: list[tuple[Port, Service, Service, Port]] = []
    seen: set[int] = set()
    if len(project.services) < 2 or project.kind == "commands":
        return found
    for proxy, entrance in _fronts(project):
        if not known_services.is_web_proxy(proxy):
            continue
        for service, port in _fronts(project):
            if service is proxy or known_services.is_web_proxy(service) or not exposure.shared_networks(proxy, service):
                continue
            if not isinstance(port.target, str) or known_services.role(service, port.target, port.protocol) is not None:
                continue
            if id(port) not in seen and _fronted(proxy, service):
                seen.add(id(port))
                found.append((port, service, proxy, entrance))
    return found


@lru_cache(maxsize=2)
def bypassing(project: Project) -> frozenset[int]:
    """Return the identities of the ports that `bypassed` returns."""
    return frozenset(id(port) for port, *_ in bypassed(project))


def _fronted(proxy: Service, service: Service) -> bool:
    """Whether a proxy serves a service: it waits for it or names it, or the service's labels or environment ask for it."""
    if service.name in exposure.mentioned(proxy):
        return True
    if any(label.name.startswith(("traefik.http.", "caddy")) for label in service.labels):
        return True
    return service.variable("VIRTUAL_HOST") is not None


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
}
