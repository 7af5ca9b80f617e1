"""Checks on how containers of an image start: health, volumes, ports, environment, labels, platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match, Severity
from hardener.rules import host_paths
from hardener.rules.image_contents import DEFAULT_PATH
from hardener.rules.image_document import health_test

if TYPE_CHECKING:
    from hardener.rules.checks import Check
    from hardener.rules.context import ImageContext
    from hardener.rules.image_contents import Contents
    from hardener.rules.image_facts import Item

# Programs that wait for a command or end by themselves: there is nothing whose health could be asked for.
_NOT_SERVING: Final = frozenset({"sh", "bash", "ash", "dash", "zsh", "fish", "python", "python3", "node", "irb", "jshell", "psql", "true"})


def _starts_service(contents: Contents) -> bool:
    argv = contents.argv
    return bool(argv) and not (len(argv) == 1 and argv[0].rpartition("/")[2] in _NOT_SERVING)


def no_healthcheck(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI201: nothing says whether the program still works. An image that starts a shell is a base for others."""
    if not health_test(contents.image) and _starts_service(contents):
        yield Match(contents.document.place("entrypoint", "cmd"), about="healthcheck")


def healthcheck_off(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI202: HEALTHCHECK NONE."""
    if health_test(contents.image)[:1] == ["NONE"]:
        yield Match(contents.document.place("healthcheck"), about="healthcheck")


_WHOLE: Final = frozenset(
    {
        "/",
        "/bin",
        "/etc",
        "/lib",
        "/lib64",
        "/sbin",
        "/usr",
        "/usr/bin",
        "/usr/lib",
        "/usr/sbin",
        "/usr/local/bin",
        "/var",
        "/root",
        "/home",
    }
)
_TREES: Final = (
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/run/secrets",
    "/lib/modules",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/run/containerd",
)


def system_volume(subject: Item, context: ImageContext) -> Iterator[Match]:
    """HI203: VOLUME of what belongs to the system, the kernel or a container runtime."""
    path = host_paths.normal(subject.name)
    if path is None:
        return
    contents = subject.contents
    socket = host_paths.socket(path) if path != "/" else None
    if socket is not None and path.endswith((".sock", "_socket", "-sock")):
        what, severity = f"{socket.name} as a volume invites who runs it to hand that in", Severity.HIGH
    elif path in _WHOLE:
        what, severity = "the system's own files in a volume stay at their first version: updates in new images never arrive", None
    elif any(path == tree or path.startswith(f"{tree}/") for tree in _TREES):
        what, severity = "it belongs to the kernel or to the host's runtime, and a volume there hides it or invites the host's", None
    else:
        return
    yield Match(contents.document.place(subject.key), {"path": subject.name, "what": what}, severity=severity, about=subject.key)


def admin_port(subject: Item, context: ImageContext) -> Iterator[Match]:
    """HI205: a port by which people log in or command things."""
    from hardener.rules.checks.network import LOGIN_PORTS
    from hardener.rules.checks.ports import MAX_PORT
    from hardener.rules.known_services import port_role

    first, dash, last = subject.name.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()) or len(first) > 5 or len(last) > 5:
        return
    if subject.value not in ("tcp", ""):
        return
    for number in range(int(first), min(int(last or first), MAX_PORT) + 1):
        use = LOGIN_PORTS.get(number)
        severity = Severity.HIGH if number == 2375 else None
        if use is None:
            role = port_role(str(number), "tcp")
            if role is None or role.kind not in ("control", "login", "debug"):
                continue
            use, severity = role.what, None
        values = {"port": subject.name, "use": use}
        yield Match(subject.contents.document.place(subject.key), values, severity=severity, about=subject.key)
        return


def _path_folders(contents: Contents) -> list[str]:
    return contents.env.get("PATH", DEFAULT_PATH).split(":")


def relative_path(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI207: PATH has a folder that depends on where a process happens to be."""
    if contents.is_windows:
        return
    for folder in _path_folders(contents):
        if not folder.startswith("/"):
            shown = repr(folder) if folder else "an empty entry"
            yield Match(contents.document.place("env:PATH"), {"folder": shown}, about=f"path:{folder}")


def writable_in_path(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI208: who runs in the container may put programs where others, root among them, look for theirs.

    Folders that everybody may write are HI108's; one's own bin folder behind the system's is custom, and harmless.
    """
    uid = contents.who.uid
    if not uid or contents.is_windows:
        return
    system_left = [folder for folder in _path_folders(contents) if folder in DEFAULT_PATH.split(":")]
    for folder in _path_folders(contents):
        if folder in system_left:
            system_left.remove(folder)
        found = contents.view.find(folder.strip("/")) if folder.startswith("/") else None
        if found is None or found.entry.kind != "folder":
            continue
        entry = found.entry
        mine = (entry.uid == uid and entry.mode & 0o200) or (entry.gid == contents.who.gid and entry.mode & 0o020)
        if mine and not entry.mode & 0o002 and (system_left or folder in DEFAULT_PATH.split(":")):
            values = {"folder": folder, "user": contents.accounts.user_name(uid)}
            yield Match(contents.document.place("env:PATH"), values, about=f"path:{folder}")


_LOADER: Final = ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH")


def preloaded_library(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI209: the loader takes a library from where it is not, or where others may put one."""
    for name in _LOADER:
        value = contents.env.get(name, "")
        parts = value.split(":") if name != "LD_PRELOAD" else value.replace(":", " ").split()
        for part in parts:
            if not value:
                break
            why = ""
            if not part.startswith("/"):
                if name == "LD_LIBRARY_PATH" or "/" in part:
                    why = "it depends on where a process happens to be"
            else:
                found = contents.view.find(part.strip("/")) if "$" not in part and part.strip("/") else None
                if found is None:
                    why = "" if name == "LD_LIBRARY_PATH" or "$" in part else "it is not in the image"
                elif found.entry.mode & 0o002:
                    why = "everybody may write it"
            if why:
                yield Match(
                    contents.document.place(f"env:{name}"),
                    {"name": name, "value": part or "an empty entry", "why": why},
                    about=f"env:{name}",
                )
                break


def missing_label(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI210: a label that the configuration requires is not there, or not in the form that it asks for."""
    from hardener.rules.checks.labels import wanted_form

    for name, kind in context.settings.required_labels.items():
        value = contents.labels.get(name)
        if value is None or not value.strip():
            what = f"the image has no label {name}" if value is None else f"the label {name} is empty"
        elif form := wanted_form(name, value, kind):
            what = f"the label {name} is not {form}"
        else:
            continue
        yield Match(contents.document.place(f"label:{name}", "label", "entrypoint", "cmd"), {"what": what}, about=f"label:{name}")


def content_trust(subject: Item, context: ImageContext) -> Iterator[Match]:
    """HI212: Docker Content Trust, which ends."""
    if subject.name != "DOCKER_CONTENT_TRUST":
        return
    off = subject.value.strip().lower() in ("", "0", "false")
    effect = "switches signature checks of the Docker client off" if off else "makes every pull fail once the signature service is gone"
    yield Match(subject.contents.document.place(subject.key), {"value": subject.value, "effect": effect}, about=subject.key)


_ARCHITECTURES: Final = frozenset(
    {
        "386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64", "mips64le",
        "ppc64", "ppc64le", "riscv64", "s390x", "wasm", "sparc64",
    }
)  # fmt: skip
_SYSTEMS: Final = frozenset({"linux", "windows", "freebsd", "darwin", "android", "wasip1"})


def odd_platform(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI213: the image says that it is for another machine than its program is, or for none that there is."""
    config = contents.image.config
    architecture, system = config.architecture or "", config.os or ""
    what = ""
    if architecture not in _ARCHITECTURES:
        what = (
            f"the architecture {architecture!r:.40} is none that Go, and so Docker, knows" if architecture else "no architecture is given"
        )
    elif system not in _SYSTEMS:
        what = f"the operating system {system!r:.40} is none that Go, and so Docker, knows" if system else "no operating system is given"
    elif not contents.is_windows and contents.argv:
        found = contents.program(contents.argv[0])
        program = contents.programs.of(found[0], found[1].layer) if found is not None else None
        if found is not None and program is not None and program.machine and program.machine != architecture:
            runs_too = {("amd64", "386"), ("arm64", "arm"), ("mips64le", "mipsle"), ("mips64", "mips")}
            if (architecture, program.machine) not in runs_too:
                what = f"the image is for {architecture}, but /{found[0]} is a program for {program.machine}"
    if what:
        yield Match(contents.document.place("entrypoint", "cmd"), {"what": what}, about="platform")


def missing_program(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI214: what the image starts is not in it, or cannot be executed."""
    if contents.is_windows or not contents.argv or not contents.argv[0]:
        return
    name = contents.argv[0]
    if "$" in name or any(name == volume or name.startswith(f"{volume.rstrip('/')}/") for volume in contents.volumes):
        return
    found = contents.program(name)
    if found is None:
        why = "is not in the image" if "/" in name else "is in no folder of PATH"
    elif found[1].entry.kind == "file" and not found[1].entry.mode & 0o111:
        why = "may be executed by nobody"
    else:
        program = contents.programs.of(found[0], found[1].layer)
        if program is None or not program.script or contents.view.find(program.script.strip("/")) is not None:
            return
        why = f"is a script for {program.script}, which is not in the image"
    what = "ENTRYPOINT" if contents.image.defaults.entrypoint else "CMD"
    yield Match(contents.document.place(what.lower()), {"what": what, "name": name, "why": why}, about="start")


CHECKS: Final[Mapping[str, Check]] = {
    "HI201": no_healthcheck,
    "HI202": healthcheck_off,
    "HI203": system_volume,
    "HI205": admin_port,
    "HI207": relative_path,
    "HI208": writable_in_path,
    "HI209": preloaded_library,
    "HI210": missing_label,
    "HI212": content_trust,
    "HI213": odd_platform,
    "HI214": missing_program,
}
