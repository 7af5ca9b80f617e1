"""A service as the words of `docker run` or `harden run`."""

from collections.abc import Iterable
from os.path import relpath
from typing import Final

from hardener.record import NamedTuple
from hardener.sources.compose.mounts import PROPAGATIONS
from hardener.sources.service import Healthcheck, Mount, Port, Service, Setting, Words
from hardener.sources.unknown import UNKNOWN
from hardener.sources.write.texts import Loss, Text, literal, of, of_variable, written


class Word(NamedTuple):
    """A flag with its value, if it has one; an operand has no flag."""

    flag: str
    value: Text | None = None

    def shell(self) -> str:
        """Return it as one or two words of a shell command."""
        if self.value is None:
            return self.flag
        return f"{self.flag} {self.value.shell()}" if self.flag else self.value.shell()


_TEXTS: Final = (
    ("container_name", "name"), ("hostname", "hostname"), ("domainname", "domainname"), ("platform", "platform"), ("user", "user"),
    ("working_dir", "workdir"), ("network_mode", "network"), ("pid", "pid"), ("ipc", "ipc"), ("uts", "uts"), ("userns_mode", "userns"),
    ("cgroup", "cgroupns"), ("cgroup_parent", "cgroup-parent"), ("isolation", "isolation"), ("runtime", "runtime"), ("gpus", "gpus"),
    ("mac_address", "mac-address"), ("cpuset", "cpuset-cpus"), ("restart", "restart"), ("stop_signal", "stop-signal"),
)  # fmt: skip
_SWITCHES: Final = (
    ("init", "init"), ("privileged", "privileged"), ("read_only", "read-only"), ("use_api_socket", "use-api-socket"),
    ("publish_all", "publish-all"), ("oom_kill_disable", "oom-kill-disable"), ("remove", "rm"),
)  # fmt: skip
_LISTS: Final = (
    ("group_add", "group-add"), ("cap_add", "cap-add"), ("cap_drop", "cap-drop"), ("security_opt", "security-opt"),
    ("device_cgroup_rules", "device-cgroup-rule"), ("expose", "expose"), ("links", "link"), ("extra_hosts", "add-host"), ("dns", "dns"),
)  # fmt: skip
_SIZES: Final = (
    ("memory", "memory"), ("memory_reservation", "memory-reservation"), ("memory_swap", "memory-swap"), ("shm_size", "shm-size"),
)  # fmt: skip
_NUMBERS: Final = (
    ("memory_swappiness", "memory-swappiness"), ("cpus", "cpus"), ("cpu_quota", "cpu-quota"), ("cpu_shares", "cpu-shares"),
    ("pids_limit", "pids-limit"), ("oom_score_adj", "oom-score-adj"),
)  # fmt: skip
_EXTRA: Final = {
    "cpu_count": "cpu-count", "cpu_percent": "cpu-percent", "cpu_period": "cpu-period", "cpu_rt_period": "cpu-rt-period",
    "cpu_rt_runtime": "cpu-rt-runtime", "cpuset_mems": "cpuset-mems", "dns_opt": "dns-option", "dns_search": "dns-search",
    "external_links": "link", "ip": "ip", "ip6": "ip6", "link_local_ips": "link-local-ip", "label_file": "label-file",
    "volume_driver": "volume-driver", "cidfile": "cidfile", "detach_keys": "detach-keys", "attach": "attach",
    "blkio_config.weight": "blkio-weight", "blkio_config.weight_device": "blkio-weight-device",
    "blkio_config.device_read_bps": "device-read-bps", "blkio_config.device_read_iops": "device-read-iops",
    "blkio_config.device_write_bps": "device-write-bps", "blkio_config.device_write_iops": "device-write-iops",
}  # fmt: skip
_PULLS: Final = {"always": "always", "never": "never", "missing": "missing", "if_not_present": "missing"}

