"""Flags that exclude each other, and words that stand where they mean something else than was meant.

Docker and podman refuse the first kind; the second is worse, because the container starts without what was asked for. Sources:
docker/cli's cli/command/container/{opts,run}.go, moby's daemon and runconfig packages; each row tried on a real daemon.
"""

from collections.abc import Iterator
from typing import Final

from hardener.record import NamedTuple
from hardener.sources.runline.flags import table
from hardener.sources.service import Problem, Service
from hardener.text import Pattern, Place


class _Pair(NamedTuple):
    """Flags of which the second ones cannot go with the first."""

    first: str
    others: tuple[str, ...]
    tools: str


_PAIRS: Final = (
    _Pair("no-healthcheck", ("health-cmd", "health-interval", "health-timeout", "health-retries", "health-start-period"), "d"),
    _Pair("no-healthcheck", ("health-cmd",), "p"),
    _Pair("cpus", ("cpu-period",), "dp"),
    _Pair("detach", ("attach",), "d"),
)
_OF_A_CONTAINER: Final = ("hostname", "publish", "publish-all", "expose", "dns", "add-host", "mac-address", "link")
"""What belongs to the network namespace, and so to the container that owns it (`--network container:x`)."""

_PLAIN_MODES: Final = frozenset({"none", "host", "bridge", "default"})

# A flag behind the image is the program's. These are hardly ever: their names, or the form of their values, are the tool's own.
_UNMISTAKABLE: Final = frozenset({
    "--add-host", "--cap-add", "--cap-drop", "--cgroupns", "--cpus", "--cpuset-cpus", "--env-file", "--gpus", "--health-cmd", "--ipc",
    "--log-driver", "--log-opt", "--memory-swap", "--mount", "--network-alias", "--no-healthcheck", "--oom-kill-disable", "--pids-limit",
    "--privileged", "--publish", "--publish-all", "--read-only", "--restart", "--rm", "--security-opt", "--shm-size", "--sysctl", "--tmpfs",
    "--ulimit", "--userns", "--volume", "--volumes-from", "-it", "-ti",
})  # fmt: skip
_BY_VALUE: Final = {
    "-p": Pattern(r"(?:[\d.]+:)?\d+:\d+(?:/\w+)?"),
    "-v": Pattern(r"(?:[/.~\0][^:]*|[\w.-]{2,}):/[^:]*(?::[\w,]+)?"),
    "-e": Pattern(r"[A-Z][A-Z0-9_]*=[^\n]*"),
    "--env": Pattern(r"[A-Z][A-Z0-9_]*=[^\n]*"),
    "--name": Pattern(r"[\w.-]+"),
    "--network": Pattern(r"host|none|bridge|container:[^\n]+"),
    "--net": Pattern(r"host|none|bridge|container:[^\n]+"),
    "--pid": Pattern(r"host"),
    "--restart": Pattern(r"(?:always|unless-stopped|on-failure|no)(?::\d+)?"),
}


def problems(service: Service, tool: str) -> Iterator[Problem]:
    """Yield what is wrong with how the flags of a line go together."""
    yield from _refused(service, tool)
    yield from _misplaced(service, tool)
    yield from _on_one_path(service, tool)


def _refused(service: Service, tool: str) -> Iterator[Problem]:
    keys = service.keys
    for pair in _PAIRS:
        if tool[0] in pair.tools and pair.first in keys and _is_on(service, pair.first):
            for other in pair.others:
                if other in keys:
                    yield _conflict(tool, f"--{pair.first}", f"--{other}", keys[other], keys[pair.first])
    if "hostname" in keys and service.uts is not None and service.uts.value == "host":
        yield _conflict(tool, "--uts host", "--hostname", keys["hostname"], service.uts.place)
    driver = service.logging.driver if service.logging is not None else None
    if tool == "docker" and driver is not None and driver.value == "none" and "log-opt" in keys:
        yield _conflict(tool, "--log-driver none", "--log-opt", keys["log-opt"], driver.place)
    mode = service.network_mode
    if mode is None or not isinstance(mode.value, str) or tool != "docker":
        return
    if mode.value.startswith("container:"):
        for name in _OF_A_CONTAINER:
            if name in keys and _is_on(service, name):
                yield _conflict(tool, f"--network {mode.value}", f"--{name}", keys[name], mode.place)
    elif mode.value == "host" and "link" in keys:
        yield _conflict(tool, "--network host", "--link", keys["link"], mode.place)
    if service.networks and mode.value in _PLAIN_MODES:
        network = service.networks[0]
        yield _conflict(tool, f"--network {mode.value}", f"--network {network.name}", network.place, mode.place)


def _is_on(service: Service, name: str) -> bool:
    """Whether a flag is not switched off (`--publish-all=false`)."""
    setting = {"detach": service.detach, "publish-all": service.publish_all}.get(name)
    return setting is None or setting.value is True


def _conflict(tool: str, first: str, second: str, place: Place, other: Place) -> Problem:
    message = f"{tool} refuses {second} together with {first}"
    return Problem("run-conflicting-flags", place, message, ((other, f"{first} stands here"),), {"first": first, "second": second})


def _misplaced(service: Service, tool: str) -> Iterator[Problem]:
    image = service.image
    if image is None or not isinstance(image.value, str):
        return
    if image.value in ("true", "false"):
        message = f"{tool} takes {image.value!r} for the image: a switch takes a value only behind `=`"
        yield Problem("run-switch-value-apart", image.place, message, (), {"value": image.value})
        return
    if service.command is None or service.name in ("docker", "podman", "nerdctl"):
        return
    names, letters = table(tool)
    words = service.command.words
    at = 0
    while at < len(words):
        text = words[at].text
        name, equals, attached = text.partition("=")
        flag = names.get(name[2:]) if name.startswith("--") else letters.get(name[1:2])
        if text[:1] != "-" or flag is None:
            return
        following = words[at + 1].text if at + 1 < len(words) else ""
        pattern = _BY_VALUE.get(name)
        value = attached if equals else following
        takes = not flag.boolean and not equals
        if pattern is not None and pattern.fullmatch(value):
            is_meant = True
        else:
            is_meant = name in _UNMISTAKABLE and (not takes or bool(following))
        if is_meant:
            message = f"{name} stands behind the image {image.text} and is handed to the program in it: {tool} does not see it"
            yield Problem("run-flag-after-image", words[at].place, message, (), {"flag": name, "image": image.text})
        at += 2 if takes else 1


def _on_one_path(service: Service, tool: str) -> Iterator[Problem]:
    """Yield mounts on a path that another one takes. The same `-v` twice is one, and an anonymous volume gives way."""
    taken: dict[str, Place] = {}
    for mount in service.mounts:
        if not isinstance(mount.target, str) or (mount.type == "volume" and mount.source is None):
            continue
        first = taken.setdefault(mount.target, mount.place)
        if first is not mount.place and first.text != mount.place.text:
            message = f"{tool} refuses a second mount on {mount.target}"
            yield Problem(
                "run-conflicting-flags",
                mount.place,
                message,
                ((first, "the first one"),),
                {"first": first.text, "second": mount.place.text},
            )
