"""Tell which program a command runs, behind which prefixes, and which of its arguments are code for another shell.

`env X=1 sudo -u www /usr/bin/apt-get update` runs apt-get; `bash -lc "…"` runs what its argument says. Most findings that a textual
linter misses, it misses here.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.sources.shell import Command, Word


class Code(NamedTuple):
    """Words that hold a script.

    `dialect` is empty when the same shell reads it (`eval`), and then it also inherits `pipefail` and `errexit`. `split` says that
    the words are a command as they stand (`find -exec`) and are not read as text.
    """

    scope: str
    words: "tuple[Word, ...]"
    dialect: str = ""
    pipefail: bool = False
    errexit: bool = False
    split: bool = False


class Effective(NamedTuple):
    """What a command amounts to. `position` is the index of the program's word, past the last one when nothing runs."""

    name: str
    position: int
    prefixes: tuple[str, ...]
    assignments: tuple[tuple[int, str, int], ...]  # index of the word, name, length of `NAME=`
    codes: tuple[Code, ...]
    reads_stdin: bool  # a shell without a script: its standard input is one


NONE: Final = Effective("", 0, (), (), (), reads_stdin=False)


class _Prefix(NamedTuple):
    """How to find the command behind a prefix."""

    values: str = ""  # options that take the next word as their value
    operands: int = 0  # operands before the command
    stops: str = ""  # options with which it does not run a command
    needs: str = ""  # options without which it does not run a command
    assigns: bool = False  # NAME=value words may come first


_SUDO: Final = _Prefix(
    "-u -g -h -p -C -r -t -T -U -D -R --user --group --host --prompt --close-from --role --type --command-timeout --other-user "
    "--chdir --chroot",
    stops="-e --edit -l --list -v --validate -V --version -K",
    assigns=True,
)
_PREFIXES: Final = {
    "!": _Prefix(),
    "builtin": _Prefix(),
    "busybox": _Prefix(),
    "catatonit": _Prefix(),
    "chpst": _Prefix("-u -U -b -e -/ -n -l -L -m -d -o -p -f -c -r -t"),
    "chroot": _Prefix("--userspec --groups", operands=1),
    "chrt": _Prefix("-T -P -D", operands=1, stops="-p --pid -m --max"),
    "command": _Prefix(stops="-v -V"),
    "coproc": _Prefix(),
    "doas": _Prefix("-u -C -a", stops="-L -s"),
    "dumb-init": _Prefix("-r --rewrite"),
    "eatmydata": _Prefix(),
    "env": _Prefix("-u --unset -C --chdir", stops="-S --split-string", assigns=True),
    "exec": _Prefix("-a"),
    "fakeroot": _Prefix("-l --lib -f --faked -i -s -b"),
    "gosu": _Prefix(operands=1),
    "ionice": _Prefix("-c --class -n --classdata", stops="-p --pid -P -u"),
    "nice": _Prefix("-n --adjustment"),
    "noglob": _Prefix(),
    "nohup": _Prefix(),
    "numactl": _Prefix("-m -N -C -i -p --membind --cpunodebind --physcpubind --interleave --preferred", stops="-s -H --show --hardware"),
    "runuser": _Prefix("-u --user -g --group -G --supp-group -s --shell -w", needs="-u --user"),
    "s6-setuidgid": _Prefix(operands=1),
    "setpriv": _Prefix(
        "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig --selinux-label --apparmor-profile "
        "--ruid --euid --rgid --egid",
        stops="-d --dump --list-caps",
    ),
    "setsid": _Prefix(),
    "setuser": _Prefix(operands=1),
    "stdbuf": _Prefix("-i -o -e --input --output --error"),
    "su-exec": _Prefix(operands=1),
    "sudo": _SUDO,
    "taskset": _Prefix(operands=1, stops="-p --pid"),
    "time": _Prefix("-f -o --format --output"),
    "timeout": _Prefix("-k -s --kill-after --signal", operands=1),
    "tini": _Prefix("-e -p"),
    "tini-static": _Prefix("-e -p"),
    "toybox": _Prefix(),
    "xargs": _Prefix(
        "-a -d -E -I -L -n -P -s --arg-file --delimiter --max-lines --max-args --max-procs --max-chars --replace --process-slot-var"
    ),
    "xvfb-run": _Prefix("-e -f -n -p -s -w --error-file --auth-file --server-num --xauth-protocol --server-args --wait"),
}
_OPTION_SETS: dict[str, frozenset[str]] = {}