LOST: Final = {
    "build": "a run line builds nothing: build the image first and name it",
    "depends_on": "a run line starts one container and waits for none",
    "profiles": "a run line has no profiles",
    "deploy": "a run line runs one container of one service",
    "secrets": "only services of a stack, and compose by mounting a file, have secrets",
    "configs": "only services of a stack, and compose by mounting a file, have configs",
    "develop": "`compose watch` has no counterpart",
    "provider": "compose calls a program for it; there is no container",
    "models": "compose starts the model; there is no container",
    "scale": "a run line starts one container",
    "post_start": "there are no hooks",
    "pre_start": "there are no hooks",
    "pre_stop": "there are no hooks",
    "blkio_config": "there are single flags for it, of which compose keys say more than one at a time",
    "credential_spec": "it is `--security-opt credentialspec=…`, on Windows only",
    "label_file": "its labels are not repeated",
    "external_links": "",
}
_TOLD: Final = frozenset({
    "image", "command", "entrypoint", "environment", "env_file", "labels", "annotations", "volumes", "tmpfs", "ports", "networks",
    "ulimits", "devices", "healthcheck", "logging", "sysctls", "storage_opt", "stdin_open", "tty", "pull_policy", "stop_grace_period",
    "mem_limit", "mem_reservation", "memswap_limit", "mem_swappiness", "volumes_from", "cpu_period", "cpu_rt_period", "cpu_rt_runtime",
    "cpu_count", "cpu_percent", "dns_opt", "dns_search", "external_links", "extends",
    *[field for field, _ in (*_TEXTS, *_SWITCHES, *_LISTS, *_SIZES, *_NUMBERS)],
})  # fmt: skip
_UNDER_DEPLOY: Final = frozenset({
    "deploy.resources", "deploy.resources.limits", "deploy.resources.limits.memory", "deploy.resources.limits.cpus",
    "deploy.resources.limits.pids", "deploy.resources.reservations", "deploy.resources.reservations.memory",
})  # fmt: skip

# What `harden run` has of docker's flags; a test holds this against its own table.
HARDEN: Final = frozenset({
    "", "-d", "-e", "-i", "-it", "-t", "-v", "--annotation", "--blkio-weight", "--blkio-weight-device", "--cap-add", "--cap-drop",
    "--cgroup-parent", "--cgroupns", "--cpu-period", "--cpu-quota", "--cpu-shares", "--cpus", "--cpuset-cpus", "--cpuset-mems",
    "--detach-keys", "--device", "--device-cgroup-rule", "--device-read-bps", "--device-read-iops", "--device-write-bps",
    "--device-write-iops", "--domainname", "--entrypoint", "--env-file", "--group-add", "--hostname", "--init", "--ipc", "--label",
    "--label-file", "--memory", "--memory-reservation", "--memory-swap", "--memory-swappiness", "--mount", "--name", "--network",
    "--health-cmd", "--health-interval", "--health-retries", "--health-start-interval", "--health-start-period", "--health-timeout",
    "--no-healthcheck", "--oom-score-adj", "--pid", "--pids-limit", "--platform", "--privileged", "--pull", "--read-only", "--restart",
    "--rm", "--security-opt", "--shm-size", "--stop-signal", "--stop-timeout", "--sysctl", "--tmpfs", "--ulimit", "--user", "--userns",
    "--uts", "--workdir",
})  # fmt: skip
_OURS: Final = ("apparmor", "label", "no-new-privileges", "seccomp", "systempaths")


class RunLine(NamedTuple):
    """A command: its flags, then the image and what it is given; and what it does not say."""

    flags: tuple[Word, ...]
    operands: tuple[Word, ...]
    lost: tuple[Loss, ...]

    def text(self, command: str) -> str:
        """Return the command for a shell, one flag a line."""
        lines = [command, *(word.shell() for word in self.flags)]
        if self.operands:
            lines.append(" ".join([word.shell() for word in self.operands]))
        return " \\\n  ".join(lines)


def run_line(service: Service) -> RunLine:
    """Return a service as a `docker run` line."""
    return _Writer(service).write()


_NETWORKS: Final = "harden run has the networks none (its default), host and container:NAME"


def _refused(flag: str, value: str) -> str | None:
    """Return why `harden run` does not take a value that docker takes; None when it does."""
    shared = value.startswith("container:")
    if flag == "--network" and value not in ("none", "host") and not shared:
        return _NETWORKS
    if flag == "--ipc" and shared:
        return "harden run cannot show another container's shared memory yet"
    if flag == "--pull" and value == "always":
        return "harden run does not fetch images yet"
    if flag == "--security-opt" and value.replace(":", "=").partition("=")[0] not in _OURS:
        return "harden run has no such option"
    return None


