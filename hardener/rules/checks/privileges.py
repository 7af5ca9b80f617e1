"""Checks on what an image lets a process do: file modes, sudo, passwords of accounts, the host's sockets and directories."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.record import NamedTuple
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.fetches import upstream
from hardener.rules.reading import commands_of, known, normal_path, partial, shell_view
from hardener.sources.instructions import Instruction
from hardener.sources.options import Flag, options
from hardener.sources.programs import base_name
from hardener.sources.shell import Command, Word
from hardener.sources.stages import Stage, stage_named
from hardener.text import Pattern, Span

# --- modes ------------------------------------------------------------------------------------------------------------------


class Mode(NamedTuple):
    """What of a file mode matters here."""

    world_writable: bool
    setuid: bool
    setgid: bool


class ModeUse(NamedTuple):
    """A mode that an instruction gives to files: as written, where, and to which paths."""

    text: str
    span: Span
    targets: tuple[str, ...]


_OCTAL: Final = Pattern(r"[=+]?0*([0-7]{1,5})")
_CLAUSE: Final = Pattern(r"([ugoa]*)((?:[-+=][rwxXstugo]*)+)")
_ACTION: Final = Pattern(r"([-+=])([rwxXstugo]*)")
_MODE_TOOLS: Final = frozenset({"chmod", "mkdir", "install"})
_BINARY_FOLDER: Final = Pattern(r"/s?bin/|/libexec/")


def read_mode(text: str) -> Mode | None:
    """Return what an octal or symbolic mode grants, or None for a text that is no mode.

    A sticky directory that all may write to, as /tmp is, does not count as world-writable; nor does `+w`, which the umask limits.
    """
    octal = _OCTAL.fullmatch(text)
    if octal is not None:
        value = int(octal[1], 8)
        return Mode(value & 0o1002 == 0o002, bool(value & 0o4000), bool(value & 0o2000))
    writable = setuid = setgid = sticky = False
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            return None
        who = match[1]
        for action in _ACTION.finditer(match[2]):
            operator, bits = action.groups()
            on = operator != "-"
            if "o" in who or "a" in who:
                writable = on if "w" in bits else writable and operator != "="
            if "s" in bits:
                setuid = on if not who or "u" in who or "a" in who else setuid
                setgid = on if not who or "g" in who or "a" in who else setgid
            if "t" in bits:
                sticky = on
    return Mode(writable and not sticky, setuid, setgid)


def modes(instruction: Instruction) -> Iterator[ModeUse]:
    """Yield every mode that a COPY, ADD or RUN sets and that the file decides."""
    if instruction.name in ("COPY", "ADD"):
        flag = instruction.flag("chmod")
        if flag is not None and flag.value and "$" not in flag.value:
            yield ModeUse(flag.value, flag.value_span, tuple(word.text for word in instruction.words[-1:]))
        return
    for command in commands_of(instruction, _MODE_TOOLS):
        found = options(command)
        if found.program == "chmod":
            operands = found.operands
            if operands and operands[0].static and not found.has("--reference"):
                yield ModeUse(operands[0].text, operands[0].span, tuple(word.text for word in operands[1:]))
        else:
            option = found.flag("-m", "--mode")
            if option is not None and _is_literal(option):
                yield ModeUse(option.value or "", option.span, tuple(word.text for word in found.operands))


def _is_literal(flag: Flag) -> bool:
    return flag.value_word is not None and flag.value_word.static


def world_writable(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD207: a mode that lets every user of the container write."""
    for use in modes(instruction):
        mode = read_mode(use.text)
        if mode is not None and mode.world_writable and not all(path.startswith("/dev/") for path in use.targets or ("",)):
            yield Match(use.span, {"mode": use.text, "target": " ".join(use.targets) or "files"})


