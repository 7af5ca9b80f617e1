"""The flags of `harden run`, named as those of `docker run`: the table is the parser, the help and the list of differences."""

from __future__ import annotations

from hardener.errors import HardenError, suggest
from hardener.launch import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

SWITCH: Final = ""
PULLS: Final = ("always", "missing", "never")


class Flag:
    """One flag. `value` is its placeholder in the help, "" for a switch; `attribute` is where it goes in a request.

    `read` turns the text into a value; `repeated` ones collect theirs; `differs` says what is so here, and what with docker.
    """

    __slots__ = ("attribute", "differs", "read", "repeated", "text", "value")

    def __init__(
        self,
        value: str,
        attribute: str,
        text: str,
        *,
        read: Callable[[str, str], object] = lambda text, flag: text,
        repeated: bool = False,
        differs: tuple[str, str] | None = None,
    ) -> None:
        self.value = value
        self.attribute = attribute
        self.text = text
        self.read = read
        self.repeated = repeated
        self.differs = differs


def _between(low: int, high: int, what: str, how: str) -> Callable[[str, str], int]:
    """Return a reader of whole numbers from `low` to `high`; the others are not `what`."""

    def read(text: str, flag: str) -> int:
        value = values.integer(text, flag)
        if not low <= value <= high:
            raise HardenError(f"{text!r} is not {what}", where=flag, how=how)
        return value

    return read


def _quota(text: str, flag: str) -> int:
    value = values.integer(text, flag)
    if value != -1 and value < 1000:
        raise HardenError(f"{text!r} is not a quota", where=flag, how="1000 microseconds or more, or -1 for no limit")
    return value


def _signal(text: str, flag: str) -> str:
    values.signal(text, flag)
    return text


def _keys(text: str, flag: str) -> str:
    from hardener.runtime.console import Keys

    Keys(text)
    return text


def _pull(text: str, flag: str) -> str:
    if text not in PULLS:
        raise HardenError(f"{text!r} is no time to fetch images", where=flag, how=suggest(text, PULLS) or f"one of {', '.join(PULLS)}")
    return text


def _duration(text: str, flag: str) -> int:
    from hardener.runtime import clock

    return clock.duration_ns(text, flag)


_count, _size = values.count, values.size
_seconds = _between(-1, values.MOST, "a number of seconds", "0 or more, or -1 to wait for ever")
_retries = _between(0, 1 << 31, "a number of failures", "1 or more, or 0 for three")
_share = _between(0, 100, "between 0 and 100", "0 as late as can be, 100 as readily as others")
_period = _between(1000, 1_000_000, "a period", "from 1000 to 1000000 microseconds")
_score = _between(-1000, 1000, "between -1000 and 1000", "-1000 never, 0 like others, 1000 first of all")

