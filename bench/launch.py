"""The part of the bench that is about starting containers: launchers side by side, what a launch imports, what its filter costs.

All of them run /bin/true in the same root. runc and crun get the config.json that harden itself executes, less what they do not know; the
others are asked for the same walls as far as their command lines have words for them. It needs root and busybox (a static one).
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import measure
import peers
from contest import QUICK, TIMEOUT_S, Contest

TITLE = "harden run beside other launchers"
TOOLS = (peers.HARDEN,)
ROUNDS, SLOW_ROUNDS = (2, 1) if QUICK else (20, 6)
LIMITS = ("--pids-limit", "256", "--memory", "512m", "--cpus", "1")
HARDENED = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", *LIMITS)
PROFILE = Path("/usr/share/containers/seccomp.json")  # what podman, and runc and crun under it, use
TRUE = "/bin/true"

# As a distribution could start it: without `site`, and without the environment's say.
ISOLATED = "import sys; sys.path.insert(0, sys.argv.pop(1)); from hardener.cli import start; start()"

LOOP = r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    struct timespec a, b; char byte; enum { TURNS = 200000 };
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < TURNS; i++) {
        syscall(SYS_getpid);
        int fd = syscall(SYS_openat, AT_FDCWD, "/bin/busybox", O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0 || syscall(SYS_read, fd, &byte, 1) != 1) return 1;
        syscall(SYS_close, fd);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.1f\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / TURNS);
    return 0;
}
"""


class Launcher(NamedTuple):
    """A way to start /bin/true: what is run, and what of harden's walls it has."""

    name: str
    walls: str
    command: Sequence[str]
    rounds: int = ROUNDS
    prefix: Sequence[str] = ()  # puts who measures, not the launcher, into another mount namespace
    environment: dict[str, str] | None = None


class Absent(NamedTuple):
    """A launcher that is not in the table, and why."""

    name: str
    reason: str


def run(contest: Contest, results: dict[str, object]) -> Iterator[str]:
    """Yield the sections of the report, and put the numbers into `results`; nothing where no container can be started."""
    busybox = shutil.which("busybox")
    if sys.platform != "linux" or os.geteuid() != 0 or busybox is None:
        print("bench: without launch: it takes Linux, root and busybox (apt-get install busybox-static)", file=sys.stderr)
        return
    root = _root(contest.scratch, busybox)
    contest.environment["HARDENER_ROOT"] = str(contest.scratch / "hardener")  # nobody else's launches use, or tidy, its cache
    with ExitStack() as stack:
        prefix = stack.enter_context(_without_hybrid_cgroups())
        docker = stack.enter_context(_docker(contest.scratch, root))
        launchers, absent = _working(contest, _launchers(contest, root, prefix, docker))
        print(f"bench: {len(launchers)} launchers", file=sys.stderr)
        absent += _missing(docker)
        print(*(f"bench: without {name}: {reason}" for name, reason in absent), sep="\n", file=sys.stderr)
        contest.versions |= {name: _version(name) for name in ("crun", "runc", "bwrap", "podman", "docker") if shutil.which(name)}
        yield _launch(contest, launchers, absent, results)
        yield _imports(contest, root, results)
        yield _filters(contest, root, prefix, results)
        yield _memory(contest, root, results)


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return next((word for word in said.replace(",", " ").split() if word[:1].isdigit()), "?")


def _root(scratch: Path, busybox: str) -> Path:
    root = scratch / "root"
    for folder in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("true", "sh", "sleep"):
        (root / "bin" / name).symlink_to("busybox")
    for place in (scratch, root):
        place.chmod(0o755)  # a container's users have to get there
    return root


# --- the launchers --------------------------------------------------------------------------------------------------------------


