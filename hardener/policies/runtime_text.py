"""`runtime:` of a policy held to what is written: compose services, stacks and `docker run` lines.

A service says what Docker would do with it, so where it says nothing Docker's default counts: fourteen capabilities, a root that can be
written to, no limits. What the files do not decide (a variable, a user that the image sets) is not judged. Nothing is loosened here:
`loosen:` is for the flags of a launch.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hardener.linux.names import CAPABILITIES
from hardener.oci.runtime import PERIOD_US
from hardener.policies.runtime import DOCKER_DEFAULT, EVERY, NETWORKS, NO_SWAP, NOT_ROOT, PRIVATE, Runtime, normal, size_text
from hardener.policies.walls.files import grant_text
from hardener.record import NamedTuple
from hardener.sources.compose import units
from hardener.sources.expansion import HOLE
from hardener.sources.service import Device, Mount, Service, Setting
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place

if TYPE_CHECKING:
    from hardener.sources.service import Variable

SOCKET: Final = "/var/run/docker.sock"
DOCKER_SHM: Final = 64 << 20
DOCKER_SHARES: Final = 1024
_ON: Final = ("", "true", "True", "TRUE", "1", "t", "T")
_RULE: Final = Pattern(r"([abc])\s+([0-9]+|\*):([0-9]+|\*)(?:\s+([rwm]+))?")


class TextViolation(NamedTuple):
    """Where a service is looser than a key of a policy."""

    key: str  # under `runtime`: namespaces.pid
    says: str
    wants: str
    where: str  # path:line:column in the policy
    place: Place  # in the service
    history: tuple[tuple[Place, str], ...] = ()


def text_violations(runtime: Runtime, service: Service) -> tuple[TextViolation, ...]:
    """Return everything in which a service is looser than a policy, in the order of the keys of a policy."""
    if service.provider is not None:
        return ()  # no container
    return tuple(_Judge(runtime, service).all())


class _Judge:
    """Holds one service to one policy."""

    def __init__(self, runtime: Runtime, service: Service) -> None:
        self.runtime = runtime
        self.service = service
        self.is_privileged = service.privileged is not None and service.privileged.value is True

    def all(self) -> Iterator[TextViolation]:
        """Yield what every key has to say."""
        for judge in (
            *(self.user, self.privileged, self.capabilities, self.security, self.read_only, self.tmpfs, self.network, self.namespaces),
            *(self.memory, self.swap, self.pids, self.cpus, self.shares, self.devices, self.sysctls, self.ulimits, self.shm, self.mounts),
            self.init,
        ):
            yield from judge()

    def at(self, key: str, setting: "Setting[str] | Setting[int] | Setting[float] | Setting[bool]", says: str, wants: str) -> TextViolation:
        return TextViolation(key, says, wants, self.runtime.where(key), setting.place, setting.history)

    def there(self, key: str, place: Place, says: str, wants: str) -> TextViolation:
        return TextViolation(key, says, wants, self.runtime.where(key), place)

    def missing(self, key: str, says: str, wants: str) -> Iterator[TextViolation]:
        """Yield what a service lacks, unless flags that are not seen may set it."""
        if not self.service.open_ended:
            yield self.there(key, self.service.place, says, wants)

    def user(self) -> Iterator[TextViolation]:
        wanted, user = self.runtime.user, self.service.user
        text = None if user is None else user.known
        if wanted is None or user is None or not text:
            return
        name, _, group = text.partition(":")
        if wanted == NOT_ROOT:
            if name == "root" or (name.isdecimal() and int(name) == 0):
                yield self.at("user", user, f"user {text}", "a user that is not root")
        elif name.isdecimal() and (not group or group.isdecimal()) and f"{int(name)}:{int(group or 0)}" != wanted:
            yield self.at("user", user, f"user {text}", f"user {wanted}")

    def privileged(self) -> Iterator[TextViolation]:
        privileged = self.service.privileged
        if privileged is not None and self.is_privileged and self.runtime.privileged is False:
            yield self.at("privileged", privileged, "privileged", "not privileged")

    def capabilities(self) -> Iterator[TextViolation]:
        wanted, service = self.runtime.capabilities, self.service
        if wanted is None:
            return
        allowed = wanted.ceiling
        wants = "no capabilities" if not allowed else f"at most {', '.join(sorted(allowed))}"
        if self.is_privileged and service.privileged is not None:
            if not set(CAPABILITIES) <= allowed:
                yield self.at("capabilities", service.privileged, "every capability", wants)
            return
        for setting in service.cap_add:
            names = _names(setting)
            if names is not None and not set(names) <= allowed:
                yield self.at("capabilities", setting, f"cap_add {setting.text}", wants)
        dropped = [_names(setting) for setting in service.cap_drop]
        added = [name for setting in service.cap_add for name in _names(setting) or ()]
        if None not in dropped:
            gone = {name for names in dropped if names is not None for name in names}
            kept = [name for name in DOCKER_DEFAULT if name not in gone and name not in allowed and name not in added]
            if kept:
                yield from self.missing("capabilities", f"keeps {', '.join(kept)} of Docker's own", f"{wants}: `cap_drop: [ALL]`")

    def security(self) -> Iterator[TextViolation]:
        """Yield what `security_opt` switches off, and no-new-privileges where it is not switched on."""
        runtime, service = self.runtime, self.service
        options = {name: service.security(name) for name in ("no-new-privileges", "seccomp", "apparmor", "label", "systempaths")}
        unclear = any(option.text.startswith(HOLE) for option in service.security_opt)
        if runtime.no_new_privileges and not unclear:
            given = options["no-new-privileges"]
            for option in given[-1:]:
                if HOLE not in option.text and _value(option) not in _ON:
                    yield self.at("no-new-privileges", option, "no-new-privileges off", "no-new-privileges")
            if not given:
                says = "nothing of no-new-privileges"
                yield from self.missing("no-new-privileges", says, "`security_opt: [no-new-privileges:true]`")
        for key, name in (("seccomp", "seccomp"), ("apparmor", "apparmor")):
            wanted = runtime.seccomp_name if key == "seccomp" else runtime.apparmor
            for option in options[name] if wanted else ():
                value = _value(option)
                if value == "unconfined" or (key == "apparmor" and HOLE not in value and value != wanted):
                    yield self.at(key, option, f"{name} {value}", f"the profile {wanted}")
        for option in options["label"] if runtime.selinux else ():
            if _value(option) == "disable":
                yield self.at("selinux", option, "label disable", f"the label {runtime.selinux}")
        for key in ("masked-paths", "readonly-paths"):
            asked = runtime.masked_paths if key == "masked-paths" else runtime.readonly_paths
            for option in options["systempaths"] if asked else ():
                if _value(option) == "unconfined":
                    yield self.at(key, option, "systempaths unconfined", "hidden" if key == "masked-paths" else "read-only")

    def read_only(self) -> Iterator[TextViolation]:
        setting = self.service.read_only
        if not self.runtime.read_only:
            return
        if setting is None:
            yield from self.missing("read-only", "a root file system that can be written to", "`read_only: true`")
        elif setting.value is False:
            yield self.at("read-only", setting, "a root file system that can be written to", "`read_only: true`")

    def tmpfs(self) -> Iterator[TextViolation]:
        for mount in self.service.mounts:
            target = mount.target
            if mount.type != "tmpfs" or not self.runtime.tmpfs or target is UNKNOWN or HOLE in target:
                continue
            path = normal(target)
            entry = path if path in self.runtime.tmpfs else EVERY
            wanted = self.runtime.tmpfs.get(entry)
            if wanted is None or any(HOLE in option for option in mount.options):
                continue
            key = f"tmpfs.{entry}"
            sizes = [units.size(option.removeprefix("size=")) for option in mount.options if option.startswith("size=")]
            size = sizes[-1] if sizes else None
            if wanted.size is not None and (not size or size > wanted.size):
                says = f"tmpfs {path} of {size_text(size)}" if size else f"tmpfs {path} without a size"
                yield self.there(key, mount.place, says, f"at most {size_text(wanted.size)}")
            for option in wanted.options:  # Docker itself mounts them nosuid, nodev and noexec
                if option != "ro" and option.removeprefix("no") in mount.options:
                    yield self.there(key, mount.place, f"tmpfs {path} with {option.removeprefix('no')}", option)

    def network(self) -> Iterator[TextViolation]:
        if self.runtime.network is None:
            return
        level, mode = NETWORKS.index(self.runtime.network), self.service.network_mode
        wants = f"network {self.runtime.network}" + (" or stricter" if level else "")
        if mode is None:
            if level < NETWORKS.index("bridge"):
                yield from self.missing("network", "a network", f"{wants}: `network_mode: none`")
            return
        value = mode.known
        if value is None:
            return
        joined = value.startswith(("container:", "service:"))
        own = "host" if value == "host" else "container" if joined else "none" if value == "none" else "bridge"
        if NETWORKS.index(own) > level:
            yield self.at("network", mode, f"network {value}", wants)

    def namespaces(self) -> Iterator[TextViolation]:
        service = self.service
        settings = (
            ("user", service.userns_mode),
            ("pid", service.pid),
            ("ipc", service.ipc),
            ("uts", service.uts),
            ("cgroup", service.cgroup),
        )
        for kind, setting in settings:
            value = None if setting is None else setting.known
            if setting is None or value is None or (self.runtime.namespaces or {}).get(kind) != PRIVATE:
                continue
            if value == "host" or value.startswith(("container:", "service:")):
                yield self.at(f"namespaces.{kind}", setting, f"{kind} {value}", f"a {kind} namespace of its own")

    def limit(self, key: str, name: str, setting: "Setting[int] | None", most: int | None, wants: str) -> Iterator[TextViolation]:
        """Yield a limit that is missing or too high; zero and less are unlimited."""
        if most is None:
            return
        if setting is None:
            yield from self.missing(key, f"no limit of {name}", wants)
            return
        value = setting.known
        if value is not None and (value <= 0 or value > most):
            amount = "unlimited" if value <= 0 else size_text(value) if "B" in wants else str(value)
            yield self.at(key, setting, f"{name} {amount}", wants)

    def memory(self) -> Iterator[TextViolation]:
        most = self.runtime.memory
        yield from self.limit("memory", "memory", self.service.memory, most, f"at most {_size(most)}")

    def swap(self) -> Iterator[TextViolation]:
        most, memory = self.runtime.memory_swap, self.service.memory
        if most == NO_SWAP:
            most = None if memory is None else memory.known  # without a limit of memory there is nothing to say of swap
            wants = "no swap: as much as memory"
        else:
            wants = f"at most {_size(most)} of memory and swap"
        setting = self.service.memory_swap
        if most is None or most <= 0:
            return
        if setting is None:
            yield from self.missing("memory-swap", "no limit of swap: Docker adds as much again as there is memory", wants)
        else:
            value = setting.known
            if value is not None and (value <= 0 or value > most):
                yield self.at("memory-swap", setting, f"memory-swap {'unlimited' if value <= 0 else size_text(value)}", wants)

    def pids(self) -> Iterator[TextViolation]:
        yield from self.limit("pids", "pids", self.service.pids_limit, self.runtime.pids, f"at most {self.runtime.pids}")

    def cpus(self) -> Iterator[TextViolation]:
        most, service = self.runtime.cpus, self.service
        if most is None:
            return
        wants = f"at most {most:g}"
        if service.cpus is not None:
            value = service.cpus.known
            if value is not None and (value <= 0 or value > most):
                yield self.at("cpus", service.cpus, f"cpus {value:g}" if value > 0 else "cpus unlimited", wants)
        elif service.cpu_quota is not None:
            quota = service.cpu_quota.known
            period = any(name in service.keys for name in ("cpu_period", "cpu-period"))
            if quota is not None and not period and (quota <= 0 or quota > most * PERIOD_US):
                says = f"cpus {quota / PERIOD_US:g}" if quota > 0 else "cpus unlimited"
                yield self.at("cpus", service.cpu_quota, says, wants)
        else:
            yield from self.missing("cpus", "no limit of cpus", wants)

    def shares(self) -> Iterator[TextViolation]:
        most, setting = self.runtime.cpu_shares, self.service.cpu_shares
        if most is None:
            return
        value = DOCKER_SHARES if setting is None else setting.known
        if value is None or (value or DOCKER_SHARES) <= most:
            return
        says, wants = f"cpu-shares {value}", f"at most {most}"
        if setting is None:
            yield from self.missing("cpu-shares", says, wants)
        else:
            yield self.at("cpu-shares", setting, says, wants)

    def devices(self) -> Iterator[TextViolation]:
        grants = self.runtime.devices
        if grants is None:
            return
        wants = "no devices of the host" if not grants else f"at most {', '.join(grant_text(grant) for grant in grants)}"
        if self.is_privileged and self.service.privileged is not None:
            yield self.at("devices", self.service.privileged, "every device", wants)
            return
        for device in self.service.devices:
            if self._is_refused(device):
                yield self.there("devices", device.place, f"device {device.source}", wants)
        for rule in self.service.device_cgroup_rules:
            found = None if HOLE in rule.text else _RULE.fullmatch(rule.text.strip())
            if found is None:
                continue
            kind, major, minor, access = found.groups()
            numbers = [None if number == "*" else int(number) for number in (major, minor)]
            if access != "m" and not any(grant.covers(kind, numbers[0], numbers[1], access or "rwm") for grant in grants):
                yield self.at("devices", rule, f"device {rule.text.strip()}", wants)
        if self.service.gpus is not None:
            yield self.at("devices", self.service.gpus, "gpus", wants)

    def _is_refused(self, device: Device) -> bool:
        """Tell whether a device may not be had; one that is granted by its numbers alone may be any."""
        source = device.source
        if source is UNKNOWN:
            return False
        for grant in self.runtime.devices or ():
            if grant.path is None or (grant.path == source and set(device.permissions or "rwm") <= set(grant.access)):
                return False
        return True

    def sysctls(self) -> Iterator[TextViolation]:
        wanted = self.runtime.sysctls
        if wanted is None:
            return
        given = {variable.name: variable for variable in self.service.sysctls}
        for name, variable in given.items():
            value = _known(variable)
            if HOLE in name or (value is None and name in (wanted.fixed or {})):
                continue
            if not wanted.permits(name, value or ""):
                only = ", ".join([*wanted.allow, *(wanted.fixed or {})]) or "the kernel's own values"
                yield self.there("sysctls", variable.key, f"sysctl {name}{'' if value is None else f'={value}'}", f"only {only}")
        for name, value in (wanted.fixed or {}).items():
            if name not in given:
                yield from self.missing(f"sysctls.set.{name}", f"sysctl {name} is not set", f"{name}={value}")

    def ulimits(self) -> Iterator[TextViolation]:
        for limit in self.service.ulimits:
            most = (self.runtime.ulimits or {}).get(limit.name)
            if most is None:
                continue
            for own, ceiling, which in ((limit.soft, most.soft, "soft"), (limit.hard, most.hard, "hard")):
                if own is not UNKNOWN and ceiling >= 0 and (own < 0 or own > ceiling):
                    says = f"ulimit {limit.name} {which} {'unlimited' if own < 0 else own}"
                    yield self.there(f"ulimits.{limit.name}", limit.place, says, f"at most {ceiling}")
                    break

    def shm(self) -> Iterator[TextViolation]:
        most, setting = self.runtime.shm_size, self.service.shm_size
        if most is None:
            return
        value = DOCKER_SHM if setting is None else setting.known
        if value is None or (0 < value <= most):
            return
        says, wants = f"shm-size {size_text(value)}", f"at most {size_text(most)}"
        if setting is None:
            yield from self.missing("shm-size", says, wants)
        else:
            yield self.at("shm-size", setting, says, wants)

    def mounts(self) -> Iterator[TextViolation]:
        wanted, service = self.runtime.mounts, self.service
        if wanted is None:
            return
        for mount in service.mounts:
            source = mount.source
            if mount.type != "bind" or source is None or source is UNKNOWN or HOLE in source or not source.startswith("/"):
                continue  # `~` is somebody's home, and only they know where
            yield from self._mount(mount, normal(source))
        socket = service.use_api_socket
        if socket is not None and socket.value is True and (reason := wanted.refusal(SOCKET)):
            yield self.at("mounts.deny", socket, "the socket of the engine", f"another way: it {reason}")

    def _mount(self, mount: Mount, source: str) -> Iterator[TextViolation]:
        wanted = self.runtime.mounts
        reason = "" if wanted is None else wanted.refusal(source)
        if reason:
            key = "mounts.deny" if "denied" in reason else "mounts.allow"
            yield self.there(key, mount.source_place, f"volume {source}", f"another path: this one {reason}")
        elif wanted is not None and "ro" in wanted.options and mount.read_only is False:
            yield self.there("mounts.options", mount.place, f"volume {source} without ro", "ro")
        if mount.propagation in ("shared", "rshared", "slave", "rslave"):
            yield self.there("mounts", mount.place, f"volume {source} {mount.propagation}", "private propagation")

    def init(self) -> Iterator[TextViolation]:
        setting = self.service.init
        if not self.runtime.init:
            return
        if setting is None:
            yield from self.missing("init", "no init", "`init: true`")
        elif setting.value is False:
            yield self.at("init", setting, "no init", "`init: true`")


def _names(setting: Setting[str]) -> tuple[str, ...] | None:
    """Return the capabilities that an item names, without `CAP_`; None when nothing says which."""
    if HOLE in setting.text:
        return None
    name = setting.text.upper()
    return CAPABILITIES if name == "ALL" else (name.removeprefix("CAP_"),)


def _value(option: Setting[str]) -> str:
    return option.text.replace(":", "=", 1).partition("=")[2].strip()


def _known(variable: "Variable") -> str | None:
    return None if variable.value is None else variable.value.known


def _size(size: int | None) -> str:
    return "" if size is None else size_text(size)