def harden_line(service: Service) -> RunLine:
    """Return a service as a `harden run` line: the same names, without what `harden run` does not have."""
    line = run_line(service)
    flags: list[Word] = []
    lost = list(line.lost)
    for word in line.flags:
        value = None if word.value is None else word.value.known
        reason = None if value is None else _refused(word.flag, value)
        if reason is not None:
            lost.append(Loss(f"{word.flag} {value}", reason))
        elif word.flag == "--network" and value is None:
            lost.append(Loss("--network …", _NETWORKS))
        elif word.flag.partition("=")[0] in HARDEN:
            flags.append(word)
        else:
            shown = word.flag if value is None else f"{word.flag} {value}"
            lost.append(
                Loss(shown, "harden run starts without a network of its own" if word.flag == "-p" else "harden run has no such flag")
            )
    return RunLine(tuple(flags), line.operands, tuple(lost))


class _Writer:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.words: list[Word] = []
        self.lost: list[Loss] = []

    def write(self) -> RunLine:
        service = self.service
        if service.is_compose or (service.detach is not None and service.detach.value is True):
            self.words.append(Word("-d"))
        self._terminal()
        for field, flag in _TEXTS:
            self._setting(field, flag)
        self._pull()
        for field, flag in _SWITCHES:
            self._switch(field, flag)
        for field, flag in _LISTS:
            for setting in getattr(service, field):
                self._text(f"--{flag}", setting)
        self._volumes_from()
        for field, flag in (*_SIZES, *_NUMBERS):
            self._number(field, flag, is_size=(field, flag) in _SIZES)
        self._life()
        self._networks()
        for port in service.ports:
            self._port(port)
        for path in service.env_files:
            if isinstance(path.value, str):
                self._add("--env-file", literal(shown(path.value, service)))
            else:
                self._text("--env-file", path)
        self._variables()
        for mount in service.mounts:
            self._mount(mount)
        self._items()
        self._health(service.healthcheck)
        operands = self._operands()
        self._unsaid()
        return RunLine(tuple(self.words), tuple(operands), tuple(self.lost))

    def _add(self, flag: str, value: Text) -> None:
        self.words.append(Word(flag, value))

    def _lose(self, name: str, reason: str) -> None:
        loss = Loss(name, reason)
        if loss not in self.lost:
            self.lost.append(loss)

    def _open(self, flag: str, raw: str) -> None:
        self._lose(flag, f"its value `{' '.join(raw.split())}` is filled in by something else than a variable of the shell")

    def _text(self, flag: str, setting: Setting[str]) -> None:
        text = of(setting, self.service)
        if text is None:
            self._open(flag, setting.place.text)
        else:
            self._add(flag, text)

    def _setting(self, field: str, flag: str) -> None:
        setting: Setting[str] | None = getattr(self.service, field)
        if setting is None:
            return
        if isinstance(setting.value, str) and setting.value.startswith("service:"):
            name = setting.value.removeprefix("service:")
            self._lose(field, f"docker needs the name of a container where compose names the service {name}")
            return
        self._text(f"--{flag}", setting)

    def _switch(self, field: str, flag: str) -> None:
        setting: Setting[bool] | None = getattr(self.service, field)
        if setting is None:
            return
        if setting.value is UNKNOWN:
            text = written(setting.place, self.service)
            if text is None:
                self._open(f"--{flag}", setting.place.text)
            else:
                self.words.append(Word("", literal(f"--{flag}=") + text))
        elif setting.value or flag in ("init", "read-only"):
            self.words.append(Word(f"--{flag}" if setting.value else f"--{flag}=false"))

    def _terminal(self) -> None:
        service = self.service
        letters = "".join(
            [letter for letter, field in (("i", service.stdin_open), ("t", service.tty)) if field is not None and field.value is True]
        )
        if letters:
            self.words.append(Word(f"-{letters}"))

    def _pull(self) -> None:
        setting = self.service.pull_policy
        if setting is None:
            return
        value = setting.value
        if isinstance(value, str) and value not in _PULLS:
            self._lose("pull_policy", f"docker run does not know the policy {value!r}")
        else:
            self._text("--pull", setting if value is UNKNOWN else Setting(_PULLS[value], setting.place, setting.key, _PULLS[value]))

    def _volumes_from(self) -> None:
        for setting in self.service.volumes_from:
            value = setting.value
            if self.service.is_compose and isinstance(value, str):
                if not value.startswith("container:"):
                    self._lose("volumes_from", f"docker needs the name of a container where compose names the service {value}")
                    continue
                setting = Setting(value.removeprefix("container:"), setting.place, setting.key)
            self._text("--volumes-from", setting)

    def _number(self, field: str, flag: str, *, is_size: bool) -> None:
        setting: Setting[float] | None = getattr(self.service, field)
        if setting is None:
            return
        if setting.value is UNKNOWN:
            text = written(setting.place, self.service)
            if text is None:
                self._open(f"--{flag}", setting.place.text)
            else:
                self._add(f"--{flag}", text)
        else:
            self._add(f"--{flag}", literal(size(int(setting.value)) if is_size else number(setting.value)))

    def _life(self) -> None:
        grace = self.service.stop_grace_period
        if grace is not None:
            if grace.value is UNKNOWN:
                self._lose("stop_grace_period", "docker takes whole seconds, and a variable may hold something else")
            elif grace.value != int(grace.value):
                self._lose("stop_grace_period", "docker takes whole seconds")
            else:
                self._add("--stop-timeout", literal(int(grace.value)))

    def _networks(self) -> None:
        networks = self.service.networks
        for network in networks:
            if not network.ipv4 and not network.aliases:
                self._add("--network", literal(network.name))
                continue
            fields = [f"name={network.name}", *[f"alias={alias}" for alias in network.aliases]]
            if network.ipv4:
                fields.append(f"ip={network.ipv4}")
            if any("\0" in field or "," in field for field in fields):
                self._lose("networks", f"an address or alias on {network.name} is a variable")
                fields = fields[:1]
            self._add("--network", literal(",".join(fields)))
        if self.service.is_compose:
            for key in self.service.keys:
                if key.startswith("networks.") and key.rpartition(".")[2] not in (
                    *[network.name for network in networks],
                    "aliases",
                    "ipv4_address",
                ):
                    self._lose(key, "it is not carried over")

    def _port(self, port: Port) -> None:
        text = port_text(port)
        if text is None:
            raw = written(port.place, self.service)
            if raw is None or ": " in port.place.text:
                self._open("ports", port.place.text)
                return
            self._add("-p", raw)
        else:
            self._add("-p", literal(text))

    def _variables(self) -> None:
        service = self.service
        for variables, flag in (
            (service.environment, "-e"),
            (service.labels, "--label"),
            (service.annotations, "--annotation"),
            (service.sysctls, "--sysctl"),
            (service.storage_opt, "--storage-opt"),
        ):
            for variable in variables:
                if variable.source in ("env_file", "label_file"):
                    continue
                text = of_variable(variable, service)
                if text is None:
                    self._open(
                        f"{flag} {variable.name}".replace("\0", "…"), (variable.value.place if variable.value else variable.key).text
                    )
                else:
                    self._add(flag, text)
        logging = service.logging
        if logging is not None:
            if logging.driver is not None:
                self._text("--log-driver", logging.driver)
            for variable in logging.options:
                text = of_variable(variable, service)
                if text is None:
                    self._open(f"--log-opt {variable.name}", variable.key.text)
                else:
                    self._add("--log-opt", text)

    def _mount(self, mount: Mount) -> None:
        service = self.service
        whole = mount_written(mount, service)
        if whole is not None:
            self._add("--tmpfs" if mount.type == "tmpfs" else "-v", whole)
            return
        ends = mount_ends(mount, service)
        if ends is None:
            self._open("volumes", mount.place.text)
            return
        source, target = ends
        options = mount_options(mount)
        if mount.type == "tmpfs":
            self._add("--tmpfs", target + (":" + ",".join(options) if options else ""))
        elif mount.type in ("bind", "volume") and mount.create_host_path and not any("=" in option for option in options):
            where = target if source is None else source + ":" + target
            if source is None and options:
                self._long(mount, source, target, options)
            else:
                self._add("-v", where + (":" + ",".join(options) if options else ""))
        else:
            self._long(mount, source, target, options)

    def _long(self, mount: Mount, source: Text | None, target: Text, options: list[str]) -> None:
        text = literal(f"type={mount.type}")
        if source is not None:
            text = text + ",src=" + source
        text = text + ",dst=" + target
        for option in options:
            name, equals, value = option.partition("=")
            match name:
                case "ro":
                    text = text + ",readonly"
                case "rw":
                    pass
                case "nocopy":
                    text = text + ",volume-nocopy"
                case "consistent" | "cached" | "delegated" | "default":
                    text = text + f",consistency={name}"
                case _ if name in PROPAGATIONS:
                    text = text + f",bind-propagation={name}"
                case "bind-recursive" | "volume-subpath" | "image-subpath" | "volume-label" | "volume-driver" | "volume-opt" if equals:
                    text = text + f",{name}={value}"
                case _:
                    self._lose(f"volumes: {option}", "`--mount` has no such option")
        if any("," in piece for piece in (str(mount.source), str(mount.target))):
            self._lose("volumes", "a path with a comma cannot be written here")
            return
        self._add("--mount", text)

    def _items(self) -> None:
        service = self.service
        for device in service.devices:
            if UNKNOWN in (device.source, device.target):
                raw = written(device.place, service)
                if raw is None or ": " in device.place.text:
                    self._open("devices", device.place.text)
                else:
                    self._add("--device", raw)
            elif not device.target:
                self._add("--device", literal(device.source))
            else:
                self._add("--device", literal(f"{device.source}:{device.target}:{device.permissions}"))
        for limit in service.ulimits:
            if UNKNOWN in (limit.soft, limit.hard):
                raw = written(limit.place, service)
                if raw is None or ":" in limit.place.text:
                    self._open("ulimits", limit.place.text)
                else:
                    self._add("--ulimit", (literal(f"{limit.name}=") if service.is_compose else literal("")) + raw)
            else:
                self._add("--ulimit", literal(f"{limit.name}={limit.soft}" + ("" if limit.soft == limit.hard else f":{limit.hard}")))
        for variable in service.extra:
            flag = _EXTRA.get(variable.name)
            if flag is None or variable.value is None or (service.is_compose and variable.name == "attach"):
                self._lose(
                    variable.name, "there is no such flag" if service.is_compose else "it is podman's, or says nothing about the container"
                )
            else:
                self._text(f"--{flag}", variable.value)

    def _health(self, health: Healthcheck | None) -> None:
        if health is None:
            return
        if health.disabled is not None:
            self.words.append(Word("--no-healthcheck"))
            return
        test = health.test
        if test is not None:
            if test.shell:
                self._words("--health-cmd", test)
            else:
                self._lose("healthcheck.test", "docker run hands a test to a shell; here it is quoted for one")
                words = [of(word, self.service) for word in test.words]
                if None in words:
                    self._open("--health-cmd", test.place.text)
                else:
                    from shlex import quote

                    self._add("--health-cmd", literal(" ".join([quote(word.known or "") for word in words if word is not None])))
        for name in ("interval", "timeout", "start_period", "start_interval"):
            setting: Setting[float] | None = getattr(health, name)
            if setting is not None:
                flag = f"--health-{name.replace('_', '-')}"
                if setting.value is UNKNOWN:
                    text = written(setting.place, self.service)
                    if text is None:
                        self._open(flag, setting.place.text)
                    else:
                        self._add(flag, text)
                else:
                    self._add(flag, literal(duration(setting.value)))
        if health.retries is not None:
            if health.retries.value is UNKNOWN:
                self._open("--health-retries", health.retries.place.text)
            else:
                self._add("--health-retries", literal(health.retries.value))

    def _words(self, flag: str, words: Words) -> None:
        text = words.text if words.text is not None else words.words[0] if words.words else None
        if text is not None:
            self._text(flag, text)

    def _operands(self) -> Iterable[Word]:
        service = self.service
        before: list[Word] = []
        entrypoint = service.entrypoint
        if entrypoint is not None:
            first, *rest = entrypoint.words or (None,)
            if first is None:
                self._add("--entrypoint", literal(""))
            else:
                self._text("--entrypoint", first)
            before = [Word("", text) for text in self._each(rest)]
        image = service.image
        if image is None:
            if service.build is not None:
                self._lose("build", LOST["build"])
                return []
            return []
        name = of(image, service)
        if name is None:
            self._open("image", image.place.text)
            return []
        after = [Word("", text) for text in self._each(service.command.words)] if service.command is not None else []
        return [Word("", name), *before, *after]

    def _each(self, settings: Iterable[Setting[str] | None]) -> list[Text]:
        out: list[Text] = []
        for setting in settings:
            text = None if setting is None else of(setting, self.service)
            if text is None:
                self._open("command", "" if setting is None else setting.place.text)
            else:
                out.append(text)
        return out

    def _unsaid(self) -> None:
        """Name every key of compose that has no counterpart."""
        service = self.service
        if service.open_ended:
            self._lose("…", "the line has more flags than are written: a variable holds them")
        if not service.is_compose:
            return
        for key in service.keys:
            top = key.partition(".")[0]
            if top in _TOLD or top.startswith("x-") or key in _UNDER_DEPLOY:
                continue
            if top == "deploy":
                if key != "deploy" and key.count(".") == 1:
                    self._lose(key, LOST["deploy"])
            elif key == top:
                self._lose(key, LOST.get(key, "there is no such flag"))
        for mount in service.mounts:
            if mount.type == "volume" and isinstance(mount.source, str):
                resource = service.project.volumes.get(mount.source)
                if resource is not None and not resource.external and "name" not in resource.settings:
                    project = service.project.name or "PROJECT"
                    self._lose(f"volume {mount.source}", f"compose calls it {project}_{mount.source}; here it is a volume of its own")


