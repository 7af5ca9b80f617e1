"""Namespaces shared with the host or with another container, sysctls, cgroups."""

from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check
from hardener.rules.checks.service.capabilities import has_host_network
from hardener.rules.context import ServiceContext
from hardener.rules.services import at, called, in_force, is_podman
from hardener.sources.expansion import HOLE
from hardener.sources.service import Service, Setting
from hardener.sources.unknown import UNKNOWN

# --- namespaces of the host -------------------------------------------------------------------------------------------------


def host_network(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service in the host's network."""
    mode = service.network_mode
    if mode is not None and has_host_network(service):
        yield at(mode, service=called(service))


def _is_host(setting: Setting[str] | None, service: Service, key: str) -> bool:
    return setting is not None and setting.value == "host" and in_force(service, key)


def host_pid(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `pid: host`."""
    if service.pid is not None and _is_host(service.pid, service, "pid"):
        yield at(service.pid, service=called(service))


def host_ipc(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `ipc: host`."""
    if service.ipc is not None and _is_host(service.ipc, service, "ipc"):
        yield at(service.ipc, service=called(service))


def host_uts(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `uts: host`."""
    if service.uts is not None and _is_host(service.uts, service, "uts"):
        yield at(service.uts, service=called(service))


def host_users(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `userns_mode: host`, which is what Podman does anyway."""
    if service.userns_mode is not None and _is_host(service.userns_mode, service, "userns_mode") and not is_podman(service):
        yield at(service.userns_mode, service=called(service))


def host_cgroup(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `cgroup: host`."""
    if service.cgroup is not None and _is_host(service.cgroup, service, "cgroup"):
        yield at(service.cgroup, service=called(service))


def cgroup_parent(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that is put under another cgroup than the engine's own."""
    setting = service.cgroup_parent
    if setting is not None and setting.text and in_force(service, "cgroup_parent"):
        yield at(setting, service=called(service), parent=setting.text.replace(HOLE, "…"))


# --- namespaces of other containers -----------------------------------------------------------------------------------------


def _partner(setting: Setting[str] | None) -> str | None:
    """Return whose namespace is joined, as a reader would say it; None when it is nobody's."""
    if setting is None:
        return None
    kind, colon, name = setting.text.partition(":")
    if not colon or kind not in ("container", "service") or not name:
        return None
    return f"{kind} {name.replace(HOLE, '…')}"


def shared_network(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service in another one's network namespace."""
    setting = service.network_mode
    partner = _partner(setting)
    if setting is not None and partner is not None and in_force(service, "network_mode"):
        yield at(setting, service=called(service), partner=partner)


def shared_pid(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that sees another one's processes."""
    setting = service.pid
    partner = _partner(setting)
    if setting is not None and partner is not None and in_force(service, "pid"):
        yield at(setting, service=called(service), partner=partner)


def shared_ipc(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that shares another one's memory segments."""
    setting = service.ipc
    partner = _partner(setting)
    if setting is not None and partner is not None and in_force(service, "ipc"):
        yield at(setting, service=called(service), partner=partner)


def shareable_ipc(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service whose memory segments any other container may join, though no service of its project does."""
    setting = service.ipc
    if setting is None or setting.value != "shareable" or not in_force(service, "ipc"):
        return
    mine = {f"service:{service.name}"}
    if service.container_name is not None:
        mine.add(f"container:{service.container_name.text}")
    if any(other.ipc is not None and (other.ipc.text in mine or HOLE in other.ipc.text) for other in context.project.services):
        return
    yield at(setting, service=called(service))


_FORMS: Final[tuple[tuple[str, frozenset[str], tuple[str, ...]], ...]] = (
    # key, words that it takes, prefixes that it takes before a name
    ("pid", frozenset({"host"}), ("container:", "service:")),
    ("ipc", frozenset({"host", "none", "private", "shareable"}), ("container:", "service:")),
    ("uts", frozenset({"host"}), ()),
    ("userns_mode", frozenset({"host"}), ()),
)


def invalid_namespace(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report values of a compose file that are no namespace. (Flags of run lines are judged where those are read.)"""
    if not service.is_compose:
        return
    for key, words, prefixes in _FORMS:
        setting: Setting[str] | None = getattr(service, key)
        if setting is None:
            continue
        text = setting.text
        if not text or HOLE in text or text in words or not in_force(service, key):
            continue
        if any(text.startswith(prefix) and len(text) > len(prefix) for prefix in prefixes):
            continue
        known = [*sorted(words), *(f"{prefix}NAME" for prefix in prefixes)]
        choice = known[0] if len(known) == 1 else ", ".join(known[:-1]) + " or " + known[-1]
        yield at(setting, key=key, value=text, known=choice)


# --- sysctls ----------------------------------------------------------------------------------------------------------------

_IPC_SYSCTLS: Final = frozenset(
    {
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
        "kernel.shm_rmid_forced",
    }
)  # fmt: skip
"""The System V settings that an IPC namespace has for itself; POSIX queues are `fs.mqueue.*`. Source: runc's validator."""

# What loosens the network stack, and how one sees it: the ends of names, the values that loosen, what they allow.
_LOOSE: Final[tuple[tuple[str, frozenset[str], str], ...]] = (
    (".accept_redirects", frozenset({"1"}), "lets a neighbour change the container's routes"),
    (".secure_redirects", frozenset({"0"}), "takes redirects from more than the known gateways"),
    (".accept_source_route", frozenset({"1"}), "lets senders choose the path that answers take, around filters"),
    (".rp_filter", frozenset({"0"}), "takes packets with forged source addresses"),
    (".route_localnet", frozenset({"1"}), "lets neighbours reach what listens on 127.0.0.1 in the container"),
    (".proxy_arp", frozenset({"1"}), "answers for addresses of others, which draws their traffic"),
    (".bootp_relay", frozenset({"1"}), "forwards packets that nobody addressed"),
    (".accept_ra", frozenset({"2"}), "takes routes from any neighbour although it forwards"),
    (".ip_forward", frozenset({"1"}), "makes a router of the container, between all networks that it is on"),
    (".forwarding", frozenset({"1"}), "makes a router of the container, between all networks that it is on"),
    (".tcp_syncookies", frozenset({"0"}), "makes it easy to exhaust with connections that are only begun"),
    (".icmp_echo_ignore_broadcasts", frozenset({"0"}), "lets it be used to multiply traffic at others"),
)


def _dotted(name: str) -> str:
    """Return a sysctl with dots: `net/ipv4/ip_forward` is the same as `net.ipv4.ip_forward`, by the separator that comes first."""
    slash, dot = name.find("/"), name.find(".")
    if slash < 0 or 0 <= dot < slash:
        return name
    return name.translate(str.maketrans("/.", "./"))


def _namespace(name: str) -> str | None:
    """Return the namespace that a sysctl belongs to: net, ipc or uts; None for those of the whole kernel."""
    if name.startswith("net."):
        return "net"
    if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
        return "ipc"
    return "uts" if name == "kernel.domainname" else None


def global_sysctl(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report sysctls that no namespace has for itself."""
    for variable in service.sysctls:
        if HOLE in variable.name or not variable.name:
            continue
        name = _dotted(variable.name)
        if _namespace(name) is None:
            yield Match(variable.key.span, {"name": name}, file=variable.key.file)
        elif name == "kernel.domainname" and not service.is_compose and not is_podman(service):
            # `docker run` has a list of its own, and that name is not on it.
            yield Match(variable.key.span, {"name": name}, file=variable.key.file)


def sysctl_of_host(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report sysctls of a namespace that the service shares with the host."""
    if not service.sysctls:
        return
    shared = {
        kind: setting
        for kind, setting, key in (
            ("net", service.network_mode, "network_mode"),
            ("ipc", service.ipc, "ipc"),
            ("uts", service.uts, "uts"),
        )
        if setting is not None and _is_host(setting, service, key)
    }
    if not shared:
        return
    for variable in service.sysctls:
        name = _dotted(variable.name)
        found = shared.get(_namespace(name) or "")
        if found is not None:
            yield Match(variable.key.span, {"name": name}, ((found.place, "shared with the host here"),), file=variable.key.file)


def loose_sysctl(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report sysctls that take safety from the container's network stack."""
    if not service.sysctls or has_host_network(service):
        return
    router = _forwards(service)
    for variable in service.sysctls:
        value = variable.value
        if value is None or value.value is UNKNOWN:
            continue
        name = _dotted(variable.name)
        if not name.startswith("net."):
            continue
        for end, loose, effect in _LOOSE:
            if name.endswith(end) and value.value.strip() in loose:
                mild = end in (".ip_forward", ".forwarding") or (router and end == ".rp_filter")
                yield at(value, severity=Severity.INFO if mild else None, name=name, value=value.value.strip(), effect=effect)
                break


def _forwards(service: Service) -> bool:
    """Whether a service says that it routes packets: asymmetric routes are its business then."""
    return any(
        variable.name.endswith((".ip_forward", ".forwarding")) and variable.value is not None and variable.value.text.strip() == "1"
        for variable in service.sysctls
    )


# --- the way to the host -------------------------------------------------------------------------------------------------------


def host_gateway(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a name for the host in `extra_hosts`."""
    for setting in service.extra_hosts:
        entry = setting.known or ""
        for separator in ("=", ":"):
            name, found, address = entry.partition(separator)
            if found and address.strip().strip("[]") == "host-gateway":
                yield at(setting, name=name.strip())
                break


CHECKS: Final[Mapping[str, Check]] = {
    "HS201": host_network,
    "HS202": host_pid,
    "HS203": host_ipc,
    "HS204": host_uts,
    "HS205": host_users,
    "HS206": host_cgroup,
    "HS207": cgroup_parent,
    "HS208": shared_network,
    "HS209": shared_pid,
    "HS210": shared_ipc,
    "HS211": shareable_ipc,
    "HS212": global_sysctl,
    "HS213": sysctl_of_host,
    "HS214": loose_sysctl,
    "HS215": host_gateway,
    "HS216": invalid_namespace,
}
