"""`Job`: all that it takes to start a container, and to start it again; what job.json of a record holds."""

from __future__ import annotations

from hardener.errors import HardenError, suggest
from hardener.linux import signals
from hardener.oci.fields import BOOLEAN, INTEGER, STRING, STRINGS, WORDS, Fields, Kind, one
from hardener.oci.runtime import Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Final

DETACH_KEYS: Final = "ctrl-p,ctrl-q"
STOP_SIGNAL: Final = signals.TERM
STOP_TIMEOUT_S: Final = 10
NO, ON_FAILURE, ALWAYS, UNLESS_STOPPED = "no", "on-failure", "always", "unless-stopped"
RESTARTS: Final = (NO, ON_FAILURE, ALWAYS, UNLESS_STOPPED)


def _or(kind: Kind, default: object) -> Kind:
    return Kind(kind.parse, default, kind.dump)


class Rootfs(Fields):
    """What the root filesystem is made of.

    `layers` are absolute folders, lowest first; one alone is the root itself. What is written goes to a layer in memory of the size
    `upper`, or to the folder `keep`; without either the root is read-only. Without `map_root` the files of the root keep the owners of
    this machine, who are nobody inside. `copy_up` are destinations of tmpfs mounts that begin with what the root has there,
    `judged` those of binds whose source a policy has let pass under the very path that it has.
    """

    __slots__ = ("copy_up", "judged", "keep", "layers", "map_root", "upper")
    TABLE: ClassVar = {
        "layers": ("layers!", STRINGS),
        "upper": ("upper", STRING),
        "keep": ("keep", STRING),
        "map_root": ("mapRoot", _or(BOOLEAN, True)),
        "copy_up": ("copyUp", STRINGS),
        "judged": ("judged", STRINGS),
    }
    layers: tuple[str, ...]
    upper: str | None
    keep: str | None
    map_root: bool
    copy_up: tuple[str, ...]
    judged: tuple[str, ...]


class Restart(Fields):
    """When a container that has ended is started again; `most` limits how often on-failure does so in a row, None is for ever."""

    __slots__ = ("kind", "most")
    TABLE: ClassVar = {"kind": ("kind", _or(STRING, NO)), "most": ("most", INTEGER)}
    kind: str
    most: int | None

    def __str__(self) -> str:
        return self.kind if self.most is None else f"{self.kind}:{self.most}"


class Health(Fields):
    """How it is found out whether the program in a container does well.

    `test` are the words of a program in the container: that it exits with 0 means well. Times are nanoseconds: from the end of one check to
    the start of the next; of one check; in which failures do not count; between checks in that time. So many `retries` in a row that fail
    make the container unhealthy.
    """

    __slots__ = ("interval_ns", "retries", "start_interval_ns", "start_period_ns", "test", "timeout_ns")
    TABLE: ClassVar = {
        "test": ("test!", STRINGS),
        "interval_ns": ("interval", _or(INTEGER, 30_000_000_000)),
        "timeout_ns": ("timeout", _or(INTEGER, 30_000_000_000)),
        "start_period_ns": ("startPeriod", _or(INTEGER, 0)),
        "start_interval_ns": ("startInterval", _or(INTEGER, 5_000_000_000)),
        "retries": ("retries", _or(INTEGER, 3)),
    }
    test: tuple[str, ...]
    interval_ns: int
    timeout_ns: int
    start_period_ns: int
    start_interval_ns: int
    retries: int


class Job(Fields):
    """A container to start. `spec` is final: names are resolved and the filter of system calls is written out.

    `image` is what the user named: host, a folder, an image; `image_digest` what that was in the store, whatever the name means by now.
    `interactive` keeps its standard input open, `remove` is --rm. `looser` says, one line each, where the container is looser than its
    `policy`. `anonymous` are volumes that were made for it alone, and go with --rm.
    `joins` are containers by the kind of their namespace that this one shares: the process of a path may be another by now.
    """

    __slots__ = (
        *(
            "anonymous",
            "detach_keys",
            "health",
            "image",
            "image_digest",
            "interactive",
            "joins",
            "labels",
            "looser",
            "name",
            "policy",
            "remove",
            "restart",
            "rootfs",
            "spec",
        ),
        *("stop_signal", "stop_timeout_s"),
    )
    TABLE: ClassVar = {
        "name": ("name!", STRING),
        "spec": ("spec!", one(Spec)),
        "rootfs": ("rootfs", one(Rootfs)),
        "interactive": ("interactive", _or(BOOLEAN, False)),
        "detach_keys": ("detachKeys", _or(STRING, DETACH_KEYS)),
        "stop_signal": ("stopSignal", _or(INTEGER, STOP_SIGNAL)),
        "stop_timeout_s": ("stopTimeout", _or(INTEGER, STOP_TIMEOUT_S)),
        "restart": ("restart", one(Restart)),
        "health": ("health", one(Health)),
        "labels": ("labels", WORDS),
        "remove": ("remove", _or(BOOLEAN, False)),
        "policy": ("policy", _or(STRING, "default")),
        "looser": ("looser", STRINGS),
        "image": ("image", _or(STRING, "")),
        "image_digest": ("imageDigest", _or(STRING, "")),
        "anonymous": ("anonymous", STRINGS),
        "joins": ("joins", WORDS),
    }
    name: str
    spec: Spec
    rootfs: Rootfs
    interactive: bool
    detach_keys: str
    stop_signal: int
    stop_timeout_s: int
    restart: Restart
    health: Health | None
    labels: dict[str, str]
    remove: bool
    policy: str
    looser: tuple[str, ...]
    image: str
    image_digest: str
    anonymous: tuple[str, ...]
    joins: dict[str, str] | None

    def __init__(self, **values: object) -> None:
        super().__init__(**{"restart": Restart(), "labels": {}, "rootfs": Rootfs(), **values})


def restart(text: str) -> Restart:
    """Return the policy of `no`, `on-failure[:N]`, `always` or `unless-stopped`, as `docker run --restart` takes it."""
    kind, colon, most = text.partition(":")
    if kind not in RESTARTS:
        how = suggest(kind, RESTARTS) or f"one of {', '.join(RESTARTS)}; on-failure:5 gives up after five"
        raise HardenError(f"{kind!r} is no restart policy", where="--restart", how=how)
    if not colon:
        return Restart(kind=kind)
    if kind != ON_FAILURE:
        raise HardenError(f"only {ON_FAILURE} can give up, {kind} cannot", where=f"--restart {text}", how=f"write --restart {kind}")
    if not (most.isascii() and most.isdigit()) or len(most) > 9:
        raise HardenError(f"{most!r} is not a number of times", where=f"--restart {text}", how="write on-failure:5")
    return Restart(kind=kind, most=int(most) or None)  # as docker: on-failure:0 never gives up