def _launchers(contest: Contest, root: Path, prefix: Sequence[str], docker: Sequence[str] | None) -> Iterator[Launcher]:
    programs = contest.programs["harden"]
    wanted = ("run", "--rootfs", str(root))
    yield Launcher("chroot", "none: the floor", ("chroot", str(root), TRUE))
    yield Launcher("harden run", "all", (f"{programs}/harden", *wanted, TRUE))
    library = subprocess.run(
        [f"{programs}/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True
    ).stdout.strip()
    yield Launcher("harden run under python -I -S", "all", (f"{programs}/python", "-I", "-S", "-c", ISOLATED, library, *wanted, TRUE))
    unconfined = ("--security-opt", "seccomp=unconfined")
    yield Launcher("harden run, seccomp off", "all but seccomp", (f"{programs}/harden", *wanted, *unconfined, TRUE))
    for runtime in ("crun", "runc"):
        if shutil.which(runtime):
            for name, walls, seccomp in (
                (f"{runtime} run", "the same config.json", "own"),
                (f"{runtime} run, containers-common's profile", "the same but its seccomp", "common"),
                (f"{runtime} run, seccomp off", "all but seccomp", "none"),
            ):
                bundle = _bundle(contest, root, f"{runtime}-{seccomp}", seccomp, (TRUE,))
                if bundle is not None:
                    yield Launcher(name, walls, _run_bundle(runtime, bundle), prefix=prefix if runtime == "crun" else ())
    if shutil.which("bwrap"):
        flags = ("--unshare-all", "--cap-drop", "ALL", "--new-session", "--die-with-parent")
        mounts = ("--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")
        yield Launcher("bwrap", "no seccomp, no limits", ("bwrap", *flags, *mounts, TRUE))
    if shutil.which("podman"):
        stores = ("--root", str(contest.scratch / "podman"), "--runroot", str(contest.scratch / "podman-run"))
        ulimits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")  # works without CAP_SYS_RESOURCE too
        for runtime in ("crun", "runc"):
            if found := shutil.which(runtime):
                engine = ("podman", *stores, "--cgroup-manager", "cgroupfs", "--runtime", found, "run", "--rm")
                command = (*engine, *ulimits, *HARDENED, "--rootfs", str(root), TRUE)
                yield Launcher(f"podman run ({runtime})", "no user namespace", command, SLOW_ROUNDS, prefix if runtime == "crun" else ())
    if docker is not None:
        yield Launcher("docker run", "its defaults, no network", (*docker, "run", "--rm", "--network", "none", "bench", TRUE), SLOW_ROUNDS)
        yield Launcher("docker run, hardened", "no user namespace", (*docker, "run", "--rm", *HARDENED, "bench", TRUE), SLOW_ROUNDS)


def _missing(docker: Sequence[str] | None) -> list[Absent]:
    missing = [Absent(name, "not installed") for name in ("crun", "runc", "bwrap", "podman") if shutil.which(name) is None]
    return missing + ([] if docker else [Absent("docker run", "no daemon could be started")])


def _working(contest: Contest, launchers: Iterator[Launcher]) -> tuple[list[Launcher], list[Absent]]:
    """Try each once: who fails is listed with what it said."""
    working: list[Launcher] = []
    absent: list[Absent] = []
    for launcher in launchers:
        tried = subprocess.run(
            [*launcher.prefix, *launcher.command],
            check=False,
            env=contest.environment,
            input="",  # not /dev/null: measure.run says why
            capture_output=True,
            text=True,
        )
        if tried.returncode:
            words = (tried.stderr or tried.stdout).strip().splitlines() or [f"exit code {tried.returncode}"]
            absent.append(Absent(launcher.name, words[0]))
        else:
            working.append(launcher)
    return working, absent


def _run_bundle(runtime: str, bundle: Path) -> tuple[str, ...]:
    return (runtime, "--root", str(bundle / "state"), "run", "--bundle", str(bundle), f"bench-{bundle.name}-{os.getpid()}")


def _bundle(contest: Contest, root: Path, name: str, seccomp: str, arguments: Sequence[str]) -> Path | None:
    """Return a bundle with harden's own config.json; `seccomp` is whose filter it has: own, common or none."""
    ours = [f"{contest.programs['harden']}/harden", "run", "--print-spec", "--rootfs", str(root), *arguments]
    printed = subprocess.run(ours, capture_output=True, text=True, check=True, env=contest.environment)
    config = json.loads(printed.stdout)
    config["linux"]["namespaces"] = [each for each in config["linux"]["namespaces"] if each["type"] != "time"]  # runc 1.1 has none
    config["ociVersion"] = "1.0.2"  # the newest that crun 1.8 takes
    config.pop("annotations", None)
    config["linux"]["cgroupsPath"] = f"/bench-{name}-{os.getpid()}"
    if seccomp == "none":
        del config["linux"]["seccomp"]
    elif seccomp == "common":
        if not PROFILE.exists():
            return None
        config["linux"]["seccomp"] = _common_profile()
    bundle = contest.scratch / name
    bundle.mkdir(exist_ok=True)
    (bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return bundle


def _common_profile() -> dict[str, object]:
    from hardener.policies import seccomp

    major, minor = (int(number) for number in os.uname().release.split("-")[0].split(".")[:2])
    return seccomp.resolved(seccomp.load(str(PROFILE)), machine=os.uname().machine, capabilities=(), kernel=(major, minor))


@contextmanager
def _without_hybrid_cgroups() -> Iterator[Sequence[str]]:
    """Yield what puts a command where crun starts: on hybrid control groups it wants no (empty) cgroup2 mount."""
    unified = Path("/sys/fs/cgroup/unified")
    if not unified.is_mount():
        yield ()
        return
    inside = ["sh", "-c", f"umount {unified} && echo done && exec sleep 86400"]
    with subprocess.Popen(["unshare", "-m", "--propagation", "private", *inside], stdout=subprocess.PIPE, text=True) as keeper:
        try:
            assert keeper.stdout is not None
            keeper.stdout.readline()
            yield ("nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt", "--")
        finally:
            keeper.kill()


@contextmanager
def _docker(scratch: Path, root: Path) -> Iterator[Sequence[str] | None]:
    """Yield the words of a docker client with a daemon of its own, in a network of its own, that has the image `bench`; or None."""
    if shutil.which("dockerd") is None or shutil.which("docker") is None:
        yield None
        return
    # Short paths: a socket's name has no more than 107 characters.
    place = Path(f"/run/bench-docker-{os.getpid()}")
    place.mkdir()
    client = ("docker", "--host", f"unix://{place}/sock")
    options = ["--iptables=false", "--bridge=none", "--storage-driver=vfs", "--host", f"unix://{place}/sock"]
    folders = ["--data-root", str(scratch / "docker"), "--exec-root", str(place / "exec"), "--pidfile", str(place / "pid")]
    log = (scratch / "dockerd.log").open("wb")
    daemon = subprocess.Popen(["unshare", "-n", "dockerd", *options, *folders], stdout=log, stderr=log)
    try:
        print("bench: starting dockerd", file=sys.stderr)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and daemon.poll() is None:
            if subprocess.run([*client, "version"], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.3)
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packer:
            loaded = subprocess.run([*client, "import", "-", "bench"], check=False, stdin=packer.stdout, capture_output=True)
        yield client if loaded.returncode == 0 else None
    finally:
        daemon.terminate()  # ends its containerd as well
        daemon.wait(60)
        log.close()
        shutil.rmtree(place, ignore_errors=True)


# --- the sections ---------------------------------------------------------------------------------------------------------------


def _launch(contest: Contest, launchers: Sequence[Launcher], absent: Sequence[Absent], results: dict[str, object]) -> str:
    """Run them all, interleaved; the ratios are to `harden run`."""
    costs: dict[str, list[measure.Cost]] = {launcher.name: [] for launcher in launchers}
    for turn in range(-2 if not QUICK else 0, ROUNDS):
        for launcher in launchers:
            if turn < 0 or turn < launcher.rounds:
                cost = _once(contest, launcher)
                if turn >= 0:
                    costs[launcher.name].append(cost)
    rows = {name: measure.summarize(found) for name, found in costs.items()}
    results["launch"] = {name: row._asdict() for name, row in rows.items()}
    results["absent"] = dict(absent)
    ours = rows.get("harden run")
    lines = ["### /bin/true, from start to end", "", "| launcher | its walls, beside harden's | wall | min | CPU | time, harden = 1 |"]
    lines.append("|---|---|--:|--:|--:|--:|")
    for launcher in sorted(launchers, key=lambda launcher: rows[launcher.name].wall_s):
        row = rows[launcher.name]
        times = " | ".join(f"{1e3 * value:.1f} ms" for value in (row.wall_s, row.wall_min_s, row.cpu_s))
        lines.append(f"| {launcher.name} | {launcher.walls} | {times} | {row.wall_s / ours.wall_s:.2f} |" if ours else "")
    load = os.getloadavg()[1]
    results["load"] = load
    lines += ["", f"Load of the machine meanwhile (5 minutes): {load:.1f}. On a busy one the processor time says more than the clock.", ""]
    lines += [*(f"Absent: {name}: {reason}." for name, reason in absent), ""]
    return "\n".join(lines)


def _once(contest: Contest, launcher: Launcher) -> measure.Cost:
    cost = measure.run(
        launcher.command,
        cwd=contest.scratch,
        output=contest.scratch / "output",
        environment=contest.environment,
        timeout_s=TIMEOUT_S,
        prefix=launcher.prefix,
    )
    if cost is None or cost.exit_code:
        raise SystemExit(f"bench: {launcher.name} failed")
    return cost


def _imports(contest: Contest, root: Path, results: dict[str, object]) -> str:
    """Say which modules a launch imports, and what each costs (`-X importtime`)."""
    programs = contest.programs["harden"]
    command = [f"{programs}/python", "-X", "importtime", f"{programs}/harden", "run", "--rootfs", str(root), TRUE]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=contest.environment).stderr
    found = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", shown, re.MULTILINE)
    names = [name for _, name in found]
    end = names.index("site") + 1 if "site" in names else 0
    groups = {
        "the interpreter's own, with site": found[:end],
        "hardener": [entry for entry in found[end:] if entry[1].startswith("hardener")],
        "the standard library's": [entry for entry in found[end:] if not entry[1].startswith("hardener")],
    }
    results["imports"] = {label: [name for _, name in entries] for label, entries in groups.items()}
    lines = ["### What a launch imports (-X importtime, which itself takes time)", "", "| modules | how many | time |", "|---|--:|--:|"]
    lines += [f"| {label} | {len(entries)} | {sum(int(us) for us, _ in entries) / 1e3:.1f} ms |" for label, entries in groups.items()]
    foreign = ", ".join(name for _, name in groups["the standard library's"])
    return "\n".join([*lines, "", f"Of the standard library: {foreign}.", ""])


def _filters(contest: Contest, root: Path, prefix: Sequence[str], results: dict[str, object]) -> str:
    """Say what a turn of getpid, openat, read and close takes under each filter."""
    compiler = shutil.which("cc")
    title = ["### A loop of getpid, openat, read and close", ""]
    if compiler is None:
        return "\n".join([*title, "Absent: no C compiler.", ""])
    source = contest.scratch / "loop.c"
    source.write_text(LOOP, encoding="utf-8")
    subprocess.run([compiler, "-O2", "-static", "-o", str(root / "bin/loop"), str(source)], check=True)
    commands: dict[str, list[str]] = {
        "no filter (chroot)": ["chroot", str(root), "/bin/loop"],
        "harden run": [f"{contest.programs['harden']}/harden", "run", "--rootfs", str(root), "/bin/loop"],
    }
    for runtime in ("runc", "crun"):
        for seccomp, label in (("common", "containers-common's profile"), ("own", "harden's profile"), ("none", "seccomp off")):
            bundle = _bundle(contest, root, f"loop-{runtime}-{seccomp}", seccomp, ("/bin/loop",)) if shutil.which(runtime) else None
            if bundle is not None:
                commands[f"{runtime} run, {label}"] = [*(prefix if runtime == "crun" else ()), *_run_bundle(runtime, bundle)]
    turns: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(1 if QUICK else 9):
        for name, command in commands.items():
            ran = subprocess.run(command, capture_output=True, text=True, check=False, env=contest.environment)
            if ran.returncode:
                raise SystemExit(f"bench: {name} failed: {ran.stderr}")
            turns[name].append(float(ran.stdout))
    best = {name: min(values) for name, values in turns.items()}
    results["filters, ns"] = best
    lines = [*title, "| filter | least of a turn | time, harden = 1 |", "|---|--:|--:|"]
    lines += [f"| {name} | {value:.0f} ns | {value / best['harden run']:.3f} |" for name, value in best.items()]
    return "\n".join([*lines, ""])


def _memory(contest: Contest, root: Path, results: dict[str, object]) -> str:
    """Say what stays in memory outside the container while its program sleeps, in the foreground and detached."""
    harden = f"{contest.programs['harden']}/harden"
    started = subprocess.Popen(
        [harden, "run", "--rootfs", str(root), "/bin/sleep", "60"], env=contest.environment, stdin=subprocess.DEVNULL
    )
    try:
        time.sleep(1)
        found = {"harden run": _resident_kb(started.pid)}
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait()
    subprocess.run(
        [harden, "run", "--detach", "--name", "bench", "--rootfs", str(root), "/bin/sleep", "60"],
        env=contest.environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        (record,) = (contest.scratch / "hardener/data/containers").glob("*/state.json")
        found["harden run --detach: its supervisor"] = _resident_kb(json.loads(record.read_bytes())["supervisor"])
    finally:
        subprocess.run([harden, "rm", "--force", "bench"], env=contest.environment, check=True, stdout=subprocess.DEVNULL)
    results["memory, kB"] = found
    lines = ["### Memory outside the container while its program sleeps", "", "| process | resident | its share (PSS) |", "|---|--:|--:|"]
    lines += [f"| {name} | {resident / 1024:.1f} MB | {share / 1024:.1f} MB |" for name, (resident, share) in found.items()]
    return "\n".join([*lines, ""])


def _resident_kb(pid: int) -> tuple[int, int]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return found["Rss"], found["Pss"]
