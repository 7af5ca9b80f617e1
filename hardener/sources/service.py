"""One container's settings, however they were written: compose service, stack service, `docker run` line.

The readers (`sources.compose`, `sources.runline`) turn every spelling into the same `Service`; rules, conversion and the launcher read
that and nothing else. Names are those of the Compose Specification; sizes are bytes, times are seconds, CPUs are cores.

Every value is a `Setting`: what was said, and the place in the file that *caused* it (the override's line, the extended file's line,
the line of the `.env` file is never it: a variable is used where it is written `${…}`). A value that the files do not decide is
`UNKNOWN`, never "" or False; a field that is None or () was not set at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from hardener.record import NamedTuple
from hardener.sources.unknown import UNKNOWN, UnknownType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.text import Place, SourceFile, View

T = TypeVar("T")

UNLIMITED: Final = -1
"""What `memory`, `pids_limit` and the like hold when a file asks for no limit in so many words."""


class Setting(Generic[T]):
    """One value and where it was set.

    `place` is the value itself, `key` the key or the flag that names it; `text` is what was written, variables replaced, with a
    `HOLE` (`sources.expansion`) for each piece that nothing decides. `history` are the places that took part: what this value
    overrides, the file it was extended from.
    """

    __slots__ = ("history", "key", "place", "text", "value", "view")

    def __init__(
        self,
        value: T | UnknownType,
        place: Place,
        key: Place,
        text: str = "",
        history: tuple[tuple[Place, str], ...] = (),
        view: View | None = None,
    ) -> None:
        self.value = value
        self.place = place
        self.key = key
        self.text = text
        self.history = history
        self.view = view  # `text` with a map back to `place.file`, where the file holds it letter by letter

    @property
    def known(self) -> T | None:
        """The value, or None when it is unknown."""
        value = self.value
        return None if value is UNKNOWN else value

    def __repr__(self) -> str:
        return f"Setting({self.value!r} at {self.place.at})"


class Variable(NamedTuple):
    """A key and its value: a variable, a label, a sysctl, a build argument. `value` is None when only the key is given."""

    name: str
    key: Place
    value: Setting[str] | None
    source: str  # the field it comes from: environment, env_file, labels, args, sysctls, …


class Words:
    """A command, an entrypoint, a health test. `shell` says that a shell reads it (a health test in string form, CMD-SHELL).

    `words` are its arguments, `text` what was written when it is one string. In compose, a command in string form is split into
    words as a shell would, and no shell runs it.
    """

    __slots__ = ("key", "place", "shell", "text", "words")

    def __init__(
        self, words: tuple[Setting[str], ...], place: Place, key: Place, text: Setting[str] | None = None, *, shell: bool = False
    ) -> None:
        self.words = words
        self.place = place
        self.key = key
        self.text = text
        self.shell = shell


class Port(NamedTuple):
    """A published port; a range is one Port. `published` and `host_ip` are None when they are not given: a random port, every interface."""

    target: str | UnknownType  # "80" or "8000-8010"
    published: str | UnknownType | None
    host_ip: str | UnknownType | None
    protocol: str  # tcp, udp, sctp
    mode: str  # ingress or host
    place: Place
    history: tuple[tuple[Place, str], ...] = ()


class Mount(NamedTuple):
    """A volume, bind, tmpfs, image, npipe or cluster mount.

    `source` of a bind is absolute where the project's folder is known (`~` stays: it is the home of whoever runs it), of a volume its
    name as the file has it; None for anonymous volumes and tmpfs. `options` are the mount options of the short syntax (z, nocopy,
    exec, size=…) and those of the long one spelled the same way.
    """

    type: str
    source: str | UnknownType | None
    target: str | UnknownType
    read_only: bool | UnknownType
    options: tuple[str, ...]
    propagation: str  # "" when not given
    place: Place  # the whole item
    source_place: Place
    target_place: Place
    history: tuple[tuple[Place, str], ...] = ()
    create_host_path: bool = True


class Device(NamedTuple):
    """A host device: `/dev/sda:/dev/xvda:rwm`, or a CDI name (`vendor.com/class=name`) as `source` with no target."""

    source: str | UnknownType
    target: str | UnknownType
    permissions: str
    place: Place


class Ulimit(NamedTuple):
    """One resource limit; -1 is unlimited."""

    name: str
    soft: int | UnknownType
    hard: int | UnknownType
    place: Place


class Attachment(NamedTuple):
    """A network that a service is on."""

    name: str
    place: Place
    ipv4: str | None = None
    aliases: tuple[str, ...] = ()


class Grant(NamedTuple):
    """A secret or config that a service gets. `target` is the path in the container, absolute for secrets."""

    source: str
    target: str | None
    place: Place
    mode: str | None = None
    uid: str | None = None


class Dependency(NamedTuple):
    """A service that must be started, healthy or completed before."""

    name: str
    condition: str  # service_started, service_healthy, service_completed_successfully
    place: Place
    required: bool = True


class Healthcheck:
    """How health is tested. `disabled` when the image's own test is switched off (`disable: true`, `test: NONE`)."""

    __slots__ = ("disabled", "interval", "key", "place", "retries", "start_interval", "start_period", "test", "timeout")

    def __init__(self, place: Place, key: Place) -> None:
        self.place = place
        self.key = key
        self.test: Words | None = None
        self.disabled: Setting[bool] | None = None
        self.interval: Setting[float] | None = None
        self.timeout: Setting[float] | None = None
        self.start_period: Setting[float] | None = None
        self.start_interval: Setting[float] | None = None
        self.retries: Setting[int] | None = None


