"""The scalars of the Compose Specification: which YAML types compose takes for each, and which values it refuses."""

from collections.abc import Callable
from typing import Final

from hardener.record import NamedTuple
from hardener.sources.compose import mounts, ports, units
from hardener.text import Pattern


class ScalarType(NamedTuple):
    """One type. `wrong` returns what is wrong with a text, as the end of a sentence that starts with the value; "" when nothing is."""

    kinds: frozenset[str]
    name: str  # as in "must be …"
    wrong: Callable[[str], str] | None = None


_TEXT: Final = frozenset(("str",))
_NUMBERS: Final = frozenset(("int", "float", "str"))
_INTEGERS: Final = frozenset(("int", "str"))
_NAME: Final = Pattern(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_RESTART: Final = Pattern(r"no|always|unless-stopped|on-failure(?::[0-9]+)?")
_PULL: Final = Pattern(r"always|never|build|if_not_present|missing|refresh|daily|weekly|every_(?:[0-9]+[wdhms])+")


def _one_of(*words: str) -> Callable[[str], str]:
    return lambda text: "" if text in words else f"is none of {', '.join(words)}"


def _convertible(convert: Callable[[str], object], wanted: str) -> Callable[[str], str]:
    return lambda text: "" if convert(text) is not None else f"is no {wanted}"


def _matching(pattern: Pattern, wanted: str) -> Callable[[str], str]:
    return lambda text: "" if pattern.fullmatch(text) else f"is no {wanted}"


def _count(text: str) -> str:
    value = units.integer(text)
    return "is no whole number" if value is None else "is less than none" if value < 0 else ""


def _oom_score(text: str) -> str:
    value = units.integer(text)
    return "is no whole number" if value is None else "" if -1000 <= value <= 1000 else "is not between -1000 and 1000"


def _published(text: str) -> str:
    return "" if ports.span(text) is not None or not text else "is no port"


def _port_number(text: str) -> str:
    found = ports.span(text)
    return "" if found is not None and len(found) == 1 else "is no port"


def _exposed(text: str) -> str:
    port, slash, protocol = text.partition("/")
    if ports.span(port) is None:
        return "is no port"
    return "" if not slash or protocol.lower() in ports.PROTOCOLS else f"has no protocol that is known: {protocol!r}"


def _gpu_count(text: str) -> str:
    return "" if text.lower() == "all" or units.integer(text) is not None else "is neither `all` nor a number"


_DURATION: Final = _convertible(units.duration, "duration, which has a unit: `10s`, `1m30s`")
_SIZE: Final = _convertible(units.size, "size such as `512m`")
_NUMBER: Final = _convertible(units.number, "number")
_INTEGER: Final = _convertible(units.integer, "whole number")
_SWITCH: Final = _convertible(units.switch, "`true` or `false`")

SCALARS: Final[dict[str, ScalarType]] = {
    "null": ScalarType(frozenset(("null",)), "empty"),
    "any": ScalarType(frozenset(("null", "bool", "int", "float", "str")), "anything"),
    "str": ScalarType(_TEXT, "text"),
    "bool": ScalarType(frozenset(("bool", "str")), "true or false", _SWITCH),
    "plain-bool": ScalarType(frozenset(("bool",)), "true or false"),
    "int": ScalarType(_INTEGERS, "a whole number", _INTEGER),
    "plain-int": ScalarType(frozenset(("int",)), "a whole number"),
    "count": ScalarType(_INTEGERS, "a whole number", _count),
    "number": ScalarType(_NUMBERS, "a number", _NUMBER),
    "plain-number": ScalarType(frozenset(("int", "float")), "a number"),
    "size": ScalarType(_NUMBERS, "a size", _SIZE),
    "whole-size": ScalarType(_INTEGERS, "a size", _SIZE),
    "size-text": ScalarType(_TEXT, "a size with a unit, as text", _SIZE),
    "duration": ScalarType(_TEXT, "a duration with a unit", _DURATION),
    "limit": ScalarType(_INTEGERS, "a whole number", _INTEGER),
    "oom-score": ScalarType(_INTEGERS, "a whole number", _oom_score),
    "container-name": ScalarType(_TEXT, "text", _matching(_NAME, "name for a container: letters, digits, `_`, `.` and `-`, at least two")),
    "restart": ScalarType(_TEXT, "text", _matching(_RESTART, "restart policy: no, always, unless-stopped, on-failure[:n]")),
    "pull-policy": ScalarType(_TEXT, "text", _matching(_PULL, "pull policy: always, never, missing, build, daily, weekly, every_…")),
    "cgroup": ScalarType(_TEXT, "text", _one_of("host", "private")),
    "condition": ScalarType(_TEXT, "text", _one_of("service_started", "service_healthy", "service_completed_successfully")),
    "port": ScalarType(_NUMBERS, "a port", lambda text: text and ports.wrong(text)),
    "port-number": ScalarType(_INTEGERS, "a port", _port_number),
    "published": ScalarType(_INTEGERS, "a port", _published),
    "exposed": ScalarType(_NUMBERS, "a port", _exposed),
    "address": ScalarType(_TEXT, "an IP address", lambda text: "" if ports.is_address(text) else "is no IP address"),
    "port-mode": ScalarType(_TEXT, "text", _one_of("ingress", "host")),
    "host": ScalarType(_TEXT, "text", lambda text: "" if "=" in text or ":" in text else "names no address"),
    "pair": ScalarType(_TEXT, "text", lambda text: "" if "=" in text else "says no value"),
    "ssh-key": ScalarType(_TEXT, "text", lambda text: "" if "=" in text or text == "default" else "is neither `default` nor `id=path`"),
    "env-format": ScalarType(_TEXT, "text", _one_of("raw")),
    "mount": ScalarType(_TEXT, "text", mounts.wrong),
    "mount-type": ScalarType(_TEXT, "text", _one_of("bind", "volume", "tmpfs", "cluster", "npipe", "image")),
    "recursive": ScalarType(_TEXT, "text", _one_of("enabled", "disabled", "writable", "readonly")),
    "selinux": ScalarType(_TEXT, "text", _one_of("z", "Z")),
    "gpus": ScalarType(_TEXT, "text", _one_of("all")),
    "gpu-count": ScalarType(_INTEGERS, "a number or `all`", _gpu_count),
    "watch-action": ScalarType(_TEXT, "text", _one_of("rebuild", "sync", "restart", "sync+restart", "sync+exec")),
    "endpoint-mode": ScalarType(_TEXT, "text", _one_of("vip", "dnsrr")),
    "deploy-mode": ScalarType(_TEXT, "text", _one_of("replicated", "global", "replicated-job", "global-job")),
    "failure-action": ScalarType(_TEXT, "text", _one_of("pause", "continue", "rollback")),
    "update-order": ScalarType(_TEXT, "text", _one_of("start-first", "stop-first")),
    "restart-condition": ScalarType(_TEXT, "text", _one_of("none", "on-failure", "any", "always", "unless-stopped", "no")),
}
