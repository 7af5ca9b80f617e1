"""What two containers cannot both have: a name, a port of the host, a place in a container's file system."""

from hardener.sources.compose import ports
from hardener.sources.service import Port, Problem, Project, Service
from hardener.text import Place


def check(project: Project) -> None:
    """Add to a project's problems what two of its services both claim."""
    _names(project)
    _published(project)


def _names(project: Project) -> None:
    seen: dict[str, tuple[Service, Place]] = {}
    for service in project.services:
        name = service.container_name
        if name is None or name.known is None:
            continue
        first = seen.setdefault(name.known, (service, name.place))
        if first[0] is not service and _together(first[0], service):
            message = f"the services {first[0].name!r} and {service.name!r} both name their container {name.known!r}"
            project.problems.append(
                Problem(
                    "duplicate-container-name", name.place, message, ((first[1], "the same name"),),
                    {"name": name.known, "service": service.name, "other": first[0].name},
                )
            )  # fmt: skip


def _together(one: Service, other: Service) -> bool:
    """Whether both services run at the same time for sure: one without profiles always runs, two with profiles may be alternatives."""
    if not one.profiles and not other.profiles:
        return True
    mine = {profile.known for profile in one.profiles}
    return bool(one.profiles) and bool(other.profiles) and None not in mine and bool(mine & {profile.known for profile in other.profiles})


def _published(project: Project) -> None:
    """Compare the ports of all services; of two ranges the first port that they share is named."""
    seen: dict[tuple[str, int], list[tuple[Service, Port]]] = {}
    for service in project.services:
        if service.network_mode is not None and service.network_mode.value != "bridge":
            continue
        for port in service.ports:
            if not isinstance(port.published, str):
                continue
            published = ports.span(port.published)
            target = ports.span(port.target) if isinstance(port.target, str) else None
            # Of a range for a single port, Docker picks one that is free.
            if published is None or target is None or (len(published) > 1 and len(target) == 1):
                continue
            clash = None
            for number in published:
                others = seen.setdefault((port.protocol, number), [])
                if clash is None:
                    clash = next(((number, *other) for other in others if _clash(other[0], other[1], service, port)), None)
                others.append((service, port))
            if clash is not None:
                number, first, where = clash
                message = f"the services {first.name!r} and {service.name!r} both publish port {number}"
                if first is service:
                    message = f"the service {service.name!r} publishes port {number} twice"
                project.problems.append(
                    Problem(
                        "duplicate-published-port", port.place, message, ((where.place, "published here as well"),),
                        {"port": str(number), "service": service.name, "other": first.name},
                    )
                )  # fmt: skip


def _clash(first: Service, one: Port, second: Service, other: Port) -> bool:
    if one.place == other.place or (first is not second and not _together(first, second)):
        return False
    if first is second and (one.target, one.published, one.host_ip) == (other.target, other.published, other.host_ip):
        return False
    return _overlap(one.host_ip, other.host_ip)


def _overlap(one: object, other: object) -> bool:
    """Whether two addresses of the host share one. None is every address; one that is not known shares nothing for sure."""
    if not isinstance(one, str | None) or not isinstance(other, str | None):
        return False
    if not one or not other:
        return True
    if (":" in one) != (":" in other):
        return False
    everywhere = ("0.0.0.0", "::")  # noqa: S104
    return one == other or one in everywhere or other in everywhere