class Build:
    """How the image is built. `context` is absolute where it is a folder; `dockerfile` absolute, or None for `dockerfile_inline`."""

    __slots__ = (
        "additional_contexts", "args", "cache_from", "context", "dockerfile", "entitlements", "extra_hosts", "inline", "key", "labels",
        "network", "no_cache", "place", "privileged", "provenance", "pull", "sbom", "secrets", "ssh", "tags", "target", "ulimits",
    )  # fmt: skip

    def __init__(self, place: Place, key: Place) -> None:
        self.place = place
        self.key = key
        self.context: Setting[str] | None = None
        self.dockerfile: Setting[str] | None = None  # set to context/Dockerfile (placed at the context) when the file does not say
        self.inline: Setting[str] | None = None
        self.target: Setting[str] | None = None
        self.args: tuple[Variable, ...] = ()
        self.labels: tuple[Variable, ...] = ()
        self.network: Setting[str] | None = None
        self.privileged: Setting[bool] | None = None
        self.no_cache: Setting[bool] | None = None
        self.pull: Setting[bool] | None = None
        self.entitlements: tuple[Setting[str], ...] = ()
        self.secrets: tuple[Grant, ...] = ()
        self.ssh: tuple[Setting[str], ...] = ()
        self.cache_from: tuple[Setting[str], ...] = ()
        self.extra_hosts: tuple[Setting[str], ...] = ()
        self.additional_contexts: tuple[Variable, ...] = ()
        self.tags: tuple[Setting[str], ...] = ()
        self.ulimits: tuple[Ulimit, ...] = ()
        self.provenance: Setting[str] | None = None
        self.sbom: Setting[str] | None = None


class Logging:
    """Where the output goes."""

    __slots__ = ("driver", "key", "options", "place")

    def __init__(self, place: Place, key: Place) -> None:
        self.place = place
        self.key = key
        self.driver: Setting[str] | None = None
        self.options: tuple[Variable, ...] = ()


class Update:
    """`update_config` or `rollback_config` of a deployment."""

    __slots__ = ("delay", "failure_action", "key", "max_failure_ratio", "monitor", "order", "parallelism", "place")

    def __init__(self, place: Place, key: Place) -> None:
        self.place = place
        self.key = key
        self.parallelism: Setting[int] | None = None
        self.delay: Setting[float] | None = None
        self.failure_action: Setting[str] | None = None
        self.monitor: Setting[float] | None = None
        self.max_failure_ratio: Setting[float] | None = None
        self.order: Setting[str] | None = None


class Deploy:
    """How a service is deployed. Its resource limits are the service's own `memory`, `cpus` and `pids_limit`."""

    __slots__ = (
        "constraints", "endpoint_mode", "key", "labels", "max_replicas_per_node", "mode", "place", "preferences", "replicas",
        "restart_condition", "restart_max_attempts", "rollback", "update",
    )  # fmt: skip

    def __init__(self, place: Place, key: Place) -> None:
        self.place = place
        self.key = key
        self.mode: Setting[str] | None = None
        self.replicas: Setting[int] | None = None
        self.endpoint_mode: Setting[str] | None = None
        self.labels: tuple[Variable, ...] = ()
        self.constraints: tuple[Setting[str], ...] = ()
        self.preferences: tuple[Setting[str], ...] = ()
        self.max_replicas_per_node: Setting[int] | None = None
        self.restart_condition: Setting[str] | None = None
        self.restart_max_attempts: Setting[int] | None = None
        self.update: Update | None = None
        self.rollback: Update | None = None


