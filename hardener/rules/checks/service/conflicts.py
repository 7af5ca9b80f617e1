"""Hardening that the workload is known not to survive: every rule here is about a service that fails, or loses what it relies on.

What an image does at its start comes from `rules/workloads.py`, from the Dockerfile that the service builds, and from its entrypoint
script where that lies beside it. Where another command, a mounted configuration or a variable may change it, the rules are silent.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match
from hardener.oci.reference import Reference
from hardener.record import NamedTuple
from hardener.rules.capabilities import ALL, DOCKER_DEFAULT, PODMAN_DEFAULT, canonical, granted
from hardener.rules.checks import Check
from hardener.rules.checks.service.images import image_of
from hardener.rules.checks.service.posture import dockerfile_context, runs_as
from hardener.rules.context import ServiceContext
from hardener.rules.services import at, in_force, is_on, is_podman
from hardener.rules.workloads import Workload, file_capabilities, has_s6_overlay, workload
from hardener.sources.expansion import HOLE
from hardener.sources.service import Mount, Project, Resource, Service, Setting, Words
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place, Span

if TYPE_CHECKING:
    from hardener.sources.instructions import Instruction
    from hardener.sources.stages import Stage

# --- what starts --------------------------------------------------------------------------------------------------------------


class _Start(NamedTuple):
    """The image whose entrypoint a service starts, and the Dockerfile's stage that was built on it, if any."""

    name: str
    tag: str | None
    stage: "Stage | None"


def _start(service: Service, context: ServiceContext) -> _Start | None:
    """Return the image whose own entrypoint runs; None when something else does, or when that is not known."""
    if service.entrypoint is not None or service.provider is not None:
        return None
    stage = context.stage_of(service)
    if stage is None:
        reference = image_of(service)
        return _Start(reference.name, reference.tag, None) if isinstance(reference, Reference) else None
    if "ENTRYPOINT" in stage.effective:
        return None
    image = stage.root.image
    if not isinstance(image.name, str) or not (image.tag is None or isinstance(image.tag, str)):
        return None
    return _Start(image.name, image.tag, stage)


def _words(service: Service, stage: "Stage | None") -> list[str] | None:
    """Return the command of a service, its image's where it has none; None when that is not known, [] when none is set."""
    command = service.command
    if command is not None:
        texts = [word.text for word in command.words]
        return None if any(HOLE in text for text in texts) else texts
    instruction = None if stage is None else stage.effective.get("CMD")
    if instruction is None:
        return []
    return _words_of(instruction)


def _words_of(instruction: "Instruction") -> list[str] | None:
    if instruction.json is not None:
        return [word.text for word in instruction.json]
    script = instruction.script
    if script is None or not script.commands:
        return None
    return [word.text for word in script.commands[0].words]


def _runs_its_own(service: Service, start: _Start, programs: frozenset[str]) -> list[str] | None:
    """Return the arguments when the image's own program runs; None when another one does."""
    words = _words(service, start.stage)
    if not words:
        return words
    if words[0].startswith("-") or posixpath.basename(words[0]) in programs:
        return words
    return None


# --- privileges that are taken from an entrypoint -----------------------------------------------------------------------------

_STEP_DOWN: Final = frozenset({"gosu", "su-exec", "setpriv", "s6-setuidgid", "chpst", "setuidgid", "runuser", "setuser", "su"})


