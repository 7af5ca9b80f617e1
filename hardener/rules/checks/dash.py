"""The check on scripts for bash that dash reads, which is /bin/sh in Debian, Ubuntu and most official images."""

from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.starts import lineage_of, root_image
from hardener.sources.commands import is_windows, shell_words
from hardener.sources.instructions import Instruction
from hardener.sources.shell import Command
from hardener.sources.stages import ImageReference, Stage
from hardener.text import Pattern

# Debian's dash knows pipefail from trixie on, Ubuntu's from 24.10 on.
_OLD_CODENAMES: Final = Pattern(
    r"(?:.*-)?(?:squeeze|wheezy|jessie|stretch|buster|bullseye|bookworm|precise|trusty|xenial|bionic|focal|jammy|noble)(?:-.*)?"
)
_RELEASE: Final = Pattern(r"(\d+)(?:\.(\d+))?(?:[.-].*)?")
_LAST_DEBIAN: Final = (12, 99)
_LAST_UBUNTU: Final = (24, 4)
# Official images that are Debian or Ubuntu unless their tag says otherwise.
_DEBIAN_BASED: Final = frozenset({
    "debian", "ubuntu", "buildpack-deps", "node", "python", "pypy", "ruby", "golang", "php", "perl", "rust", "nginx", "httpd", "redis",
    "postgres", "mariadb", "haskell", "elixir", "erlang", "gcc", "julia", "wordpress", "drupal", "joomla", "nextcloud", "memcached",
    "haproxy", "influxdb", "jenkins/jenkins",
})  # fmt: skip
_ANOTHER_SYSTEM: Final = Pattern(r"alpine|ubi|oracle|centos|fedora|windows|nanoserver|rocky|alma|rhel")
_NEEDLES: Final = ("source", "pushd", "popd", "shopt", "declare", "let ", "mapfile", "readarray", "pipefail", "echo -", "[[")
_BASH_ONLY: Final = frozenset({"source", "pushd", "popd", "shopt", "declare", "let", "mapfile", "readarray", "[["})
_ECHO_FLAGS: Final = Pattern(r"-[neE]*[eE][neE]*")
_OTHER_SH: Final = Pattern(
    r"dpkg-reconfigure|(?:ln|mv|cp)[^\n&;|]*/bin/sh\b|update-alternatives[^\n&;|]*/bin/sh\b|(?:/bin/sh|bin/bash).*\bln\b"
)


def bash_in_dash(stage: Stage, context: Context) -> Iterator[Match]:
    """HD908: what only bash understands, read by the dash that is /bin/sh in Debian and Ubuntu."""
    if is_windows(stage.origin):
        return
    image: ImageReference | None = None
    replaced: bool | None = None
    for outer in stage.instructions:
        instruction = outer.trigger or outer
        if instruction.name not in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "SHELL"):
            continue
        if image is None:
            image = root_image(stage)
            if not _is_debian(image):
                return
        if _may_hold_bash(instruction):
            if replaced is None:
                replaced = _replaces_sh(stage)
            if replaced:
                return
            yield from _bash_words(instruction, image)


def _may_hold_bash(instruction: Instruction) -> bool:
    if instruction.name == "SHELL":
        return "pipefail" in instruction.text
    script = instruction.script
    if script is None:
        return False
    text = script.view.text
    return any(needle in text for needle in _NEEDLES)


def _is_debian(image: ImageReference) -> bool:
    if image.name not in _DEBIAN_BASED:
        return False
    tag = image.tag
    if isinstance(tag, str):
        return not _ANOTHER_SYSTEM.search(tag)
    return tag is None or image.name in ("debian", "ubuntu")


def _replaces_sh(stage: Stage) -> bool:
    for ancestor in lineage_of(stage):
        for instruction in ancestor.instructions:
            if instruction.name == "RUN" and "sh" in instruction.text and _OTHER_SH.search(instruction.text):
                return True
    return False


def _lacks_pipefail(image: ImageReference) -> bool:
    tag = image.tag
    if not isinstance(tag, str):
        return False
    if _OLD_CODENAMES.fullmatch(tag):
        return True
    match = _RELEASE.fullmatch(tag)
    if match is None or image.name not in ("debian", "ubuntu"):
        return False
    release = (int(match[1][:4]), int((match[2] or "0")[:4]))
    return release <= (_LAST_DEBIAN if image.name == "debian" else _LAST_UBUNTU)


def _is_sh(path: str) -> bool:
    return path in ("sh", "dash", "/bin/sh", "/bin/dash", "/usr/bin/sh", "/usr/bin/dash")


def _bash_words(instruction: Instruction, image: ImageReference) -> Iterator[Match]:
    if instruction.name == "SHELL":
        words = instruction.json or ()
        if words and _is_sh(words[0].text) and _lacks_pipefail(image):
            for item in words:
                if item.text == "pipefail":
                    yield Match(item.span, {"what": "dash has no pipefail", "image": image.raw})
        return
    script = instruction.script
    if script is None or (script.dialect == "sh" and not _is_sh(shell_words(instruction)[0])):
        return
    commands = [command for command in script.commands if command.script.dialect == "sh"]
    # `(set -o pipefail) && …` asks first; and a function may be called like one of bash's commands.
    is_asked = any(command.name == "set" and "subshell" in command.scope for command in commands)
    for command in commands:
        word = command.name_word
        name = command.name
        if word is None or command.prefixes:
            continue
        if name in _BASH_ONLY and word.text == name:
            yield Match(word.span, {"what": f"dash has no {name}", "image": image.raw})
        elif word.text == "echo" and command.args and _ECHO_FLAGS.fullmatch(command.args[0].text) and _is_kept(command):
            flag = command.args[0]
            yield Match(flag.span, {"what": f"dash's echo writes {flag.text} into the output", "image": image.raw})
        elif name == "set" and not is_asked and _lacks_pipefail(image):
            for one in command.args:
                if one.text == "pipefail":
                    yield Match(one.span, {"what": "dash has no pipefail", "image": image.raw})


def _is_kept(command: Command) -> bool:
    """Whether a command's output goes into a file, a pipe or a variable."""
    if "substitution" in command.scope or command.redirects:
        return True
    node: Command | None = command
    while node is not None:
        if node.redirects or node.pipeline.commands[-1] is not node:
            return True
        node = node.enclosing
    return False


CHECKS: Final[Mapping[str, Check]] = {"HD908": bash_in_dash}