class Hook(NamedTuple):
    """A `post_start` or `pre_stop` command."""

    event: str
    command: Words | None
    user: Setting[str] | None
    privileged: Setting[bool] | None
    place: Place


class Service:
    """One container's settings. Readers set the fields that are written; the others keep these defaults.

    `keys` has the place of every key (compose) or flag (run line, without its dashes) that was written, by name as written in compose
    (`deploy.resources.limits.memory`); so a rule can tell which spelling caused a value.
    """

    name: str
    origin: str  # compose, stack, run (a line that starts a container), create
    place: Place  # the name of the service, or the words `docker run`: where something missing is reported
    whole: Place  # the whole definition as far as it stands in the file of `place`
    project: Project

    def __init__(self, name: str, origin: str, place: Place, whole: Place, project: Project) -> None:
        self.name = name
        self.origin = origin
        self.place = place
        self.whole = whole
        self.project = project
        self.keys: dict[str, Place] = {}

    # what is run
    image: Setting[str] | None = None
    build: Build | None = None
    platform: Setting[str] | None = None
    pull_policy: Setting[str] | None = None
    command: Words | None = None
    entrypoint: Words | None = None
    working_dir: Setting[str] | None = None
    environment: tuple[Variable, ...] = ()  # env_file's first, then the service's own, which win; no name twice
    env_files: tuple[Setting[str], ...] = ()  # absolute paths
    labels: tuple[Variable, ...] = ()
    annotations: tuple[Variable, ...] = ()
    provider: Setting[str] | None = None  # a service that is no container
    models: tuple[Setting[str], ...] = ()
    hooks: tuple[Hook, ...] = ()
    container_name: Setting[str] | None = None
    hostname: Setting[str] | None = None
    domainname: Setting[str] | None = None
    stdin_open: Setting[bool] | None = None
    tty: Setting[bool] | None = None
    init: Setting[bool] | None = None
    stop_signal: Setting[str] | None = None
    stop_grace_period: Setting[float] | None = None
    remove: Setting[bool] | None = None  # --rm
    detach: Setting[bool] | None = None  # -d; compose services are always detached and leave this None
    # privileges
    user: Setting[str] | None = None
    group_add: tuple[Setting[str], ...] = ()
    privileged: Setting[bool] | None = None
    read_only: Setting[bool] | None = None
    cap_add: tuple[Setting[str], ...] = ()
    cap_drop: tuple[Setting[str], ...] = ()
    security_opt: tuple[Setting[str], ...] = ()
    credential_spec: Setting[str] | None = None
    use_api_socket: Setting[bool] | None = None
    # isolation
    network_mode: Setting[str] | None = None
    pid: Setting[str] | None = None
    ipc: Setting[str] | None = None
    uts: Setting[str] | None = None
    userns_mode: Setting[str] | None = None
    cgroup: Setting[str] | None = None  # the namespace: host or private
    cgroup_parent: Setting[str] | None = None
    isolation: Setting[str] | None = None
    runtime: Setting[str] | None = None
    sysctls: tuple[Variable, ...] = ()
    # files and devices
    mounts: tuple[Mount, ...] = ()  # volumes and tmpfs
    volumes_from: tuple[Setting[str], ...] = ()
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[Setting[str], ...] = ()
    gpus: Setting[str] | None = None
    secrets: tuple[Grant, ...] = ()
    configs: tuple[Grant, ...] = ()
    storage_opt: tuple[Variable, ...] = ()
    # network
    networks: tuple[Attachment, ...] = ()  # as written; none written means the default network
    ports: tuple[Port, ...] = ()
    publish_all: Setting[bool] | None = None  # -P
    expose: tuple[Setting[str], ...] = ()
    links: tuple[Setting[str], ...] = ()
    extra_hosts: tuple[Setting[str], ...] = ()
    dns: tuple[Setting[str], ...] = ()
    mac_address: Setting[str] | None = None
    # limits
    memory: Setting[int] | None = None  # bytes; mem_limit, deploy.resources.limits.memory, --memory
    memory_reservation: Setting[int] | None = None
    memory_swap: Setting[int] | None = None
    memory_swappiness: Setting[int] | None = None
    cpus: Setting[float] | None = None  # cores
    cpu_quota: Setting[int] | None = None
    cpu_shares: Setting[int] | None = None
    cpuset: Setting[str] | None = None
    pids_limit: Setting[int] | None = None
    shm_size: Setting[int] | None = None
    ulimits: tuple[Ulimit, ...] = ()
    oom_kill_disable: Setting[bool] | None = None
    oom_score_adj: Setting[int] | None = None
    # life
    healthcheck: Healthcheck | None = None
    restart: Setting[str] | None = None  # no, always, unless-stopped, on-failure, on-failure:5
    logging: Logging | None = None
    depends_on: tuple[Dependency, ...] = ()
    profiles: tuple[Setting[str], ...] = ()
    scale: Setting[int] | None = None
    deploy: Deploy | None = None
    # what is not known
    open_ended: bool = False
    """Whether more may be set than is written: a run line with `$OPTIONS` or `"$@"` among its flags. What is written still holds;
    that something is missing cannot be said."""
    extra: tuple[Variable, ...] = ()  # settings that no field here carries, by their Compose key or flag: dns_search, cidfile, …

    @property
    def is_one_off(self) -> bool:
        """Whether it is a tool that is run once and removed (`docker run --rm …` without -d): nobody restarts it or watches its health."""
        detached = self.detach is not None and self.detach.value is not False
        removed = self.remove is not None and self.remove.value is not False
        interactive = self.tty is not None or self.stdin_open is not None
        return self.origin == "run" and not detached and self.restart is None and (removed or interactive)

    @property
    def is_compose(self) -> bool:
        """Whether a compose file or a stack defines it."""
        return self.origin in ("compose", "stack")

    def security(self, name: str) -> tuple[Setting[str], ...]:
        """Return the `security_opt` items of a name (`seccomp`, `no-new-privileges`), in `name=value`, `name:value` or bare form."""
        return tuple(option for option in self.security_opt if option.text.replace(":", "=", 1).partition("=")[0].strip() == name)

    def variable(self, name: str) -> Variable | None:
        """Return the environment variable of a name."""
        return next((variable for variable in self.environment if variable.name == name), None)

    def __repr__(self) -> str:
        return f"Service({self.name!r} at {self.place.at})"


