"""Privileges: privileged containers, capabilities, no-new-privileges, security profiles, users and groups."""

from collections.abc import Iterator, Mapping
from typing import Final

from hardener.errors import suggest
from hardener.finding import Match, Severity
from hardener.rules.accounts import NUMBER, is_root
from hardener.rules.capabilities import (
    ALL,
    CAPABILITIES,
    DOCKER_DEFAULT,
    MINOR,
    PODMAN_DEFAULT,
    POWERFUL,
    SENSITIVE,
    TAKEOVER,
    canonical,
    names,
)
from hardener.rules.checks import Check
from hardener.rules.context import ServiceContext
from hardener.rules.services import at, called, in_force, is_complete, is_on, is_podman, missing
from hardener.sources.expansion import HOLE
from hardener.sources.service import Service, Setting
from hardener.sources.unknown import UNKNOWN

# --- privileged -------------------------------------------------------------------------------------------------------------


def is_privileged(service: Service) -> bool:
    """Whether a service is known to be privileged, and the key does something."""
    return is_on(service.privileged) and in_force(service, "privileged")


def privileged(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `privileged: true`."""
    setting = service.privileged
    if setting is not None and is_privileged(service):
        yield at(setting, service=called(service))


def undone_by_privileged(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a `cap_drop` that `privileged` overrides."""
    setting = service.privileged
    if service.cap_drop and setting is not None and is_privileged(service):
        place = service.cap_drop[0].key
        yield Match(place.span, {}, ((setting.place, "privileged here"),), file=place.file)


# --- capabilities -----------------------------------------------------------------------------------------------------------


def _default(service: Service) -> frozenset[str]:
    return PODMAN_DEFAULT if is_podman(service) else DOCKER_DEFAULT


def missing_cap_drop(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that keeps the default capabilities, or all of them but a few.

    Silent where a worse thing says it already (privileged, ALL added), and for tools that somebody starts by hand and that are gone
    afterwards.
    """
    if not is_complete(service) or service.is_one_off or is_privileged(service):
        return
    dropped, added = names(service.cap_drop), names(service.cap_add)
    if dropped is UNKNOWN or added is UNKNOWN or ALL in dropped or ALL in added:
        return
    kept = _default(service) - dropped
    if not kept:
        return
    if dropped:
        key = service.cap_drop[0].key
        yield Match(key.span, {"what": f"cap_drop leaves {len(kept)} of the default capabilities ({_list(kept)})"}, file=key.file)
    else:
        yield missing(service, what=f"{called(service)} keeps all {len(kept)} default capabilities: nothing is dropped")


def _list(capabilities: frozenset[str]) -> str:
    shown = sorted(capabilities)
    return ", ".join(shown) if len(shown) <= 4 else ", ".join(shown[:3]) + f" and {len(shown) - 3} more"


def grade(name: str, service: Service) -> str:
    """Return how much a capability gives away in this service: some reach further in a namespace of the host."""
    if name == ALL:
        return TAKEOVER
    host_pid = service.pid is not None and service.pid.value == "host" and in_force(service, "pid")
    if name == "SYS_PTRACE" and host_pid:
        return TAKEOVER
    if name == "SYS_BOOT" and host_pid:
        return POWERFUL
    if name == "NET_ADMIN" and has_host_network(service):
        return POWERFUL
    return CAPABILITIES[name].grade


def has_host_network(service: Service) -> bool:
    """Whether a service is in the host's network namespace."""
    mode = service.network_mode
    return mode is not None and mode.value == "host" and in_force(service, "network_mode")


def _allows(name: str, service: Service) -> str:
    host_pid = service.pid is not None and service.pid.value == "host" and in_force(service, "pid")
    if name == ALL:
        return "do whatever root of the host may do"
    if name == "SYS_PTRACE" and host_pid:
        return "take over any process of the host, for it shares the host's process ids"
    if name == "SYS_BOOT" and host_pid:
        return "reboot the host, for it shares the host's process ids"
    if name == "NET_ADMIN" and has_host_network(service):
        return "change the host's own interfaces, routes and firewall, for it shares the host's network"
    return CAPABILITIES[name].allows


def _graded(wanted: str) -> Check:
    """Return the check that reports added capabilities of one grade."""

    def check(service: Service, context: ServiceContext) -> Iterator[Match]:
        if not service.cap_add or is_privileged(service):
            return
        seen: set[str] = set()
        everything = any(canonical(setting.text) == ALL for setting in service.cap_add)
        for setting in service.cap_add:
            name = canonical(setting.text)
            if name in seen or (everything and name != ALL) or (name != ALL and name not in CAPABILITIES):
                continue  # ALL says it for the others
            seen.add(name)
            if grade(name, service) != wanted:
                continue
            if name == ALL:
                in_vain = tuple(
                    (drop.place, "does not take them away: adding ALL wins") for drop in service.cap_drop if canonical(drop.text) == ALL
                )
                yield at(setting, related=in_vain, name="ALL", allows=_allows(name, service))
            else:
                yield at(setting, name=name, allows=_allows(name, service))

    return check


def redundant(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report an added capability that the container has anyway."""
    if not service.cap_add or service.open_ended or is_privileged(service):
        return
    dropped, added = names(service.cap_drop), names(service.cap_add)
    if dropped is UNKNOWN or ALL in dropped or (added is not UNKNOWN and ALL in added):
        return
    default = _default(service)
    for setting in service.cap_add:
        name = canonical(setting.text)
        if name in default and name not in dropped:
            yield at(setting, name=name)


def unknown(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report capabilities that do not exist."""
    for settings in (service.cap_add, service.cap_drop):
        for setting in settings:
            if HOLE in setting.text:
                continue
            name = canonical(setting.text)
            if name in CAPABILITIES or name == ALL or not name:
                continue
            if name == "CAP_ALL":
                hint = "write ALL"
            else:
                hint = suggest(name.strip().replace("-", "_").replace(" ", "_"), tuple(CAPABILITIES)).rstrip("?")
                hint = hint and hint + "?"
            yield at(setting, name=setting.text, hint=f"; {hint}" if hint else "")


def contradictory(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report capabilities that are both added and dropped; beside ALL that is how one picks."""
    if not service.cap_add or not service.cap_drop:
        return
    added, dropped = names(service.cap_add), names(service.cap_drop)
    if (added is not UNKNOWN and ALL in added) or (dropped is not UNKNOWN and ALL in dropped):
        return
    drops = {canonical(setting.text): setting for setting in service.cap_drop if HOLE not in setting.text}
    for setting in service.cap_add:
        name = canonical(setting.text)
        drop = drops.get(name)
        if drop is not None and HOLE not in setting.text:
            outcome = "Podman refuses that" if is_podman(service) else "it is granted, for adding wins"
            yield at(drop, related=((setting.place, "added here"),), name=name, outcome=outcome)


def pointless_drop(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `cap_drop: ALL` with every default capability added back."""
    if not service.cap_drop or len(service.cap_add) < len(PODMAN_DEFAULT) or is_privileged(service):
        return
    added = names(service.cap_add)
    if added is UNKNOWN or not added >= _default(service):
        return
    for setting in service.cap_drop:
        if canonical(setting.text) == ALL:
            yield at(setting, related=((service.cap_add[0].key, "all are added back here"),))
            return


# --- security_opt -----------------------------------------------------------------------------------------------------------

TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
"""What Go's strconv.ParseBool takes."""

_DOCKER_OPTIONS: Final = ("apparmor", "credentialspec", "label", "no-new-privileges", "seccomp", "systempaths", "writable-cgroups")
_PODMAN_OPTIONS: Final = ("apparmor", "label", "mask", "no-new-privileges", "proc-opts", "seccomp", "unmask")
_BARE: Final = frozenset({"no-new-privileges"})
_UNCONFINED_TYPES: Final = frozenset({"spc_t", "unconfined_t", "container_runtime_t", "unconfined_service_t"})


def split_option(text: str) -> tuple[str, str | None]:
    """Return name and value of a security option: divided at the first `=`, or at the first `:` where there is no `=`.

    Source: parseSecurityOpt of moby's daemon.
    """
    separator = "=" if "=" in text else ":"
    name, found, value = text.partition(separator)
    return name, value if found else None


def last_option(service: Service, name: str) -> "tuple[Setting[str], str | None] | None":
    """Return the option of a name that counts, the last one; None when there is none or when a variable may override it."""
    for setting in reversed(service.security_opt):
        found, value = split_option(setting.text)
        if found == name:
            return None if value is not None and HOLE in value else (setting, value)
        if HOLE in found:
            return None
    return None


def _options(service: Service, name: str) -> "Iterator[tuple[Setting[str], str]]":
    for setting in service.security_opt:
        found, value = split_option(setting.text)
        if found == name and value is not None and HOLE not in value:
            yield setting, value


def _confines(service: Service) -> bool:
    """Whether security options count: they are there, in force, and `privileged` has not undone them already."""
    return bool(service.security_opt) and in_force(service, "security_opt") and not is_privileged(service)


def missing_no_new_privileges(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service whose processes may gain privileges through set-user-id programs."""
    if not is_complete(service) or service.is_one_off or not in_force(service, "security_opt") or is_privileged(service):
        return
    for setting in service.security_opt:
        name, _ = split_option(setting.text)
        if name == "no-new-privileges" or HOLE in name:
            return
    yield missing(service, service=called(service))


def new_privileges(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `no-new-privileges` that is switched off in so many words."""
    if not _confines(service):
        return
    found = last_option(service, "no-new-privileges")
    if found is not None and found[1] in FALSE:
        yield at(found[0])


def no_seccomp(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service without a seccomp profile."""
    if not _confines(service):
        return
    found = last_option(service, "seccomp")
    if found is not None and found[1] == "unconfined":
        yield at(found[0])


def no_apparmor(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service without an AppArmor profile."""
    if not _confines(service):
        return
    found = last_option(service, "apparmor")
    if found is not None and found[1] == "unconfined":
        yield at(found[0])


def no_selinux(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that SELinux does not confine. `disable` anywhere in the list wins; of several types the last one does."""
    if not _confines(service):
        return
    last: tuple[Setting[str], str] | None = None
    for setting, value in _options(service, "label"):
        if value == "disable":
            yield at(setting, what="SELinux separation is off")
            return
        if value.startswith("type:"):
            last = setting, value[5:]
    if last is not None and last[1] in _UNCONFINED_TYPES:
        yield at(last[0], what=f"the SELinux type {last[1]} confines nothing")


def unmasked_paths(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that sees, and may write, the paths of /proc and /sys that containers are kept from."""
    if not _confines(service):
        return
    for setting in service.security_opt:
        text = setting.text
        if text == "systempaths=unconfined":
            yield at(setting, what="none of the dangerous paths in /proc and /sys is hidden or read-only")
            return
        name, value = split_option(text)
        if name == "unmask" and value and HOLE not in value and (service.is_compose or is_podman(service)):
            if value.upper() == ALL:
                yield at(setting, what="none of the dangerous paths in /proc and /sys is hidden or read-only")
            else:
                yield at(setting, severity=Severity.MEDIUM, what=f"{value.replace(':', ', ')} is not protected")


def writable_cgroups(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that may write to its cgroup file system."""
    if not _confines(service):
        return
    found = last_option(service, "writable-cgroups")
    if found is not None and found[1] in TRUE:
        host = service.cgroup is not None and service.cgroup.value == "host"
        yield at(found[0], severity=Severity.HIGH if host else None, whose="the host's" if host else "its")


def invalid_option(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report security options that the engine refuses."""
    if not service.security_opt or not in_force(service, "security_opt"):
        return
    podman = is_podman(service)
    known = _PODMAN_OPTIONS if podman else _DOCKER_OPTIONS
    for setting in service.security_opt:
        text = setting.text
        name, value = split_option(text)
        if HOLE in text and (HOLE in name or name in known):
            continue
        if name not in known:
            if service.is_compose and name in _PODMAN_OPTIONS:
                continue  # for podman-compose
            hint = suggest(name.strip().lower(), known)
            yield at(setting, option=text, problem=f"there is no such option; {hint}" if hint else "there is no such option")
        elif not value and name not in _BARE:
            yield at(setting, option=text, problem=f"{name} needs a value")
        elif name in ("no-new-privileges", "writable-cgroups"):
            if value is not None and value not in TRUE and value not in FALSE:
                yield at(setting, option=text, problem=f"{name} takes true or false, not {value!r}")
        elif name == "systempaths" and text != "systempaths=unconfined":
            yield at(setting, option=text, problem="the only form is systempaths=unconfined")
        elif value is not None and value[:1] == " ":
            yield at(setting, option=text, problem="the blank after the separator becomes part of the value")


# --- users and groups -------------------------------------------------------------------------------------------------------


def root_user(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a `user:` that is root, where the image is not known to have one that this undoes (which is a rule of its own)."""
    setting = service.user
    if setting is None or not setting.text.strip() or is_root(setting.text) is not True:
        return
    from hardener.rules.checks.service.posture import image_user

    account = image_user(service, context)
    if account is not UNKNOWN and not account.is_root:
        return
    # A tool for a moment, or an image that starts as root and steps down, is no worse for saying so.
    mild = service.is_one_off or (account is not UNKNOWN and account.steps_down)
    said = "root" if setting.text == "root" else f"{setting.text.replace(HOLE, '…')}, which is root"
    yield at(setting, severity=Severity.LOW if mild else None, service=called(service), user=said)


def root_group(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a user that is not root whose group is."""
    setting = service.user
    if setting is None or is_root(setting.text) is not False:
        return
    user, colon, group = setting.text.partition(":")
    if colon and HOLE not in group and (group == "root" or (NUMBER.fullmatch(group) is not None and int(group) == 0)):
        yield at(setting, user=user, group=group)


_GROUPS: Final[Mapping[str, tuple[Severity, str]]] = {
    "docker": (Severity.MEDIUM, "may use the Docker socket, and who may is root on the host"),
    "podman": (Severity.MEDIUM, "may use the Podman socket"),
    "lxd": (Severity.MEDIUM, "may use the LXD socket, and who may is root on the host"),
    "incus-admin": (Severity.MEDIUM, "may use the Incus socket, and who may is root on the host"),
    "libvirt": (Severity.MEDIUM, "may manage the host's virtual machines"),
    "disk": (Severity.MEDIUM, "may read and write raw disks, past all file permissions"),
    "kmem": (Severity.MEDIUM, "may read kernel memory through /dev/mem and /dev/port"),
    "shadow": (Severity.MEDIUM, "may read password hashes"),
    "sudo": (Severity.MEDIUM, "may become root where sudo is installed"),
    "wheel": (Severity.MEDIUM, "may become root where sudo or su allow it"),
    "root": (Severity.LOW, "may read and change what belongs to root's group, bind mounts of the host included"),
    "adm": (Severity.LOW, "may read system logs"),
    "systemd-journal": (Severity.LOW, "may read system logs"),
    "input": (Severity.LOW, "may read every keystroke where input devices are passed in"),
    "staff": (Severity.LOW, "may write to /usr/local in Debian images, whose programs root runs too"),
}


def powerful_group(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report supplementary groups that open sockets, disks or secrets."""
    if not service.group_add or not in_force(service, "group_add"):
        return
    for setting in service.group_add:
        text = setting.text
        name = "root" if NUMBER.fullmatch(text) is not None and int(text) == 0 else text
        known = _GROUPS.get(name)
        if known is not None:
            yield at(setting, severity=known[0], group=text, allows=known[1])


# --- further ways to more -------------------------------------------------------------------------------------------------------


def api_socket(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `use_api_socket: true`."""
    setting = service.use_api_socket
    if setting is not None and is_on(setting) and in_force(service, "use_api_socket"):
        yield at(setting)


def privileged_hook(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report lifecycle hooks that run with all privileges."""
    if not service.hooks or not in_force(service, "post_start") or is_privileged(service):
        return
    for hook in service.hooks:
        if hook.privileged is not None and is_on(hook.privileged):
            yield at(hook.privileged, event=hook.event)


def root_hook(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report lifecycle hooks that run as root in a service that does not."""
    if not service.hooks or not in_force(service, "post_start"):
        return
    user = service.user
    if user is not None and is_root(user.text) is not False:
        return
    for hook in service.hooks:
        if hook.user is not None and hook.user.text.strip() and is_root(hook.user.text) is True and not is_on(hook.privileged):
            yield at(hook.user, event=hook.event, user=hook.user.text)


def credential_spec(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that acts as an account of the Windows domain."""
    setting = service.credential_spec
    if setting is not None:
        yield at(setting)
        return
    for option, value in _options(service, "credentialspec"):
        if value and in_force(service, "security_opt"):
            yield at(option)


_RUNTIMES: Final = (
    "runc",
    "crun",
    "youki",
    "nvidia",
    "runsc",
    "gvisor",
    "kata",
    "sysbox",
    "krun",
    "wasm",
    "spin",
    "slight",
    "wws",
    "lunatic",
)


def unusual_runtime(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a runtime that nothing is known of."""
    setting = service.runtime
    if setting is None or setting.value is UNKNOWN or not setting.value or not in_force(service, "runtime"):
        return
    name = setting.value.lower()
    if not any(known in name for known in _RUNTIMES):
        yield at(setting, runtime=setting.value)


CHECKS: Final[Mapping[str, Check]] = {
    "HS101": privileged,
    "HS102": missing_cap_drop,
    "HS103": _graded(TAKEOVER),
    "HS104": _graded(POWERFUL),
    "HS105": _graded(SENSITIVE),
    "HS106": _graded(MINOR),
    "HS107": redundant,
    "HS108": unknown,
    "HS109": contradictory,
    "HS110": pointless_drop,
    "HS111": missing_no_new_privileges,
    "HS112": new_privileges,
    "HS113": no_seccomp,
    "HS114": no_apparmor,
    "HS115": no_selinux,
    "HS116": unmasked_paths,
    "HS117": writable_cgroups,
    "HS118": invalid_option,
    "HS119": root_user,
    "HS120": root_group,
    "HS121": powerful_group,
    "HS122": api_socket,
    "HS123": privileged_hook,
    "HS124": root_hook,
    "HS125": credential_spec,
    "HS126": unusual_runtime,
    "HS127": undone_by_privileged,
}
