"""Checks on programs in a RUN that have nothing to work on in a build, or nobody to work for."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.checks.shell_use import last_pipeline, top_script
from hardener.rules.context import Context
from hardener.sources.commands import Invocation
from hardener.sources.instructions import Instruction
from hardener.sources.options import options
from hardener.sources.shell import Command, Script
from hardener.text import Pattern

_STARTING: Final = frozenset({"start", "restart", "reload", "force-reload", "stop", "status", "condrestart"})
_SYSTEMCTL: Final = frozenset({
    "start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "status", "isolate", "daemon-reload", "daemon-reexec",
    "is-active", "reboot", "poweroff", "halt", "kill",
})  # fmt: skip
_ASKING: Final = frozenset({"--version", "-V", "-v", "--help", "-h"})
_NO_INIT: Final = "talks to an init system, and there is none in a build"
_ENDS_WITH_LAYER: Final = "starts a service that ends with this RUN; only files stay"
_ONLY_SHOWS: Final = "shows the state of the build container, which changes nothing in the image"
_NO_TERMINAL: Final = "waits for a person at a terminal, and a build has none"
_NOT_THE_NETWORK: Final = "changes the network of the build container, which is gone with this RUN"
_NOT_THE_KERNEL: Final = "changes the running kernel, not the image; a build may not do that"


class _Place:
    """A command and what its RUN is like."""

    __slots__ = ("command", "instruction", "is_last", "is_only")

    def __init__(self, command: Command, instruction: Instruction, script: Script) -> None:
        self.command = command
        self.instruction = instruction
        self.is_last = last_pipeline(script) is command.pipeline
        self.is_only = self.is_last and len(script.own) == 1

    def words(self) -> list[str]:
        return [word.text for word in self.command.args]

    def is_plain(self) -> bool:
        """Whether its output goes nowhere and its status decides nothing."""
        command = self.command
        return len(command.pipeline.commands) == 1 and not command.redirects and not command.scope


def _service(place: _Place) -> str:
    words = place.words()
    return _ENDS_WITH_LAYER if place.is_last and words and words[-1] in _STARTING else ""


def _systemctl(place: _Place) -> str:
    found = options(place.command)
    verb = found.subcommand or (found.operands[0].text if found.operands else "")
    return _NO_INIT if verb in _SYSTEMCTL and not found.has("--root", "--image") else ""


def _shutdown(place: _Place) -> str:
    if place.command.name in ("init", "telinit") and place.words() not in (["0"], ["6"], ["1"]):
        return ""
    return "stops or restarts a machine, which a container is not"


def _show(place: _Place) -> str:
    return _ONLY_SHOWS if place.is_plain() and not _ASKING.intersection(place.words()) else ""


def _monitor(place: _Place) -> str:
    words = place.words()
    if _ASKING.intersection(words):
        return ""
    if place.command.name != "watch" and any(word.startswith(("-b", "-n")) for word in words):
        return _show(place)
    return _NO_TERMINAL


def _kill(place: _Place) -> str:
    return "ends a process, and none of an earlier RUN is still there" if place.is_only and place.words() else ""


def _mount(place: _Place) -> str:
    flag = place.instruction.flag("security")
    if (flag is not None and flag.value == "insecure") or not options(place.command).operands:
        return ""
    return "mounts a file system, which a build may not do and an image cannot keep"


def _ssh(place: _Place) -> str:
    if any(mount.kind == "ssh" for mount in place.instruction.mounts) or not options(place.command).operands:
        return ""
    return "opens a session on another machine in the middle of a build"


def _editor(place: _Place) -> str:
    words = place.words()
    return "" if any(word.startswith(("-", "+")) for word in words) or not place.is_plain() else _NO_TERMINAL


def _sysctl(place: _Place) -> str:
    words = place.words()
    return _NOT_THE_KERNEL if any(word in ("-w", "-p", "--system", "--load") or ("=" in word and word[0] != "-") for word in words) else ""


def _module(place: _Place) -> str:
    return _NOT_THE_KERNEL if place.words() and not any(word in ("--version", "-V", "-n", "--dry-run") for word in place.words()) else ""


def _firewall(place: _Place) -> str:
    return _NOT_THE_NETWORK if any(word in ("-A", "-I", "-P", "-N", "add", "--append", "--insert") for word in place.words()) else ""


def _interface(place: _Place) -> str:
    words = [word for word in place.words() if word[:1] != "-"]
    if place.command.name == "ifconfig":
        return _NOT_THE_NETWORK if len(words) > 1 else _show(place)
    return _NOT_THE_NETWORK if len(words) > 1 and words[1] in ("add", "set", "del", "change", "replace") else ""


def _clock(place: _Place) -> str:
    return _NO_INIT if any(word.startswith("set-") for word in place.words()) else ""


_JUDGES: Final[Mapping[str, Callable[[_Place], str]]] = {
    **dict.fromkeys(("service", "rc-service", "invoke-rc.d", "initctl"), _service),
    "systemctl": _systemctl,
    **dict.fromkeys(("shutdown", "reboot", "halt", "poweroff", "telinit", "init"), _shutdown),
    **dict.fromkeys(("ps", "free", "uptime", "vmstat", "w", "who", "lsof", "dmesg"), _show),
    **dict.fromkeys(("top", "htop", "iotop", "watch"), _monitor),
    **dict.fromkeys(("kill", "killall", "pkill"), _kill),
    "mount": _mount,
    "ssh": _ssh,
    **dict.fromkeys(("vi", "vim", "nvim", "nano", "emacs", "less", "more", "man"), _editor),
    "sysctl": _sysctl,
    **dict.fromkeys(("modprobe", "insmod", "rmmod", "swapon", "swapoff"), _module),
    **dict.fromkeys(("iptables", "ip6tables", "nft"), _firewall),
    **dict.fromkeys(("ip", "ifconfig", "route"), _interface),
    **dict.fromkeys(("hostnamectl", "timedatectl", "localectl", "loginctl"), _clock),
}
_INIT_SCRIPT: Final = Pattern(r"/etc/(?:rc\.d/)?init\.d/[\w.-]+")


def pointless_command(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD904: a program that has nothing to work on in a build."""
    script = instruction.script
    if script is None or script.dialect in ("powershell", "cmd", "other"):
        return
    has_init_scripts = "/init.d/" in script.view.text
    own: Script | None = None
    for command in script.commands:
        judge = _JUDGES.get(command.name)
        word = command.name_word
        if word is None or (judge is None and not has_init_scripts):
            continue
        if has_init_scripts and _INIT_SCRIPT.fullmatch(word.text):
            judge = _service
        own = own or top_script(script)
        what = judge(_Place(command, instruction, own)) if judge is not None else ""
        if what:
            yield Match(word.span, {"program": command.name, "what": what})