_SHELLS: Final = {"sh": "sh", "dash": "sh", "ash": "sh", "bash": "bash", "rbash": "bash", "ksh": "bash", "mksh": "bash", "zsh": "bash"}
_SHELL_VALUES: Final = frozenset({"--rcfile", "--init-file", "--emulate"})
# Commands whose -c is a script for the shell of a user: `su www -c "…"`.
_COMMAND_OPTION: Final = {
    "su": frozenset({"-c", "--command", "--session-command"}),
    "runuser": frozenset({"-c", "--command", "--session-command"}),
    "sg": frozenset({"-c"}),
    "script": frozenset({"-c", "--command"}),
    "flock": frozenset({"-c", "--command"}),
}
_EXPORTS: Final = frozenset({"export", "declare", "typeset", "local", "readonly"})
_FIND_RUNS: Final = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_POWERSHELL_VALUES: Final = frozenset({
    "-executionpolicy", "-ep", "-ex", "-exec", "-inputformat", "-if", "-outputformat", "-of", "-windowstyle", "-w", "-version",
    "-psconsolefile", "-configurationname", "-workingdirectory", "-wd", "-custompipename", "-settingsfile",
})  # fmt: skip
# Words that begin a clause in PowerShell and are not commands.
_POWERSHELL_KEYWORDS: Final = frozenset({
    "if", "elseif", "else", "switch", "while", "for", "foreach", "do", "until", "try", "catch", "finally", "function", "filter", "param",
    "begin", "process", "end", "return", "throw", "break", "continue", "exit", "class", "enum", "using", "trap", "data", "in",
})  # fmt: skip
_CMD_WRAPPERS: Final = frozenset({"call", "start"})

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)(?:\[[^\]=]*\])?\+?=")
_ANY_ASSIGNMENT = re.compile(r"([^=\s]+)=")
_PLAIN_BASE = re.compile(r"[\w.+\-\[@:]+\Z")


def resolve(command: "Command") -> Effective:
    """Return which program `command` runs. Never fails: a prefix with nothing behind it is itself the program."""
    words = command.words
    dialect = command.script.dialect
    if dialect == "powershell":
        return _resolve_powershell(words)
    if dialect == "cmd":
        return _resolve_cmd(words)
    if words:
        # Nine commands of ten are one plain program and its arguments.
        text = words[0].text
        if "/" not in text and text not in _SPECIAL and "=" not in text and words[0].static:
            return Effective(text, 0, (), (), (), reads_stdin=False)
    return _resolve(words, is_shell=dialect != "exec")


def _resolve(words: "tuple[Word, ...]", *, is_shell: bool) -> Effective:
    count = len(words)
    index = 0
    prefixes: list[str] = []
    assignments: list[tuple[int, str, int]] = []
    if is_shell:
        index = _take_assignments(words, index, _ASSIGNMENT, assignments, quoted=False)
    codes: list[Code] = []
    while index < count:
        name = base_name(words[index])
        prefix = _PREFIXES.get(name)
        if prefix is None:
            break
        following, runs = _behind(words, index, prefix, codes)
        if runs and prefix.assigns:
            following = _take_assignments(words, following, _ANY_ASSIGNMENT, assignments, quoted=True)
        following += prefix.operands
        if following >= count or not runs:
            break
        prefixes.append(name)
        index = following
    if index >= count:
        return Effective("", count, tuple(prefixes), tuple(assignments), (), reads_stdin=False)
    name = base_name(words[index])
    reads_stdin = False
    if name in _SHELLS:
        reads_stdin = _shell_code(words, index, name, codes)
    elif name in _EXPORTS:
        for at in range(index + 1, count):
            _take_assignments(words, at, _ASSIGNMENT, assignments, quoted=False, only_one=True)
    elif name in _SPECIAL:
        reads_stdin = _other_code(words, index, name, codes)
    return Effective(name, index, tuple(prefixes), tuple(assignments), tuple(codes), reads_stdin)


def base_name(word: "Word") -> str:
    """Return a program's name without its folder; empty when a substitution decides it."""
    text = word.text
    if text.startswith("((") and not word.static:
        return "(("  # arithmetic, where a slash is a division
    if word.scripts:
        return ""
    if "/" in text:
        base = text.rpartition("/")[2]
        if _PLAIN_BASE.match(base):
            return base
    return text


def _take_assignments(
    words: "tuple[Word, ...]",
    index: int,
    pattern: re.Pattern[str],
    found: list[tuple[int, str, int]],
    *,
    quoted: bool,
    only_one: bool = False,
) -> int:
    """Record the assignments that start at `index` and return the index behind them. A quoted name only counts for `env` and `sudo`."""
    while index < len(words):
        word = words[index]
        text = word.text
        if "=" not in text:
            break
        match = pattern.match(text)
        if match is None or (not quoted and word.quoted and not word.raw.startswith(match[0])):
            break
        found.append((index, match[1], match.end()))
        index += 1
        if only_one:
            break
    return index