def setuid_bit(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD208: a program gets the setuid bit, or the setgid bit where programs live (on a directory it only passes the group on)."""
    for use in modes(instruction):
        mode = read_mode(use.text)
        if mode is None:
            continue
        if mode.setuid or (mode.setgid and any(_BINARY_FOLDER.search(path) for path in use.targets)):
            bit = "setuid" if mode.setuid else "setgid"
            yield Match(use.span, {"bit": bit, "target": " ".join(use.targets) or "files"})


# --- sudo -------------------------------------------------------------------------------------------------------------------

_RAISERS: Final = frozenset({"sudo", "doas"})
_NOPASSWD: Final = Pattern(r"\bNOPASSWD\b")


def sudo(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD204: a command runs through sudo or doas."""
    view = shell_view(instruction)
    script = instruction.script
    if view is None or script is None or ("sudo" not in view.text and "doas" not in view.text):
        return
    seen: set[Span] = set()
    for command in script.commands:
        if command.name in _RAISERS or not _RAISERS.isdisjoint(command.prefixes):
            word = next((word for word in command.words if base_name(word) in _RAISERS), None)
            if word is not None and word.span not in seen:
                seen.add(word.span)
                yield Match(word.span, {"program": base_name(word)})


def passwordless_sudo(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD205: NOPASSWD is written in a RUN, or in a file that a COPY or ADD carries in a heredoc."""
    views = [shell_view(instruction)] if instruction.name == "RUN" else [heredoc.body for heredoc in instruction.heredocs]
    for view in views:
        if view is not None and "NOPASSWD" in view.text:
            for match in _NOPASSWD.finditer(view.text):
                line = view.text[view.text.rfind("\n", 0, match.start()) + 1 : match.start()]
                if not line.lstrip().startswith("#"):
                    yield Match(view.span(*match.span()))


# --- passwords of accounts --------------------------------------------------------------------------------------------------

_PRINTERS: Final = frozenset({"echo", "printf", "print"})
_PASSWORD_TOOLS: Final = frozenset({"chpasswd", "passwd", "useradd", "usermod"})
_ENTRY: Final = Pattern(r"(?<![\w.-])([A-Za-z_][\w.-]*):([^\s:\\]+)")
_LOCKED: Final = Pattern(r"[!*x]+|locked")
_VARIABLE: Final = Pattern(r"[$`]|^<.*>$|^\{\{|%s")


def account_password(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD206: an account gets a password that stands in the file, or an empty one."""
    for command in commands_of(instruction, _PASSWORD_TOOLS):
        match command.name:
            case "chpasswd":
                yield from _piped_entries(command)
            case "passwd":
                yield from _passwd(command)
            case _:
                flag = options(command).flag("-p", "--password")
                if flag is not None and _is_literal(flag) and not _LOCKED.fullmatch(flag.value or ""):
                    yield Match(flag.span, _account(command, "a password hash" if flag.value else "an empty password"))


def _unclear(text: str) -> bool:
    return bool(_VARIABLE.search(text) or _LOCKED.fullmatch(text))


def _account(command: Command, what: str) -> dict[str, str]:
    operands = options(command).operands
    return {"user": operands[-1].text if operands else "root", "what": what}


def _piped_entries(command: Command) -> Iterator[Match]:
    """Yield each `user:password` that reaches chpasswd."""
    for word in _printed(command):
        if word.static or "$" in word.text:
            for entry in _ENTRY.finditer(word.text):
                if not _unclear(entry[2]):
                    yield Match(word.part(*entry.span(2)), {"user": entry[1], "what": "a password"})
    for redirect in command.redirects:
        if redirect.body is not None:
            for entry in re.finditer(r"(?m)^([A-Za-z_][\w.-]*):([^\s:]+)$", redirect.body.text):
                if not _unclear(entry[2]):
                    yield Match(redirect.body.span(*entry.span(2)), {"user": entry[1], "what": "a password"})


def _printed(command: Command) -> Iterator[Word]:
    """Yield the words that echo and printf send to a command's standard input, and those of a here-string."""
    for source in upstream(command):
        if source.name in _PRINTERS:
            yield from (word for word in source.args if not word.text.startswith("-"))
    for redirect in command.redirects:
        if redirect.operator == "<<<" and redirect.target is not None:
            yield redirect.target


def _passwd(command: Command) -> Iterator[Match]:
    """Yield `passwd --delete`, and the first word that is piped into passwd."""
    flag = options(command).flag("-d", "--delete")
    if flag is not None:
        yield Match(flag.span, _account(command, "an empty password"))
        return
    for word in _printed(command):
        if word.static and word.text.strip("\\n") and not _unclear(word.text):
            yield Match(word.span, _account(command, "a password"))
            return


# --- sockets and directories of the host ------------------------------------------------------------------------------------

_SOCKET: Final = Pattern(r"(?:^|/)(?:docker|containerd|crio|cri-dockerd|dockershim|podman|buildkitd)\.sock(?:$|[:/])")
_HOST_TREES: Final = ("/proc", "/sys", "/dev", "/boot")
_SYSTEM_FOLDERS: Final = frozenset(
    {"/", "/bin", "/etc", "/lib", "/lib64", "/sbin", "/usr", "/usr/bin", "/usr/lib", "/usr/local/bin", "/usr/sbin", "/var", "/lib/modules"}
)
_PSEUDO_FOLDERS: Final = ("/proc", "/sys", "/dev", "/boot", "/initrd", "/lost+found")


def _inside(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def socket_volume(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD212: VOLUME, COPY or ADD names the socket of a container runtime."""
    for word in instruction.words:
        if ".sock" in word.raw or "$" in word.raw:
            text = partial(word, instruction)
            if _SOCKET.search(text):
                yield Match(word.span, {"path": text})


def system_volume(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD213: VOLUME covers a directory that belongs to the host's kernel or to the system."""
    for word in instruction.words:
        text = known(word, instruction)
        if text is not None and text.startswith("/"):
            path = normal_path(text)
            if path in _SYSTEM_FOLDERS or _inside(path, _HOST_TREES):
                yield Match(word.span, {"path": path})


def system_workdir(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD214: WORKDIR lies in a file system that the kernel provides, or in the boot files."""
    for word in instruction.words:
        text = known(word, instruction)
        if text is not None and _inside(normal_path(text), _PSEUDO_FOLDERS):
            yield Match(word.span, {"path": text})


def whole_file_system(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD222: `COPY --from=stage / /`. An image from elsewhere may hold one program."""
    words = instruction.words
    stage = instruction.flag("from")
    if stage is None or len(words) != 2 or instruction.flag("exclude") is not None:
        return
    other = stage_named(instruction.document, stage.value or "", instruction.stage)
    if other is None or not other.instructions or other.root.image.is_scratch:
        return  # an image from elsewhere under another name, or what was put together on purpose
    source, target = (known(word, instruction) for word in words)
    if source is not None and target is not None and normal_path(source) in ("/", ".", "./", "/*") and normal_path(target) == "/":
        yield Match(Span(words[0].span.start, words[1].span.end), {"stage": stage.value or "the other stage"})


# --- tools that help an intruder --------------------------------------------------------------------------------------------

_INSTALLERS: Final = frozenset({"apt-get", "apt", "aptitude", "apk", "yum", "dnf", "microdnf", "tdnf", "zypper"})
_REMOVERS: Final = frozenset({"remove", "purge", "autoremove", "del", "erase"})
_RISKY_BY_USE: Final = {
    "fetches files": "curl wget aria2 ftp lftp tftp axel",
    "opens connections": "netcat netcat-openbsd netcat-traditional nc ncat nmap-ncat socat telnet inetutils-telnet busybox-extras",
    "scans networks": "nmap masscan hping3 arp-scan dsniff",
    "reads other processes' traffic": "tcpdump tshark wireshark ngrep",
    "reads other processes' memory": "strace ltrace gdb gdbserver lldb",
    "logs in elsewhere": "openssh-server openssh openssh-client openssh-clients ssh sshpass rsh-client dropbear",
    "raises privileges": "sudo doas",
    "is for people at a terminal": "vim vim-tiny nano emacs nvi less man-db",
}
_RISKY: Final = {package: use for use, packages in _RISKY_BY_USE.items() for package in packages.split()}


def risky_tools(stage: Stage, context: Context) -> Iterator[Match]:
    """HD221: the final stage installs programs that mostly an intruder needs, and neither removes nor visibly uses them."""
    if not stage.is_final:
        return
    used = " ".join(
        instruction.text for name in ("CMD", "ENTRYPOINT", "HEALTHCHECK") if (instruction := stage.effective.get(name)) is not None
    )
    for ancestor in stage.lineage():
        for instruction in ancestor.instructions:
            if instruction.name == "RUN":
                yield from _installed_tools(instruction, used)


def _installed_tools(instruction: Instruction, used: str) -> Iterator[Match]:
    found: list[tuple[str, Word]] = []
    removed: set[str] = set()
    for command in commands_of(instruction, _INSTALLERS):
        arguments = options(command)
        words = [word for word in arguments.operands if word.static]
        if arguments.subcommand in ("install", "add"):
            if not (arguments.program == "apk" and arguments.has("-t", "--virtual")):
                found += [(re.split(r"[=<>~:]", word.text, maxsplit=1)[0], word) for word in words]
        elif arguments.subcommand in _REMOVERS:
            removed.update(word.text for word in words)
    for name, word in found:
        if name in _RISKY and name not in removed and not re.search(rf"\b{re.escape(name)}\b", used):
            yield Match(word.span, {"package": name, "use": _RISKY[name]})


CHECKS: Final[Mapping[str, Check]] = {
    "HD204": sudo,
    "HD205": passwordless_sudo,
    "HD206": account_password,
    "HD207": world_writable,
    "HD208": setuid_bit,
    "HD212": socket_volume,
    "HD213": system_volume,
    "HD214": system_workdir,
    "HD221": risky_tools,
    "HD222": whole_file_system,
}