def mount_source(mount: Mount, service: Service) -> str:
    """Return the source of a mount as it is best written: a folder of the project relative to it."""
    source = str(mount.source)
    return shown(source, service) if mount.type == "bind" else source


def mount_ends(mount: Mount, service: Service) -> tuple[Text | None, Text] | None:
    """Return source (None where it has none) and target of a mount; None where something hides them, or whether it is read-only."""
    source = None
    if mount.source is not None:
        source = written(mount.source_place, service) if mount.source is UNKNOWN else literal(mount_source(mount, service))
    target = written(mount.target_place, service) if mount.target is UNKNOWN else literal(mount.target)
    if mount.read_only is UNKNOWN or target is None or (mount.source is not None and source is None):
        return None
    return source, target


def mount_written(mount: Mount, service: Service) -> Text | None:
    """Return a mount in short form as it is written, where a variable hides which part of it is which."""
    if UNKNOWN not in (mount.source, mount.target, mount.read_only) or mount.place not in (mount.source_place, mount.target_place):
        return None
    text = written(mount.place, service)
    raw = mount.place.text
    return None if text is None or "=" in raw or ": " in raw or (mount.type == "tmpfs" and ":" in raw) else text


def shown(path: str, service: Service) -> str:
    """Return a path below the project's folder relative to it, every other as it is."""
    folder = service.project.folder.rstrip("/")
    if path == folder or path.startswith(folder + "/"):
        return "./" + relpath(path, folder) if path != folder else "."
    return path