def _options(text: str) -> frozenset[str]:
    options = _OPTION_SETS.get(text)
    if options is None:
        options = _OPTION_SETS[text] = frozenset(text.split())
    return options


def _behind(words: "tuple[Word, ...]", index: int, prefix: _Prefix, codes: list[Code]) -> tuple[int, bool]:
    """Return the index after the options of the prefix at `index`, and whether it runs the command that follows."""
    values, stops, needs = _options(prefix.values), _options(prefix.stops), _options(prefix.needs)
    runs = not needs
    at = index + 1
    count = len(words)
    while at < count:
        text = words[at].text
        if text[:1] != "-":
            break
        at += 1
        if text == "--":
            break
        if text.startswith("--"):
            name, equals, _ = text.partition("=")
            runs = runs or name in needs
            if name in stops:
                return _stop(words, at, name, len(name) + 1 if equals else 0, codes), False
            if name in values and not equals:
                at += 1
            continue
        for position in range(1, len(text)):
            name = f"-{text[position]}"
            runs = runs or name in needs
            if name in stops:
                return _stop(words, at, name, position + 1 if position + 1 < len(text) else 0, codes), False
            if name in values:
                if position == len(text) - 1:
                    at += 1
                break
    return at, runs


def _stop(words: "tuple[Word, ...]", at: int, name: str, attached: int, codes: list[Code]) -> int:
    """Record the command line inside `env -S "…"`; every other stopping option has no code."""
    if name in {"-S", "--split-string"}:
        if attached:
            codes.append(Code("env -S", (words[at - 1].tail(attached),), "sh"))
        elif at < len(words):
            codes.append(Code("env -S", (words[at],), "sh"))
    return at


def set_options(words: Sequence[str], *, pipefail: bool, errexit: bool) -> tuple[bool, bool]:
    """Return whether pipefail and errexit are in force after `set` (or a shell) was given these words."""
    index = 0
    while index < len(words):
        text = words[index]
        index += 1
        on = text[:1] == "-"
        if not on and text[:1] != "+":
            break
        if text in {"-", "--"}:
            break
        if text.startswith("--"):
            continue
        for letter in text[1:]:
            if letter == "e":
                errexit = on
            elif letter == "o" and index < len(words):
                if words[index] == "pipefail":
                    pipefail = on
                elif words[index] == "errexit":
                    errexit = on
                index += 1
            elif letter == "O":
                index += 1
    return pipefail, errexit


def _shell_code(words: "tuple[Word, ...]", index: int, name: str, codes: list[Code]) -> bool:
    """Record the script of `sh -c`; return whether the shell reads its standard input instead."""
    at = index + 1
    has_code = from_stdin = False
    while at < len(words):
        text = words[at].text
        if text[:1] not in {"-", "+"} or words[at].scripts:
            break
        at += 1
        if text in {"-", "--"}:
            break
        if text.startswith("--"):
            at += text in _SHELL_VALUES
            continue
        has_code = has_code or (text[0] == "-" and "c" in text)
        from_stdin = from_stdin or (text[0] == "-" and "s" in text)
        at += text.count("o") + text.count("O")
    if not has_code:
        return from_stdin or at >= len(words)
    if at < len(words):
        pipefail, errexit = set_options([word.text for word in words[index + 1 : at]], pipefail=False, errexit=False)
        codes.append(Code(f"{name} -c", (words[at],), _SHELLS[name], pipefail, errexit))
    return False


def _other_code(words: "tuple[Word, ...]", index: int, name: str, codes: list[Code]) -> bool:
    """Record the code in the arguments of a command that is not a POSIX shell; return whether its standard input is a script."""
    args = words[index + 1 :]
    if name == "eval":
        rest = args[1:] if args and args[0].text == "--" else args
        if rest:
            codes.append(Code("eval", rest))
    elif name == "trap":
        if len(args) > 1 and args[0].text[:1] != "-":
            codes.append(Code("trap", (args[0],)))
    elif name == "find":
        _find_code(args, codes)
    elif name in _COMMAND_OPTION:
        return not _option_code(args, name, codes) and name in {"su", "runuser"}
    elif name in {"pwsh", "powershell", "powershell.exe", "pwsh.exe"}:
        _powershell_code(args, name, codes)
    elif name in {"cmd", "cmd.exe"}:
        _cmd_code(args, codes)
    return False


