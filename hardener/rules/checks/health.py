"""Checks on HEALTHCHECK: whether a service has one, whether it can work, and whether it and EXPOSE agree on the port."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.known_images import exposes_nothing
from hardener.rules.reading import known, normal_path
from hardener.rules.starts import SHELLS, brings_health_check, lineage_of, root_image, runs_on_windows, service, starts_something
from hardener.sources.instructions import Instruction
from hardener.sources.options import options
from hardener.sources.shell import Command
from hardener.sources.stages import ImageReference, Stage
from hardener.text import Pattern, Span

_NONE: Final = Pattern(r"none(?=\s|$)", re.IGNORECASE)

# Programs that a check may call and that minimal images lack.
_FROM_OUTSIDE: Final = frozenset({"curl", "wget", "nc", "netcat", "ncat", "httpie", "http"})
_FROM_ANY_SYSTEM: Final = _FROM_OUTSIDE | SHELLS | {"ps", "pgrep", "pidof", "grep", "cat", "ls", "stat", "test", "[", "ss", "netstat"}
_DISTROLESS: Final = Pattern(r"gcr\.io/distroless/.*|cgr\.dev/chainguard/static")
_BARE_DEBIAN: Final = frozenset({"debian", "ubuntu"})
_WITH_VARIANTS: Final = frozenset({"node", "python", "ruby"})
# Commands after which a system has the programs that it had before, whatever their arguments.
_HARMLESS: Final = frozenset({
    "mkdir", "rmdir", "rm", "cp", "mv", "ln", "touch", "chmod", "chown", "chgrp", "cd", "set", "export", "echo", "printf", "cat", "sed",
    "grep", "awk", "true", "false", "test", "[", "[[", ":", "adduser", "addgroup", "useradd", "groupadd", "usermod", "userdel", "deluser",
    "groupmod", "ldconfig", "find", "xargs", "ls", "pwd", "date", "npm", "npx", "yarn", "pnpm", "corepack", "node", "pip", "poetry",
    "pipenv", "uv", "python", "bundle", "gem", "bundler", "go", "cargo", "mvn", "gradle", "dotnet", "tar", "unzip", "gunzip", "sleep",
    "exit", "umask", "unset", "id", "uname", "locale-gen", "update-ca-certificates", "dpkg-reconfigure", "update-locale", "setcap",
})  # fmt: skip
_INSTALLERS: Final = frozenset({"apt-get", "apt", "apk"})
_SYSTEM_FOLDERS: Final = frozenset({
    "/", "/bin", "/sbin", "/usr", "/usr/bin", "/usr/sbin", "/usr/local", "/usr/local/bin", "/usr/local/sbin",
})  # fmt: skip
_FILE: Final = Pattern(r"[^/.]\.[A-Za-z0-9]+$")
_GIVING_UP: Final = frozenset({"exit", "false", "true", "echo", "kill", "return", ":"})

_LOOPBACK: Final = Pattern(r"(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?::(\d{1,5}))?(?=[/?#\s\"']|$)")
_LISTENING: Final = Pattern(
    r"(?:--(?:server[.-])?port=|-Dserver\.port=|(?:--(?:bind|listen|addr|address|host)=)?(?:0\.0\.0\.0|\[::\]):)(\d{2,5})$"
)
_PORT_OPTIONS: Final = frozenset({"--port", "--server.port", "--http-port"})


def no_health_check(stage: Stage, context: Context) -> Iterator[Match]:
    """HD701: the final stage is a service and nothing in its line has a HEALTHCHECK."""
    if not stage.is_final or "HEALTHCHECK" in stage.effective:
        return
    what = service(stage)
    if what is None or brings_health_check(root_image(stage)):
        return
    triggers = (one.trigger for one in stage.instructions if one.trigger is not None)
    if not any(trigger.name == "HEALTHCHECK" for trigger in triggers):
        yield Match(stage.image.span, {"what": what})


def health_check_off(stage: Stage, context: Context) -> Iterator[Match]:
    """HD702: the HEALTHCHECK in force at the end is NONE."""
    instruction = stage.effective.get("HEALTHCHECK") if stage.is_final else None
    if instruction is not None:
        match = _NONE.match(instruction.text)
        if match is not None:
            yield Match(instruction.rest.span(0, match.end()), anchors=(stage.image.span,))


def tool_missing(stage: Stage, context: Context) -> Iterator[Match]:
    """HD719: the check calls a program that the image does not have, as far as the whole line of the stage tells."""
    instruction = stage.effective.get("HEALTHCHECK")
    if instruction is None or instruction.stage is not stage or instruction.script is None or runs_on_windows(stage):
        return
    image = root_image(stage)
    script = instruction.script
    if instruction.json is None and _is_bare(image):
        return  # the shell is missing already: another rule's finding
    pipelines = script.pipelines
    for pipeline in pipelines:
        if pipeline.operator == "||" and not all(command.name in _GIVING_UP for command in pipeline.commands):
            return  # there is a second try
    for command in script.commands:
        name = command.name
        word = command.name_word
        if (
            word is not None
            and "/" not in word.text
            and _lacks(image, name)
            and not any(_may_bring(one, name) for one in lineage_of(stage))
        ):
            label = "scratch" if image.is_scratch else image.raw
            yield Match(word.span, {"tool": name, "image": label})
            return


def _is_bare(image: ImageReference) -> bool:
    """Whether an image holds no system programs at all."""
    if image.is_scratch:
        return True
    tag = image.tag
    return (
        isinstance(image.name, str)
        and _DISTROLESS.fullmatch(image.name) is not None
        and (tag is None or (isinstance(tag, str) and "debug" not in tag))
    )


def _lacks(image: ImageReference, tool: str) -> bool:
    """Whether an image certainly comes without a program. Source: the official images' Dockerfiles, as of 2026."""
    if tool not in _FROM_ANY_SYSTEM:
        return False
    if _is_bare(image):
        return True
    name, tag = image.name, image.tag
    if tool not in _FROM_OUTSIDE or not isinstance(name, str):
        return False
    if name == "busybox":
        return tool == "curl"
    variant = tag if isinstance(tag, str) else ""
    if name == "alpine" or (name in _WITH_VARIANTS and "alpine" in variant):
        return tool == "curl"  # BusyBox has the others
    return name in _BARE_DEBIAN or (name in _WITH_VARIANTS and "slim" in variant)