def no_setuid(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS651: an entrypoint that goes on as another user, without the capabilities to do that."""
    if not service.cap_drop or not in_force(service, "cap_drop"):
        return
    have = granted(service, default=PODMAN_DEFAULT if is_podman(service) else DOCKER_DEFAULT)
    if have is UNKNOWN:
        return
    found = _needed(service, context)
    if found is None:
        return
    needs, because, place = found
    missing = needs - have
    if missing:
        yield at(
            _dropping(service, missing),
            related=() if place is None else ((place, "it is done here"),),
            missing=_list(missing),
            because=because,
        )


def _needed(service: Service, context: ServiceContext) -> tuple[frozenset[str], str, Place | None] | None:
    """Return the capabilities that the start of a service needs, what for, and where that is said."""
    account = runs_as(service, context)
    if account is UNKNOWN or not account.is_root:
        return None
    for words in (service.entrypoint, service.command):
        first = None if words is None or not words.words else words.words[0]
        if first is not None and posixpath.basename(first.text) in _STEP_DOWN:
            return frozenset({"SETGID", "SETUID"}), f"{first.text} goes on as another user", first.place
    start = _start(service, context)
    if start is not None:
        known = workload(start.name, start.tag)
        if known is None or not known.needs or _runs_its_own(service, start, known.programs) is None:
            return None
        return known.needs, known.because, None
    stage = context.stage_of(service)
    if stage is None or service.entrypoint is not None:
        return None
    instruction = stage.effective.get("ENTRYPOINT")
    if instruction is None:
        return None
    from hardener.rules.checks.users import steps_down

    if not steps_down(stage, dockerfile_context(stage, service, context)):
        return None
    place = Place(stage.document.file, instruction.rest.span(0, len(instruction.rest.text)))
    return frozenset({"SETGID", "SETUID"}), "its entrypoint goes on as another user", place


def _dropping(service: Service, missing: frozenset[str]) -> "Setting[str]":
    """Return the item of `cap_drop` that takes a capability away."""
    for setting in service.cap_drop:
        if canonical(setting.text) in missing or setting.text.upper() == ALL:
            return setting
    return service.cap_drop[0]


def _list(names: frozenset[str]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}" if others else last


# --- file capabilities --------------------------------------------------------------------------------------------------------

_SETCAP: Final = Pattern(
    r"(?i)\bsetcap\s+(?:-\w\s+)*[\"']?(cap_\w+(?:,cap_\w+)*)\s*[=+]{1,2}([eip]+)[\"']?\s+"
    r"(?:\$\(\s*(?:which|command -v)\s+([\w.-]+)\s*\)|(\S+))"
)


class _FileCapabilities(NamedTuple):
    program: str
    names: frozenset[str]
    place: Place | None


def _file_capabilities(service: Service, context: ServiceContext) -> _FileCapabilities | None:
    """Return the file capabilities, effective bit set, of the program that a service starts."""
    start = _start(service, context)
    if start is not None:
        found = file_capabilities(start.name)
        if found is not None and start.stage is None:
            words = _words(service, None)
            if words is None or (words and posixpath.basename(words[0]) != posixpath.basename(found[0])):
                return None
            return _FileCapabilities(found[0], found[1], None)
    stage = context.stage_of(service)
    if stage is None or service.entrypoint is not None:
        return None
    instruction = stage.effective.get("ENTRYPOINT") or stage.effective.get("CMD")
    words = None if instruction is None else _words_of(instruction)
    if instruction is not None and instruction.name == "CMD" and service.command is not None:
        words = _words(service, stage)
    if not words:
        return None
    program = posixpath.basename(words[0])
    from hardener.rules.starts import lineage_of

    for ancestor in lineage_of(stage):
        for run in ancestor.instructions:
            if run.name == "RUN" and "setcap" in run.rest.text:
                for match in _SETCAP.finditer(run.rest.text):
                    path = (match[3] or match[4]).strip("\"';")
                    if "e" in match[2] and posixpath.basename(path) == program:
                        names = frozenset(canonical(name) for name in match[1].split(",") if name)
                        return _FileCapabilities(words[0], names, Place(stage.document.file, run.rest.span(match.start(), match.end())))
    return None


def refused_program(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS652: a program with file capabilities of which the container may have none.

    Source: bprm_caps_from_vfs_caps in the kernel's security/commoncap.c: with the effective bit set, execve fails with EPERM when the
    bounding set lacks one of the file's permitted capabilities, for root too.
    """
    have = granted(service, default=PODMAN_DEFAULT if is_podman(service) else DOCKER_DEFAULT)
    if have is UNKNOWN:
        return
    if not service.cap_drop and context.stage_of(service) is None:
        return  # what the known images need is in the default set
    found = _file_capabilities(service, context)
    if found is None or not found.names - have:
        return
    missing = found.names - have
    related = () if found.place is None else ((found.place, "the file gets them here"),)
    program, lacking = found.program, _list(missing)
    if service.cap_drop and (
        ALL in {canonical(one.text) for one in service.cap_drop} or missing & {canonical(one.text) for one in service.cap_drop}
    ):
        yield at(_dropping(service, missing), related=related, program=program, missing=lacking)
    else:
        yield Match(service.place.span, {"program": program, "missing": lacking}, related, file=service.place.file)


def _no_new_privileges(service: Service) -> "Setting[str] | None":
    """Return the option that switches no-new-privileges on."""
    if not service.security_opt or not in_force(service, "security_opt"):
        return None
    from hardener.rules.checks.service.capabilities import TRUE, last_option

    found = last_option(service, "no-new-privileges")
    return found[0] if found is not None and (found[1] is None or found[1] in TRUE) else None


def lost_capabilities(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS653: a file capability that a process that is not root does not get with no-new-privileges."""
    option = _no_new_privileges(service)
    if option is None:
        return
    account = runs_as(service, context)
    if account is UNKNOWN or account.is_root:
        return
    found = _file_capabilities(service, context)
    if found is None:
        return
    host = service.network_mode is not None and service.network_mode.value == "host" and in_force(service, "network_mode")
    # Docker lets everybody open low ports in a network namespace of its own.
    names = found.names if host or is_podman(service) else found.names - {"NET_BIND_SERVICE"}
    if names:
        related = () if found.place is None else ((found.place, "the file gets them here"),)
        yield at(option, related=related, program=found.program, missing=_list(names))


_SETUID_PROGRAMS: Final = frozenset({"sudo", "su", "doas", "pkexec", "sudoedit", "newgrp"})
_AT_START: Final = Pattern(r"(?:^|[;&|(]|&&|\|\|)\s*(?:exec\s+)?(?:/usr)?(?:/s?bin/)?(sudo|su|doas|pkexec)\s")


def useless_sudo(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS654: sudo or su in a service that has no-new-privileges and is not root anyway."""
    option = _no_new_privileges(service)
    if option is None:
        return
    account = runs_as(service, context)
    if account is UNKNOWN or account.is_root:
        return
    for program, place in _setuid_uses(service, context):
        yield Match(place.span, {"program": program}, ((option.place, "no-new-privileges is set here"),), file=place.file)
        return


def _setuid_uses(service: Service, context: ServiceContext) -> Iterator[tuple[str, Place]]:
    lines: list[Words | None] = [service.entrypoint, service.command]
    if service.healthcheck is not None:
        lines.append(service.healthcheck.test)
    lines += [hook.command for hook in service.hooks if hook.user is None]
    for words in lines:
        for index, word in enumerate(() if words is None else words.words):
            name = posixpath.basename(word.text)
            if index == 0 and name in _SETUID_PROGRAMS:
                yield name, word.place
            elif " " in word.text and (match := _AT_START.search(word.text)):
                at_ = word.place.text.find(match[1])
                start = word.place.span.start + at_
                place = word.place if at_ < 0 else Place(word.place.file, Span(start, start + len(match[1])))
                yield match[1], place
    stage = context.stage_of(service)
    if stage is None or service.entrypoint is not None:
        return
    for key in ("ENTRYPOINT", "CMD"):
        instruction = stage.effective.get(key)
        if instruction is None or (key == "CMD" and service.command is not None) or instruction.script is None:
            continue
        for command in instruction.script.commands:
            first = command.words[0] if command.words else None
            if first is not None and posixpath.basename(first.text) in _SETUID_PROGRAMS:
                yield posixpath.basename(first.text), Place(stage.document.file, first.span)


# --- file systems -------------------------------------------------------------------------------------------------------------


def _normal(path: str) -> str:
    """Return a path without `.` and `..`; /var/run is a link to /run in every image that matters."""
    path = posixpath.normpath(path)
    if path == "/var/run" or path.startswith("/var/run/"):
        return path[4:]
    return path


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _mounted(service: Service) -> list[str] | None:
    """Return where volumes, binds and tmpfs of a service lie; None when a variable decides one of them."""
    found = []
    for mount in service.mounts:
        if mount.target is UNKNOWN or HOLE in mount.target:
            return None
        found.append(_normal(mount.target))
    return None if service.volumes_from or service.open_ended else found


_OTHER_SETTINGS: Final = frozenset({"-c", "-f", "--config", "--defaults-file", "--defaults-extra-file"})


def _moved(service: Service, known: Workload, mounted: list[str]) -> bool:
    """Whether a mounted configuration may move the paths that an image writes to."""
    targets = [*mounted, *(_normal(config.target or f"/{config.source}") for config in service.configs)]
    return any(_is_within(target, path) or _is_within(path, target) for target in targets for path in known.settings)


def _unwritable(service: Service, context: ServiceContext, *, owned: bool) -> tuple[str, list[str]] | None:
    """Return the image of a service, and the paths that it writes to and nothing is mounted on."""
    start = _start(service, context)
    if start is None:
        return None
    known = workload(start.name, start.tag)
    if known is None or not known.writes or (owned and not known.owned):
        return None
    mounted = _mounted(service)
    words = _runs_its_own(service, start, known.programs)
    if mounted is None or words is None or _moved(service, known, mounted):
        return None
    if any("socket" in word or "tmpdir" in word or "pid" in word for word in words):
        return None
    if known.settings and not _OTHER_SETTINGS.isdisjoint(words):
        return None
    if start.stage is not None and _touches(start.stage, known):
        return None
    paths = [path for path in known.writes if not any(_is_within(path, target) or _is_within(target, path) for target in mounted)]
    return (start.name, paths) if paths else None


def _touches(stage: "Stage", known: Workload) -> bool:
    """Whether a Dockerfile changes the configuration or the folders of the image it is built on."""
    text = stage.document.file.text
    return any(posixpath.basename(path) in text for path in (*known.settings, *known.writes)) or "sed " in text or "VOLUME" in text


def read_only_writer(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS655: a read-only root file system under an image that writes to it."""
    if service.read_only is None or not is_on(service.read_only):
        return
    found = _unwritable(service, context, owned=False)
    if found is not None:
        yield at(service.read_only, image=found[0], paths=" and ".join(found[1]))


def foreign_user(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS656: a user that is not root in an image whose folders only root may write to."""
    if service.user is None:
        return
    account = runs_as(service, context)
    if account is UNKNOWN or account.is_root or account.source != "service":
        return
    found = _unwritable(service, context, owned=True)
    if found is not None:
        yield at(service.user, image=found[0], paths=" and ".join(found[1]), user=account.name)


def noexec_program(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS657: programs are started from a tmpfs that is mounted noexec, which is the default."""
    folders = [mount for mount in service.mounts if mount.type == "tmpfs" and mount.target is not UNKNOWN and "exec" not in mount.options]
    if not folders or any(HOLE in option for mount in folders for option in mount.options):
        return
    for mount in folders:
        target = _normal(str(mount.target))
        if target == "/run" and _has_s6(service, context):
            yield Match(
                mount.place.span,
                {"path": target, "what": "s6-overlay, the init of this image, starts its programs from /run"},
                file=mount.place.file,
            )
    words = [word for line in (service.entrypoint, service.command) if line is not None for word in line.words[:1]]
    for word in words:
        for mount in folders:
            if (
                word.text.startswith("/")
                and HOLE not in word.text
                and _is_within(_normal(word.text), _normal(str(mount.target)))
                and not _is_mounted_over(service, mount, _normal(word.text))
            ):
                values = {"path": _normal(str(mount.target)), "what": f"{word.text} is to be started from there"}
                yield Match(mount.place.span, values, ((word.place, "the program"),), file=mount.place.file)


def _is_mounted_over(service: Service, folder: Mount, path: str) -> bool:
    """Whether another mount puts a path into a folder, so that the options of that one count."""
    inner = [mount for mount in service.mounts if mount is not folder and mount.target is not UNKNOWN and mount.type != "tmpfs"]
    return any(
        _is_within(path, _normal(str(mount.target)))
        for mount in inner
        if _is_within(_normal(str(mount.target)), _normal(str(folder.target)))
    )


def _has_s6(service: Service, context: ServiceContext) -> bool:
    start = _start(service, context)
    if start is not None:
        return has_s6_overlay(start.name)
    stage = context.stage_of(service)
    if stage is None or service.entrypoint is not None:
        return False
    words = _words_of(stage.effective["ENTRYPOINT"]) if "ENTRYPOINT" in stage.effective else None
    return words == ["/init"] and "s6-overlay" in stage.document.file.text


def copied_into_read_only(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS658: compose has to write a config or secret into a root file system that is read-only.

    Source: injectFileReferences in docker compose's pkg/compose/secrets.go.
    """
    if service.origin != "compose" or service.read_only is None or not is_on(service.read_only):
        return
    project: Project = context.project
    for kind, grants, resources in (("config", service.configs, project.configs), ("secret", service.secrets, project.secrets)):
        for grant in grants:
            source = _inline(resources.get(grant.source))
            if source is not None:
                yield Match(
                    grant.place.span,
                    {"kind": kind, "name": grant.source, "how": source[0]},
                    ((service.read_only.place, "the service is read-only"), (source[1].key, "it is no file")),
                    file=grant.place.file,
                )


def _inline(resource: Resource | None) -> "tuple[str, Setting[str]] | None":
    """Return the setting that gives a config or secret its content without a file."""
    if resource is None or resource.external is not False:
        return None
    for key in ("content", "environment"):
        setting = resource.settings.get(key)
        if setting is not None and setting.text:
            return key, setting
    return None


# --- ports --------------------------------------------------------------------------------------------------------------------

_FIRST_PORT: Final = "net.ipv4.ip_unprivileged_port_start"
_WEB: Final = {"nginx": 80, "httpd": 80, "caddy": 80}


def low_port(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS659: a port below 1024 for a process that is not root and may not open one.

    Docker sets `net.ipv4.ip_unprivileged_port_start=0` in the network namespaces that it makes (moby's daemon/oci_linux.go), so this
    happens only on the host's network, with Podman, or where the sysctl is set back.
    """
    account = runs_as(service, context)
    if account is UNKNOWN or account.is_root or account.steps_down:
        return
    where = _low_ports_guarded(service)
    if where is None:
        return
    if _file_capabilities(service, context) is not None:
        return
    ports: list[tuple[int, Place]] = []
    if where[0] == "the host's network":
        ports = [(port, place) for port, place in _exposed_ports(service, context) if port < 1024]
    else:
        for port in service.ports:
            if port.target is not UNKNOWN and port.target.isdecimal() and int(port.target) < 1024:
                ports.append((int(port.target), port.place))
    for number, place in ports[:1]:
        name = account.name or "the image's user"
        related = () if where[1] is None else ((where[1], where[0]),)
        yield Match(place.span, {"port": str(number), "user": name, "where": where[0]}, related, file=place.file)


def _low_ports_guarded(service: Service) -> tuple[str, Place | None] | None:
    """Return why ports below 1024 need a capability; None when they do not, or when that is not known."""
    mode = service.network_mode
    for sysctl in service.sysctls:
        if sysctl.name == _FIRST_PORT:
            text = "" if sysctl.value is None or sysctl.value.known is None else sysctl.value.known.strip()
            if not text.isdecimal() or int(text) < 1024 or sysctl.value is None:
                return None
            return f"{_FIRST_PORT}={text}", sysctl.value.place
    if mode is not None and in_force(service, "network_mode"):
        return ("the host's network", mode.place) if mode.value == "host" else None
    return ("podman's default", None) if is_podman(service) else None


def _exposed_ports(service: Service, context: ServiceContext) -> Iterator[tuple[int, Place]]:
    """Yield the ports that a service is known to open, and where that is said."""
    for setting in service.expose:
        if setting.text.isdecimal():
            yield int(setting.text), setting.place
    stage = context.stage_of(service)
    if stage is not None:
        for instruction in stage.instructions:
            if instruction.name == "EXPOSE":
                for word in instruction.words:
                    number = word.text.partition("/")[0]
                    if number.isdecimal() and service.user is not None:
                        yield int(number), service.user.place
        return
    reference = image_of(service)
    if not isinstance(reference, Reference) or service.user is None or service.mounts or service.configs:
        return
    if reference.name in _WEB and service.command is None and service.entrypoint is None:
        yield _WEB[reference.name], service.user.place


CHECKS: Final[Mapping[str, Check]] = {
    "HS651": no_setuid,
    "HS652": refused_program,
    "HS653": lost_capabilities,
    "HS654": useless_sudo,
    "HS655": read_only_writer,
    "HS656": foreign_user,
    "HS657": noexec_program,
    "HS658": copied_into_read_only,
    "HS659": low_port,
}