_SH: Final = frozenset({"/bin/sh", "/usr/bin/sh"})
_SMALL_SHELLS: Final = frozenset({"busybox", "toybox", "dash", "ash", "busybox.static"})


def replaced_shell(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD905: /bin/sh is made another shell for everybody."""
    found = invocation.options
    operands = found.operands
    if not operands:
        return
    last = operands[-1]
    match invocation.name:
        case "ln" | "cp" | "mv":
            source = operands[0].text.rpartition("/")[2]
            if last.text in _SH and len(operands) > 1 and source not in _SMALL_SHELLS:
                yield Match(last.span, {"shell": source})
        case "dpkg-reconfigure":
            word = next((one for one in operands if one.text == "dash"), None)
            if word is not None:
                yield Match(word.span, {"shell": "bash"})
        case "update-alternatives":
            word = next((one for one in invocation.command.args if one.text in _SH), None)
            if word is not None and last is not word and any(one.text in ("--install", "--set") for one in invocation.command.args):
                yield Match(word.span, {"shell": "another shell"})


def instruction_in_run(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD907: a Dockerfile instruction that the shell takes for a program."""
    command = invocation.command
    word = command.name_word
    if word is not None and command.script.dialect in ("sh", "bash") and word.raw == command.name and not command.prefixes and command.args:
        yield Match(word.span, {"keyword": command.name, "instruction": invocation.instruction.name})


_SHELL_PROGRAMS: Final = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})
_LOGIN_FLAGS: Final = frozenset({"-l", "-i", "-e", "-x", "-s", "-u", "--login", "--interactive", "-"})
_SU_FLAGS: Final = frozenset({"-", "-l", "--login", "-m", "-p", "--preserve-environment", "-s", "--shell", "-g", "--group"})