def _may_bring(stage: Stage, tool: str) -> bool:
    """Whether anything in a stage could install a program."""
    workdir = stage.base is not None
    for instruction in stage.instructions:
        name = instruction.name
        if name == "WORKDIR":
            workdir = True
        elif name in ("COPY", "ADD"):
            if tool in instruction.text or _copies_system(instruction, has_workdir=workdir):
                return True
        elif name == "RUN":
            script = instruction.script
            if script is None or script.dialect not in ("sh", "bash", "exec") or tool in script.view.text:
                return True
            if not all(_is_harmless(command) for command in script.commands):
                return True
    return False


def _copies_system(instruction: Instruction, *, has_workdir: bool) -> bool:
    """Whether a COPY or ADD may put files into a folder of the system."""
    words = instruction.words
    if len(words) < 2:
        return True
    target = known(words[-1], instruction)
    if target is None:
        return True
    if not target.startswith("/"):
        if has_workdir:
            return False
        target = f"/{target}"
    if normal_path(target) not in _SYSTEM_FOLDERS:
        return False
    return not all(_FILE.search(word.text) for word in words[:-1])  # a file with an extension is no folder full of programs


def _is_harmless(command: Command) -> bool:
    found = options(command)
    if found.program in _INSTALLERS:
        return all(word.static for word in found.operands)
    return (found.program in _HARMLESS and not command.effective.codes) or (not command.name and not command.args)


def unexposed_port(stage: Stage, context: Context) -> Iterator[Match]:
    """HD718: the health check or the start command names a port that no EXPOSE has, in an image whose base exposes none."""
    name = root_image(stage).name
    if not stage.is_final or not isinstance(name, str) or not (name == "scratch" or exposes_nothing(name)):
        return
    if not starts_something(stage):
        return
    exposed: set[int] = set()
    for ancestor in lineage_of(stage):
        for instruction in ancestor.instructions:
            if instruction.name == "EXPOSE":
                for word in instruction.words:
                    text = known(word, instruction)
                    if text is None:
                        return
                    first, _, last = text.partition("/")[0].partition("-")
                    if not first.isdecimal() or (last and not last.isdecimal()):
                        return
                    exposed.update(range(int(first), min(int(last or first), 65_535) + 1))
    reported: set[int] = set()
    for name in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
        for port, span in _ports(stage.effective.get(name)):
            if port not in exposed and port not in reported and 0 < port <= 65_535:
                reported.add(port)
                yield Match(span, {"port": str(port)}, anchors=(stage.image.span,))


def _ports(instruction: Instruction | None) -> Iterator[tuple[int, Span]]:
    if instruction is None or instruction.script is None:
        return
    for command in instruction.script.commands:
        before = ""
        for word in command.words:
            text = word.text
            if instruction.name == "HEALTHCHECK":
                match = _LOOPBACK.search(text)
                if match is not None and not command.effective.codes:
                    if match[2]:
                        yield int(match[2]), word.part(*match.span(2))
                    else:
                        yield 443 if match[1] == "https" else 80, word.part(*match.span())
            elif before in _PORT_OPTIONS and text.isdecimal() and len(text) <= 5:
                yield int(text), word.span
            else:
                match = _LISTENING.match(text)
                if match is not None:
                    yield int(match[1]), word.part(*match.span(1))
            before = text


CHECKS: Final[Mapping[str, Check]] = {
    "HD701": no_health_check,
    "HD702": health_check_off,
    "HD718": unexposed_port,
    "HD719": tool_missing,
}