GROUPS: Final = {
    "root filesystem": {
        "--rootfs": Flag("DIR", "root", "the root filesystem is this folder", differs=("a folder is a root", "images only")),
        "--bundle": Flag("DIR", "bundle", "run an OCI bundle, as its config.json says", differs=("as runc", "no such flag")),
        "--read-only": Flag(SWITCH, "read_only", "keep the root filesystem read-only", differs=("always", "only with this flag")),
        "--writable": Flag(
            SWITCH,
            "writable",
            "let the root be written to, in memory: it is gone afterwards",
            differs=("in memory, 64 MiB", "on disk, without a limit"),
        ),
        "--keep": Flag("DIR", "keep", "let the root be written to, and keep what is written in this folder"),
        "--platform": Flag("OS/ARCH", "platform", "which of an image's platforms to take"),
        "--pull": Flag("always|missing|never", "pull", "when to fetch the image; what a digest names never changes", read=_pull),
        "--quiet": Flag(SWITCH, "", "say nothing of what is fetched"),
    },
    "program": {
        "--entrypoint": Flag("PROGRAM", "entrypoint", "run this instead of what the image runs; '' for nothing"),
        "--env": Flag("NAME[=VALUE]", "environment", "set a variable; without a value, hand on ours", repeated=True),
        "--env-file": Flag("FILE", "env_files", "set the variables of a file", repeated=True),
        "--workdir": Flag("DIR", "working_directory", "the working directory"),
        "--user": Flag("USER[:GROUP]", "user", "names or numbers, looked up in the root's own /etc/passwd"),
        "--group-add": Flag("GROUP", "groups", "a further group", repeated=True),
        "--hostname": Flag("NAME", "hostname", "the host name inside (default: the container's name)"),
        "--domainname": Flag("NAME", "domainname", "the NIS domain name inside"),
        "--tty": Flag(SWITCH, "terminal", "a terminal of its own"),
        "--interactive": Flag(
            SWITCH, "interactive", "keep standard input open", differs=("in the foreground always", "only with this flag")
        ),
        "--init": Flag(SWITCH, "init", "a first process that reaps children and hands signals on"),
    },
    "walls": {
        "--policy": Flag(
            "NAME|FILE", "policy", "the policy that everything is held to: default, strict or a file", differs=("default", "no such flag")
        ),
        "--cap-add": Flag(
            "NAME",
            "capabilities_added",
            "add a capability, or ALL",
            repeated=True,
            differs=("none to begin with", "fourteen to begin with"),
        ),
        "--cap-drop": Flag("NAME", "capabilities_dropped", "drop a capability, or ALL", repeated=True),
        "--security-opt": Flag(
            "OPTION",
            "security",
            "seccomp=FILE|unconfined, apparmor=, label=, no-new-privileges=false, landlock=off, ptrace, mask=, unmask=",
            repeated=True,
            differs=("no new privileges, Landlock", "neither, and a laxer filter"),
        ),
        "--privileged": Flag(
            SWITCH,
            "privileged",
            "take the walls down, where the policy allows it",
            differs=("only where the policy allows it", "always allowed"),
        ),
        "--network": Flag(
            "none|host|container:NAME", "network", "none has a loopback interface and nothing else", differs=("none", "bridge")
        ),
        "--pid": Flag("private|host|container:NAME", "pid", "the process ids that it sees"),
        "--ipc": Flag("none|private|host|container:NAME", "ipc", "shared memory and message queues"),
        "--uts": Flag("private|host", "uts", "whose host name it has"),
        "--cgroupns": Flag("private|host", "cgroup_namespace", "the control groups that it sees"),
        "--userns": Flag(
            "auto|host|UID:GID:SIZE", "userns", "which ids of this machine its ids are", differs=("auto: ids of nobody", "host")
        ),
        "--uidmap": Flag("INSIDE:OUTSIDE:SIZE", "uid_maps", "map user ids yourself", repeated=True, differs=("as podman", "no such flag")),
        "--gidmap": Flag("INSIDE:OUTSIDE:SIZE", "gid_maps", "map group ids yourself", repeated=True, differs=("as podman", "no such flag")),
        "--sysctl": Flag("NAME=VALUE", "sysctls", "set a parameter of its own namespaces", repeated=True),
    },
    "limits": {
        "--memory": Flag(
            "SIZE",
            "memory",
            "memory, with no swap beside it",
            read=values.limit,
            differs=("512 MiB, no swap", "unlimited, and as much swap again"),
        ),
        "--memory-swap": Flag("SIZE", "memory_swap", "memory and swap together; -1 for no limit", read=values.swap),
        "--memory-reservation": Flag("SIZE", "memory_reservation", "memory that is kept when it gets tight", read=_size),
        "--memory-swappiness": Flag("0-100", "memory_swappiness", "how readily it is swapped out (cgroup v1)", read=_share),
        "--oom-kill-disable": Flag(SWITCH, "", "refused: what is out of memory would hang", differs=("refused", "allowed")),
        "--pids-limit": Flag("NUMBER", "pids", "processes and threads", read=values.threads, differs=("256", "unlimited")),
        "--cpus": Flag("NUMBER", "cpus", "processors", read=values.processors, differs=("1", "unlimited")),
        "--cpu-shares": Flag("NUMBER", "cpu_shares", "weight against other containers", read=_count),
        "--cpu-period": Flag("MICROSECONDS", "cpu_period", "period of --cpu-quota", read=_period),
        "--cpu-quota": Flag("MICROSECONDS", "cpu_quota", "time of processors in each period", read=_quota),
        "--cpuset-cpus": Flag("LIST", "cpuset_cpus", "which processors: 0-2,5"),
        "--cpuset-mems": Flag("LIST", "cpuset_mems", "which memory nodes"),
        "--blkio-weight": Flag("NUMBER", "blkio_weight", "weight of input and output, 10 to 1000", read=_count),
        "--blkio-weight-device": Flag("DEVICE:NUMBER", "device_weights", "the same for a device", repeated=True),
        "--device-read-bps": Flag("DEVICE:SIZE", "read_bps", "bytes read in a second", repeated=True),
        "--device-write-bps": Flag("DEVICE:SIZE", "write_bps", "bytes written in a second", repeated=True),
        "--device-read-iops": Flag("DEVICE:NUMBER", "read_iops", "reads in a second", repeated=True),
        "--device-write-iops": Flag("DEVICE:NUMBER", "write_iops", "writes in a second", repeated=True),
        "--ulimit": Flag("NAME=SOFT[:HARD]", "limits", "a resource limit", repeated=True, differs=("no core dumps", "core dumps")),
        "--oom-score-adj": Flag("NUMBER", "oom_score_adj", "how soon the kernel kills it, -1000 to 1000", read=_score),
        "--shm-size": Flag("SIZE", "shm_size", "size of /dev/shm", read=_size),
        "--cgroup-parent": Flag("PATH", "cgroup_parent", "control group to make its own below"),
        "--allow-unenforced": Flag(
            "LIMIT",
            "unenforced",
            "go without memory, pids or cpu where it cannot be enforced, instead of refusing",
            repeated=True,
            differs=("refused without it", "dropped with a warning"),
        ),
    },
    "files": {
        "--volume": Flag(
            "[SOURCE:]DIR[:ro]",
            "volumes",
            "bind a file or a folder, or a volume of that name; without a SOURCE a new one",
            repeated=True,
            differs=("a source must exist; nosuid, nodev", "makes it; neither"),
        ),
        "--mount": Flag(
            "type=TYPE,…", "mounts", "the same in words: bind, volume, tmpfs or image; source=, destination=, readonly …", repeated=True
        ),
        "--tmpfs": Flag(
            "DIR[:OPTIONS]",
            "tmpfs",
            "a folder in memory; tmpcopyup fills it from the root",
            repeated=True,
            differs=("64 MiB", "half of the memory"),
        ),
        "--device": Flag("DEVICE[:DIR][:rwm]", "devices", "a device of this machine", repeated=True),
        "--device-cgroup-rule": Flag("RULE", "device_rules", "let devices be used: 'c 188:* rw'", repeated=True),
    },
    "life": {
        "--name": Flag(
            "NAME",
            "name",
            "the name of the container: it can be looked up and started again",
            differs=("without one nothing is kept", "all have one"),
        ),
        "--detach": Flag(SWITCH, "detach", "run in the background, and print its id"),
        "--rm": Flag(SWITCH, "remove", "forget it when it ends", differs=("needs a --name or -d to matter", "all are kept without")),
        "--restart": Flag("POLICY", "restart", "no, on-failure[:N], always or unless-stopped: when to start it again"),
        "--stop-signal": Flag("SIGNAL", "stop_signal", "what asks it to stop", read=_signal),
        "--stop-timeout": Flag("SECONDS", "stop_timeout_s", "how long to wait until it is killed", read=_seconds),
        "--detach-keys": Flag("KEYS", "detach_keys", "what lets go of its terminal", read=_keys),
        "--label": Flag("KEY[=VALUE]", "labels", "a label", repeated=True),
        "--label-file": Flag("FILE", "label_files", "the labels of a file", repeated=True),
        "--health-cmd": Flag(
            "COMMAND",
            "health_cmd",
            "a command of the container's shell that exits with 0 while all is well",
            differs=("with a --name or -d; a supervisor checks", "always"),
        ),
        "--health-interval": Flag("TIME", "health_interval_ns", "between checks: 30s, 1m30s", read=_duration),
        "--health-timeout": Flag("TIME", "health_timeout_ns", "that a check may take (default: 30s)", read=_duration),
        "--health-retries": Flag("NUMBER", "health_retries", "failures in a row that make it unhealthy (default: 3)", read=_retries),
        "--health-start-period": Flag("TIME", "health_start_period_ns", "in which failures do not count", read=_duration),
        "--health-start-interval": Flag("TIME", "health_start_interval_ns", "between checks in that time (default: 5s)", read=_duration),
        "--no-healthcheck": Flag(SWITCH, "no_health", "do not check its health, whatever the image says"),
        "--annotation": Flag("KEY=VALUE", "annotations", "an annotation of the specification", repeated=True),
    },
    "this command": {
        "--dry-run": Flag(SWITCH, "", "print what would be done, step by step"),
        "--print-spec": Flag(SWITCH, "", "print the config.json that would be executed"),
        "--help": Flag(SWITCH, "", "print this"),
    },
}
FLAGS: Final = {name: flag for group in GROUPS.values() for name, flag in group.items()}
SHORT: Final = {
    "-c": "--cpu-shares",
    "-d": "--detach",
    "-e": "--env",
    "-h": "--hostname",
    "-i": "--interactive",
    "-l": "--label",
    "-m": "--memory",
    "-q": "--quiet",
    "-t": "--tty",
    "-u": "--user",
    "-v": "--volume",
    "-w": "--workdir",
}
# What may stand beside --bundle: it says everything else itself.
BESIDE_A_BUNDLE: Final = (
    *("--bundle", "--policy", "--name", "--detach", "--rm", "--restart", "--stop-signal", "--stop-timeout", "--detach-keys", "--label"),
    *("--label-file", "--interactive", "--dry-run", "--print-spec", "--help"),
)
ALIASES: Final = {"--net": "--network"}