class Resource(NamedTuple):
    """A top-level network, volume, secret or config."""

    kind: str  # network, volume, secret, config
    name: str
    place: Place  # its key
    external: bool | UnknownType
    driver: str | None
    driver_opts: tuple[Variable, ...]
    settings: Mapping[str, Setting[str]]  # every other scalar that was written: file, environment, content, internal, attachable, name, …


class Problem(NamedTuple):
    """Something that the reader of a project stumbled over; one rule for each `code`. `values` are for the rule's message."""

    code: str
    place: Place
    message: str
    related: tuple[tuple[Place, str], ...] = ()
    values: Mapping[str, str] = {}


class Binding(NamedTuple):
    """What is known of one variable: its value, with a `HOLE` for each open piece, and where a file sets it (the value's place)."""

    text: str
    place: Place | None = None


Lookup = Callable[[str], Binding | None]
"""Answers for variables; None when nothing at hand sets one, which does not say that it is unset."""


def no_files(path: str) -> None:
    """Answer where no file system is at hand."""


def no_variables(name: str) -> None:
    """Answer where no variable is known."""


class Project:
    """Services that run together: the files of a compose project or stack, or one file's `docker run` lines."""

    __slots__ = (
        "configs", "file", "files", "folder", "folders", "kind", "lookup", "name", "networks", "problems", "read", "secrets", "services",
        "volumes",
    )  # fmt: skip

    def __init__(self, kind: str, file: SourceFile, folder: str) -> None:
        self.kind = kind  # compose, stack, commands
        self.file = file  # the first
        self.folder = folder  # absolute: what relative paths are relative to
        self.folders: dict[SourceFile, str] = {}  # the files whose relative paths start elsewhere: extended and included ones
        self.files: tuple[SourceFile, ...] = (file,)  # all that take part, in order
        self.name = ""
        self.services: tuple[Service, ...] = ()
        self.networks: dict[str, Resource] = {}
        self.volumes: dict[str, Resource] = {}
        self.secrets: dict[str, Resource] = {}
        self.configs: dict[str, Resource] = {}
        self.problems: list[Problem] = []
        self.read: Files = no_files  # opens further files: `env_file`, a credential spec
        self.lookup: Lookup = no_variables  # the variables that `${…}` and env files may use

    @property
    def is_stack(self) -> bool:
        """Whether it is deployed to a swarm."""
        return self.kind == "stack"

    def service(self, name: str) -> Service | None:
        """Return the service of a name."""
        return next((service for service in self.services if service.name == name), None)


class Files(Protocol):
    """How a reader gets at further files: `.env`, `env_file`, `extends`, `include`."""

    def __call__(self, path: str) -> SourceFile | str | None:
        """Return the file at an absolute path; None when there is none; a reason when it cannot or may not be read."""