def shell_without_command(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD909: a shell that is started to be typed into."""
    command = invocation.command
    word = command.name_word
    if word is None or "xargs" in command.prefixes:
        return
    node: Command | None = command
    while node is not None:
        if node.pipeline.commands[0] is not node or any(one.operator.startswith("<") for one in node.redirects):
            return  # its input is not the terminal
        node = node.enclosing
    if _waits_for_input(invocation):
        yield Match(word.span, {"program": command.name})


def _waits_for_input(invocation: Invocation) -> bool:
    command = invocation.command
    name = command.name
    words = [one.text for one in command.args]
    if name in _SHELL_PROGRAMS:
        return command.effective.reads_stdin and all(one.static for one in command.args) and set(words) <= _LOGIN_FLAGS
    found = invocation.options
    if name == "su":
        operands = [one for one in found.operands if one.text != "-"]
        return (
            command.effective.reads_stdin
            and len(operands) <= 1
            and all(one.static for one in command.args)
            and all(flag.name in _SU_FLAGS for flag in found.flags)
        )
    if name in ("sudo", "doas"):
        return bool(words) and any(one in ("-i", "-s", "--login", "--shell") for one in words) and not _after_options(command)
    if name == "newgrp":
        return True
    if name == "scl":
        return len(words) > 1 and words[0] == "enable" and words[-1] in _SHELL_PROGRAMS
    return name in ("poetry", "pipenv", "hatch") and words == ["shell"]


def _after_options(command: Command) -> bool:
    """Whether sudo is given anything but options (and the user behind -u)."""
    before = ""
    for word in command.args:
        if word.text[:1] != "-" and before not in ("-u", "-g", "--user", "--group"):
            return True
        before = word.text
    return False


_PROFILE: Final = Pattern(
    r"(?:.*/)?(?:\.(?:bash|zsh)rc|\.(?:bash_|z)?profile|\.bash_login|\.zshenv)|/etc/(?:profile|bash\.bashrc|bashrc|profile\.d/[\w.-]+)"
)
_SETS_VARIABLE: Final = Pattern(r"(?:^|[\s;\"'])(?:export\s+[A-Za-z_]\w*|PATH=|[A-Z_][A-Z0-9_]+=)")


def variable_in_profile(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD913: a variable is written into a file that only interactive or login shells read."""
    script = instruction.script
    if script is None or not any(name in script.view.text for name in ("rc", "profile", "zshenv", "login")):
        return
    for command in script.commands:
        if command.name not in ("echo", "printf", "cat"):
            continue
        for redirect in command.redirects:
            target = redirect.target
            if redirect.operator in (">>", ">") and target is not None and _PROFILE.fullmatch(target.text):
                text = " ".join(word.text for word in command.args)
                for other in command.redirects:
                    text += f"\n{other.body.text}" if other.body is not None else ""
                if _SETS_VARIABLE.search(text):
                    yield Match(target.span, {"file": target.text})


CHECKS: Final[Mapping[str, Check]] = {
    "HD904": pointless_command,
    "HD905": replaced_shell,
    "HD907": instruction_in_run,
    "HD909": shell_without_command,
    "HD913": variable_in_profile,
}