_NETWORK = "there is no network but loopback yet: --network host is this machine's, container:NAME another container's"
# Flags of `docker run` that are not here, and what to do instead.
MISSING: Final = {
    **dict.fromkeys(
        ("--creds", "--ca", "--insecure", "--mirror", "--docker-config"),
        "harden pull has it: fetch the image with it, and harden run finds it here",
    ),
    **dict.fromkeys(
        (
            "--publish",
            "-p",
            "--publish-all",
            "-P",
            "--expose",
            "--link",
            "--link-local-ip",
            "--dns",
            "--dns-option",
            "--dns-opt",
            "--dns-search",
        ),
        _NETWORK,
    ),
    **dict.fromkeys(("--add-host", "--ip", "--ip6", "--mac-address", "--network-alias", "--net-alias"), _NETWORK),
    "--disable-content-trust": "it is docker's own: `harden image verify --key FILE` checks signatures",
    "--attach": "standard streams are attached in the foreground: leave it out",
    "-a": "standard streams are attached in the foreground: leave it out",
    "--sig-proxy": "signals are always handed on: leave it out",
    "--cidfile": "give it a --name: that is its id",
    "--volumes-from": "name the volumes: --volume NAME:/DIR",
    "--volume-driver": "volumes are folders of this machine: leave it out",
    "--storage-opt": "--writable keeps what is written in memory, at most 64 MiB",
    "--log-driver": "logs are kept as JSON lines, rotated at 10 MiB: `harden logs`",
    "--log-opt": "logs are kept as JSON lines, rotated at 10 MiB: `harden logs`",
    "--runtime": "hardener is the runtime: leave it out",
    "--gpus": "name the devices: --device /dev/…",
    "--isolation": "it is for Windows: leave it out",
    "--credential-spec": "it is for Windows: leave it out",
    **dict.fromkeys(("--cpu-count", "--cpu-percent", "--io-maxbandwidth", "--io-maxiops"), "it is for Windows: leave it out"),
    **dict.fromkeys(("--cpu-rt-period", "--cpu-rt-runtime"), "real-time scheduling of groups is gone from cgroup v2: leave it out"),
    "--kernel-memory": "the kernel no longer has it: --memory counts that, too",
    "--use-api-socket": "the socket of an engine is this machine: nobody gets it",
}