def _find_code(args: "tuple[Word, ...]", codes: list[Code]) -> None:
    """Record each `-exec … ;` and `-exec … {} +` of find."""
    start = 0
    for at, word in enumerate(args):
        if start:
            if word.text == ";" or (word.text == "+" and args[at - 1].text == "{}"):
                if at > start:
                    codes.append(Code("find -exec", args[start:at], "exec", split=True))
                start = 0
        elif word.text in _FIND_RUNS:
            start = at + 1
    if 0 < start < len(args):
        codes.append(Code("find -exec", args[start:], "exec", split=True))


def _option_code(args: "tuple[Word, ...]", name: str, codes: list[Code]) -> bool:
    """Record the value of the option that holds a script, and say whether there was one."""
    wanted = _COMMAND_OPTION[name]
    for at, word in enumerate(args):
        option, equals, _ = word.text.partition("=")
        if equals and option in wanted and option.startswith("--"):
            codes.append(Code(f"{name} -c", (word.tail(len(option) + 1),), "sh"))
            return True
        # `-c` may close a cluster: su -lc "…"
        last = f"-{option[-1:]}" if option[:1] == "-" and option[:2] != "--" and not equals else option
        if last in wanted and at + 1 < len(args):
            codes.append(Code(f"{name} -c", (args[at + 1],), "sh"))
            return True
    return False


def _powershell_code(args: "tuple[Word, ...]", name: str, codes: list[Code]) -> None:
    """Record what `powershell -Command …` runs: all the words that follow; Windows PowerShell also takes bare words as a command."""
    at = 0
    while at < len(args):
        option = args[at].text.lower().replace("/", "-", 1)
        at += 1
        if option[:1] != "-":
            if name.startswith("powershell"):
                codes.append(Code(f"{name.removesuffix('.exe')} -Command", args[at - 1 :], "powershell"))
            return
        if option == "-" or "-encodedcommand".startswith(option) or ("-file".startswith(option) and len(option) > 1):
            return
        if option != "-" and "-command".startswith(option):
            if at < len(args) and args[at].text != "-":
                codes.append(Code(f"{name.removesuffix('.exe')} -Command", args[at:], "powershell"))
            return
        at += option in _POWERSHELL_VALUES


def _cmd_code(args: "tuple[Word, ...]", codes: list[Code]) -> None:
    for at, word in enumerate(args):
        if word.text[:1] != "/":
            return
        if word.text[1:2].lower() in {"c", "k"}:
            if at + 1 < len(args):
                codes.append(Code("cmd /c", args[at + 1 :], "cmd"))
            return


def _windows_name(text: str) -> str:
    return text.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")


def _resolve_powershell(words: "tuple[Word, ...]") -> Effective:
    index = 0
    prefixes: list[str] = []
    if len(words) > 1 and words[0].text[:1] in {"$", "["} and words[1].text in {"=", "+="}:
        index = 2  # $x = command
    while index < len(words) and (words[index].text in {"&", "."}) and index + 1 < len(words):
        prefixes.append(words[index].text)
        index += 1
    if index >= len(words):
        return Effective("", len(words), tuple(prefixes), (), (), reads_stdin=False)
    word = words[index]
    text = word.text.lower()
    is_value = word.raw[:1] in {"$", "(", "{", "@", "[", "'", '"'} or text[:1].isdigit()
    if (is_value and not prefixes) or text in _POWERSHELL_KEYWORDS or word.scripts:
        return Effective("", len(words), tuple(prefixes), (), (), reads_stdin=False)
    return _windows(words, index, prefixes)


def _resolve_cmd(words: "tuple[Word, ...]") -> Effective:
    index = 0
    prefixes: list[str] = []
    while index + 1 < len(words) and _windows_name(words[index].text) in _CMD_WRAPPERS:
        prefixes.append(_windows_name(words[index].text))
        index += 1
        while index + 1 < len(words) and words[index].text[:1] == "/":  # start /wait program
            index += 1
    if index >= len(words):
        return NONE
    return _windows(words, index, prefixes)


def _windows(words: "tuple[Word, ...]", index: int, prefixes: list[str]) -> Effective:
    name = _windows_name(words[index].text)
    codes: list[Code] = []
    if name in {"pwsh", "powershell"}:
        _powershell_code(words[index + 1 :], name, codes)
    elif name == "cmd":
        _cmd_code(words[index + 1 :], codes)
    elif name in _SHELLS:
        _shell_code(words, index, name, codes)
    return Effective(name, index, tuple(prefixes), (), tuple(codes), reads_stdin=False)


# Every first word that needs more than a glance.
_SPECIAL: Final = frozenset(
    {
        *_PREFIXES,
        *_SHELLS,
        *_EXPORTS,
        *_COMMAND_OPTION,
        "eval",
        "trap",
        "find",
        "pwsh",
        "powershell",
        "powershell.exe",
        "pwsh.exe",
        "cmd",
        "cmd.exe",
    }
)