def mount_options(mount: Mount) -> list[str]:
    """Return the options in one spelling: `ro` first, propagation behind."""
    kept = [option for option in mount.options if option and option not in ("ro", "rw") and option not in PROPAGATIONS]
    if mount.read_only is True:
        kept.insert(0, "ro")
    elif "rw" in mount.options:
        kept.insert(0, "rw")
    if mount.propagation:
        kept.append(mount.propagation)
    return kept


def port_text(port: Port) -> str | None:
    """Return a port in short form; None when a variable is in it."""
    if UNKNOWN in (port.target, port.published, port.host_ip):
        return None
    host = f"[{port.host_ip}]" if port.host_ip and ":" in str(port.host_ip) else str(port.host_ip or "")
    published = str(port.published or "")
    text = f"{host}:{published}:{port.target}" if host else f"{published}:{port.target}" if published else str(port.target)
    return text if port.protocol == "tcp" else f"{text}/{port.protocol}"


def size(count: int) -> str:
    """Return bytes in the largest unit that divides them."""
    for unit, factor in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if count and count % factor == 0:
            return f"{count // factor}{unit}"
    return str(count)


def number(value: float) -> str:
    """Return a number without needless digits."""
    return str(int(value)) if value == int(value) else repr(float(value))


def duration(seconds: float) -> str:
    """Return seconds as a duration."""
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    for unit, factor in (("ms", 1e3), ("us", 1e6)):
        if abs(seconds * factor - round(seconds * factor)) < 1e-6:
            return f"{round(seconds * factor)}{unit}"
    return f"{round(seconds * 1e9)}ns"