def parse(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the options by their long names, and the words from the first one that is none. Raises for what no flag is."""
    options: dict[str, list[str]] = {}
    rest = [*words]
    if rest == ["-h"]:  # elsewhere it is --hostname, as docker has it
        return {"--help": [""]}, []
    while rest and rest[0].startswith("-") and rest[0] not in ("--", "-"):
        word = rest.pop(0)
        for name, given in _split(word):
            flag = FLAGS.get(name)
            if flag is None:
                raise _unknown(name)
            value = given
            if flag.value and value is None:
                if not rest:
                    raise HardenError(f"{name} needs a value", where="harden run", how=f"{name} {flag.value}")
                value = rest.pop(0)
            if not flag.value and value is not None and not values.boolean(value, name):
                options.pop(name, None)
                if name == "--read-only":  # docker's way to say so
                    options["--writable"] = [""]
            elif name == "--oom-kill-disable":
                raise HardenError("without the kernel's kill what is out of memory hangs", where=name, how="raise --memory instead")
            else:
                options.setdefault(name, []).append(value or "")
    return options, rest


def _split(word: str) -> list[tuple[str, str | None]]:
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return [(ALIASES.get(name, name), value if equals else None)]
    found: list[tuple[str, str | None]] = []
    for at in range(1, len(word)):
        name = SHORT.get(f"-{word[at]}", f"-{word[at]}")
        follows = word[at + 1 :]
        if name in FLAGS and (FLAGS[name].value or follows.startswith("=")):  # -ePATH, -e=PATH, -t=false: the rest is the value
            return [*found, (name, follows.removeprefix("=") or None)]
        found.append((name, None))
    return found


def _unknown(name: str) -> HardenError:
    if name in MISSING:
        return HardenError(f"harden run has no {name}", where="harden run", how=MISSING[name])
    how = suggest(name, [*FLAGS, *SHORT]) or "`harden run --help` lists the options"
    return HardenError(f"unknown option {name!r}", where="harden run", how=how)


def _given(name: str) -> str:
    """Return the limits of a policy for the help, from its file: no number is written here."""
    from hardener.policies.load import load
    from hardener.policies.runtime import size_text

    runtime = load(name).runtime
    if runtime is None:
        return f"{name}: nothing"
    parts = [
        f"memory {size_text(runtime.memory or 0)}",
        f"{runtime.pids} processes",
        f"{runtime.cpus:g} processor{'' if runtime.cpus == 1 else 's'}",
        f"/dev/shm {size_text(runtime.shm_size or 0)}",  # noqa: S108  (the container's)
        f"network {runtime.network}",
        "a user that is not root" if runtime.user == "not-root" else "any user",
    ]
    from textwrap import fill

    text = f"{name}: {', '.join(parts)}; flags may loosen {', '.join(runtime.loosen)}"
    return fill(text, 120, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def usage() -> str:
    """Return the help."""
    short = {long: name for name, long in SHORT.items()}
    lefts = {name: f"{short.get(name, '  ')}{',' if name in short else ' '} {name} {flag.value}".rstrip() for name, flag in FLAGS.items()}
    width = max(len(left) for left in lefts.values() if len(left) <= 34)
    lines = []
    for title, group in GROUPS.items():
        lines += ["", f"{title}:"]
        for name, flag in group.items():
            left = f"  {lefts[name]:<{width}}"
            lines += [f"{left}  {flag.text}"] if len(lefts[name]) <= width else [left, f"  {'':<{width}}  {flag.text}"]
    rows = [(name, *flag.differs) for name, flag in FLAGS.items() if flag.differs]
    here = max(len(row[1]) for row in rows)
    longest = max(len(row[0]) for row in rows)
    differences = [f"  {name:<{longest}}  {ours:<{here}}  docker: {docker}" for name, ours, docker in rows]
    return "\n".join(
        [
            "usage: harden run [OPTION …] ROOT [--] [PROGRAM [ARGUMENT …]]",
            "       harden run [OPTION …] --rootfs DIR [--] PROGRAM [ARGUMENT …]",
            "       harden run [OPTION …] --bundle DIR",
            "",
            "Run a program in a container: namespaces of its own, ids of nobody, no capabilities, no new privileges, a filter of system",
            "calls, a read-only root, limits of memory, processes and processors, no network. ROOT is an image, NAME[:TAG|@DIGEST],",
            "fetched when it is not here; or `host`, this machine's own root, read-only, with what is private hidden; or an OCI image",
            "layout, a folder, with :NAME for one image of several.",
            *lines,
            "",
            "differences from docker run:",
            *differences,
            "",
            "what the policies that ship with hardener give (--policy):",
            *[_given(name) for name in ("default", "strict")],
            "",
            "The exit code is the program's; 125 the container did not start, 126 the program is not executable, 127 it is not there,",
            "128+N signal N.",
            "",
        ]
    )
