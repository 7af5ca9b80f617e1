"""Checks on how a container starts and stops: CMD, ENTRYPOINT and STOPSIGNAL."""

from collections.abc import Iterator, Mapping
from typing import Final

from hardener.errors import suggest
from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.facts import line_span
from hardener.rules.reading import known
from hardener.rules.starts import SHELLS, first_command, is_build_target, root_image, runs_on_windows, starts_something
from hardener.sources.commands import is_windows, shell_in_force
from hardener.sources.instructions import Instruction
from hardener.sources.shell import Command
from hardener.sources.stages import Stage
from hardener.text import Pattern

_ONE_OF_A_KIND: Final = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK", "STOPSIGNAL"})
_DISTROLESS: Final = "gcr.io/distroless/"
_ARGUMENTS: Final = Pattern(r"\$(?:[@*#0-9]|\{[@*#0-9])")

# Names and numbers that Docker takes (github.com/moby/sys, signal/signal_linux.go).
_SIGNALS: Final = (
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT",
    "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
    "RTMIN", "RTMAX",
)  # fmt: skip
_FULL_NAMES: Final = tuple(f"SIG{name}" for name in _SIGNALS)
_SIGNAL_SET: Final = frozenset({*_SIGNALS, *(f"RTMIN+{n}" for n in range(1, 16)), *(f"RTMAX-{n}" for n in range(1, 15))})
_NUMBER: Final = Pattern(r"[+-]?\d+")
_BY_NUMBER: Final = {2: "INT", 3: "QUIT", 9: "KILL", 10: "USR1", 15: "TERM", 19: "STOP", 28: "WINCH", 37: "RTMIN+3"}
_LAST_SIGNAL: Final = 64
# Program -> the signal on which it finishes its work, and what SIGTERM makes of it.
_GRACEFUL: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(("nginx", "openresty"), ("QUIT", "closes connections at once on SIGTERM; it finishes open requests on SIGQUIT")),
    **dict.fromkeys(("php-fpm", "php-fpm7", "php-fpm8"), ("QUIT", "drops requests on SIGTERM; it finishes them on SIGQUIT")),
    **dict.fromkeys(
        ("httpd", "httpd-foreground", "apache2", "apache2-foreground"),
        ("WINCH", "drops requests on SIGTERM; it finishes them on SIGWINCH"),
    ),
    "haproxy": ("USR1", "closes connections at once on SIGTERM; it finishes open ones on SIGUSR1"),
    "postgres": ("INT", "waits for every client to leave on SIGTERM; it ends their sessions and stops cleanly on SIGINT"),
    **dict.fromkeys(("systemd", "init"), ("RTMIN+3", "does not shut down on SIGTERM; it does on SIGRTMIN+3")),
}
# Bases that bring neither a stop signal nor a server of their own.
_PLAIN_BASES: Final = frozenset({
    "scratch", "debian", "ubuntu", "alpine", "fedora", "centos", "rockylinux", "almalinux", "amazonlinux", "oraclelinux", "archlinux",
    "quay.io/centos/centos", "buildpack-deps", "python", "node", "ruby",
})  # fmt: skip

_VARIABLE: Final = Pattern(r"\$(?:\{[A-Z][A-Z0-9_]*\}|[A-Z][A-Z0-9_]+(?![A-Za-z0-9_(]))")
_BLANK: Final = Pattern(r"\s")
# Programs that put in variables, or read programs of their own, in which a dollar sign means something else.
_EXPANDING: Final = frozenset({
    *SHELLS, "envsubst", "awk", "gawk", "mawk", "perl", "sed", "make", "jq", "expect", "tclsh", "confd", "dockerize", "gomplate", "nginx",
    "caddy", "traefik", "envoy", "supervisord", "s6-svscan", "forego", "foreman", "chamber", "aws-vault", "kubectl", "docker", "wait-for",
})  # fmt: skip
_SYNTAX: Final = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "1>&2", "&>", ">/dev/null", "2>/dev/null"})
_OWN_SYNTAX: Final = frozenset({"find", "test", "[", "expr", "parallel", "cmd", "powershell", "pwsh", "jq", "bc", "psql", "dc"})
_COMMAND_LINE: Final = Pattern(r"(\S*/)?([A-Za-z][\w.+-]*)\s+\S")
_LONE_PROGRAMS: Final = frozenset({
    "node", "npm", "npx", "yarn", "pnpm", "python", "python3", "java", "ruby", "bundle", "php", "perl", "go", "dotnet", "bash", "sh",
    "nginx", "gunicorn", "uvicorn", "flask", "celery", "catalina.sh", "sleep", "tail", "echo", "cat", "ls", "exec", "supervisord",
    "apache2ctl", "apachectl", "service", "redis-server", "mongod", "mysqld", "postgres", "uwsgi", "streamlit", "pm2", "nodemon",
    "deno", "bun", "curl", "wget",
})  # fmt: skip


def overridden_instruction(stage: Stage, context: Context) -> Iterator[Match]:
    """HD703: of several instructions of a kind in one stage only the last one counts."""
    last: dict[tuple[str, bool], Instruction] = {}
    for outer in stage.instructions:
        instruction = outer.trigger or outer
        if instruction.name not in _ONE_OF_A_KIND:
            continue
        key = (instruction.name, instruction.is_trigger)
        earlier = last.get(key)
        if earlier is not None:
            what = f"a later {instruction.name} in line {instruction.line} replaces"
            yield Match(earlier.keyword, {"name": instruction.name, "what": what}, ((instruction.keyword, "this one counts"),))
        last[key] = instruction


def _is_shell_form(instruction: Instruction) -> bool:
    """Whether a CMD or ENTRYPOINT is meant for a shell; what only fails to be an exec form is another rule's."""
    return instruction.json is None and instruction.text != "" and not instruction.text.startswith("[")


def shell_form_command(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD712: the shell is process 1 and may keep signals from the program."""
    stage = instruction.stage
    if stage is None or instruction.shell is not None or not _is_shell_form(instruction) or is_windows(instruction):
        return
    if not instruction.is_trigger and stage.effective.get(instruction.name) is not instruction:
        return  # overridden in this stage, or reset by an ENTRYPOINT
    if instruction.name == "CMD":
        entry = stage.effective.get("ENTRYPOINT")
        if instruction.text.startswith("-") or (entry is not None and _is_shell_form(entry)):
            return  # worse than a detour: HD723 and HD713 tell
    image = root_image(stage)
    if image.is_scratch or (isinstance(image.name, str) and image.name.startswith(_DISTROLESS)):
        return  # there is no shell at all, which the rules on syntax report
    script = instruction.script
    if script is not None and any(command.words and command.words[0].text == "exec" for command in script.commands):
        return
    yield Match(instruction.rest.span(0, len(instruction.text)), {"name": instruction.name})


def ignored_cmd(stage: Stage, context: Context) -> Iterator[Match]:
    """HD713: a shell-form ENTRYPOINT, which does not look at CMD."""
    entry, default = stage.effective.get("ENTRYPOINT"), stage.effective.get("CMD")
    if entry is None or default is None or default.stage is not stage or not default.words or not _is_shell_form(entry):
        return
    if shell_in_force(entry).dialect in ("sh", "bash") and not _ARGUMENTS.search(entry.text):
        yield Match(line_span(default), {}, ((line_span(entry), "the ENTRYPOINT in shell form"),))


def arguments_in_shell_form(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD723: options alone in a shell-form CMD, which become the arguments `/bin/sh -c …`."""
    stage = instruction.stage
    if stage is None or not instruction.text.startswith("-") or instruction.json is not None:
        return
    entry = stage.effective.get("ENTRYPOINT")
    if entry is None or not _is_shell_form(entry):
        yield Match(instruction.rest.span(0, len(instruction.text)), {"text": instruction.text.split()[0]})


def _signal(instruction: Instruction) -> str | None:
    """Return the signal of a STOPSIGNAL without SIG and in upper case; None when a variable decides it."""
    value = known(instruction.words[0], instruction) if instruction.words else None
    if value is None:
        return None
    value = value.strip()
    if _NUMBER.fullmatch(value) and abs(int(value[:9])) <= _LAST_SIGNAL:
        return _BY_NUMBER.get(int(value), str(int(value)))
    return value.upper().removeprefix("SIG")


def invalid_signal(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD714: Docker does not know the signal."""
    name = _signal(instruction)
    if name is None or name in _SIGNAL_SET or (name.isdecimal() and 0 < int(name[:4]) <= _LAST_SIGNAL):
        return
    hint = suggest(f"SIG{name}", _FULL_NAMES) if name.isalnum() and len(name) <= 12 else ""
    word = instruction.words[0]
    yield Match(word.span, {"signal": word.text[:40], "hint": f"; {hint}" if hint else ""})


def ungraceful_signal(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD715: a signal on which no program can end its work."""
    name = _signal(instruction)
    if name == "KILL":
        what = "ends the program at once, with whatever it was writing"
    elif name == "STOP":
        what = "freezes the program until it is killed"
    else:
        return
    yield Match(instruction.words[0].span, {"signal": f"SIG{name}", "what": what})


def stop_signal_of_program(stage: Stage, context: Context) -> Iterator[Match]:
    """HD716: the program that the final stage starts wants another stop signal than it gets."""
    if not stage.is_final or runs_on_windows(stage) or root_image(stage).name not in _PLAIN_BASES:
        return
    command = _process_one(stage)
    if command is None or command.name_word is None:
        return
    wanted = _GRACEFUL.get(command.name)
    if wanted is None or (command.name == "init" and root_image(stage).name == "alpine"):
        return
    stop = stage.effective.get("STOPSIGNAL")
    if stop is None:
        span = command.name_word.span
    elif _signal(stop) in (None, wanted[0], "KILL", "STOP"):
        return  # unknown, right, or reported for worse
    else:
        span = stop.words[0].span
    yield Match(span, {"program": command.name, "what": wanted[1], "signal": f"SIG{wanted[0]}"}, anchors=(stage.image.span,))


def _process_one(stage: Stage) -> Command | None:
    """Return the command that gets the stop signal: exec form, or `exec` in shell form; arguments of an entrypoint script count."""
    for name in ("ENTRYPOINT", "CMD"):
        instruction = stage.effective.get(name)
        command = first_command(instruction)
        if instruction is None or command is None:
            continue
        if instruction.json is None and "exec" not in command.prefixes:
            return None
        if command.name in _GRACEFUL:
            return command
        if not command.name.endswith((".sh", "entrypoint")):
            return None
    return None


def no_command(stage: Stage, context: Context) -> Iterator[Match]:
    """HD717: an image from scratch that starts nothing."""
    if not stage.is_final or starts_something(stage) or not root_image(stage).is_scratch or is_build_target(stage):
        return
    if not any(one.trigger is not None for one in stage.instructions):
        yield Match(stage.image.span)


def _exec_form(instruction: Instruction) -> Command | None:
    """Return the command of an exec form that no shell reads."""
    if instruction.json is None or instruction.script is None or not instruction.script.commands:
        return None
    return instruction.script.commands[0]


def variable_in_exec_form(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD724: a variable that nobody replaces, because the exec form has no shell."""
    command = _exec_form(instruction)
    stage = instruction.stage
    if command is None or stage is None or is_windows(instruction) or "$" not in instruction.text:
        return
    if instruction.name == "CMD" and not _is_program(instruction, stage):
        return  # arguments of an entrypoint, which may be a script that replaces them
    effective = command.effective
    if effective.codes or not command.name or command.name in _EXPANDING or command.name.endswith((".sh", "entrypoint")):
        return
    for word in command.words:
        text = word.text
        match = _VARIABLE.search(text)
        if match is None or _BLANK.search(text):
            continue
        is_whole = match.span() == (0, len(text))
        if not is_whole and command.name == "java" and match[0].startswith("${"):
            continue  # Spring and its kin replace these themselves
        yield Match(word.part(*match.span()), {"variable": match[0]})
        return


def _is_program(instruction: Instruction, stage: Stage) -> bool:
    """Whether a CMD is the program itself: no ENTRYPOINT in the file, and none to be expected from the base image."""
    if "ENTRYPOINT" in stage.effective:
        return False
    name = root_image(stage).name
    return isinstance(name, str) and "/" not in name


def syntax_in_exec_form(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD725: operators of the shell as arguments of a program."""
    command = _exec_form(instruction)
    if command is None or is_windows(instruction) or command.name in _OWN_SYNTAX:
        return
    for word in command.words[1:]:
        if word.text in _SYNTAX:
            yield Match(word.span, {"operator": word.text, "program": command.name or command.words[0].text})
            return


def command_line_in_one_word(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD726: a whole command line as the name of the program."""
    words = instruction.json
    stage = instruction.stage
    if words is None or len(words) != 1 or stage is None or is_windows(instruction):
        return
    if instruction.name == "CMD" and not _is_program(instruction, stage):
        return
    match = _COMMAND_LINE.match(words[0].text)
    parts = words[0].text.split()
    if match is not None and (match[2] in _LONE_PROGRAMS or (match[1] and "/" not in parts[1])):
        form = "[" + ", ".join(f'"{part}"' for part in parts[:8]) + (", …" if len(parts) > 8 else "") + "]"
        yield Match(words[0].span, {"text": words[0].text[:60], "form": form[:120]})


CHECKS: Final[Mapping[str, Check]] = {
    "HD703": overridden_instruction,
    "HD712": shell_form_command,
    "HD713": ignored_cmd,
    "HD714": invalid_signal,
    "HD715": ungraceful_signal,
    "HD716": stop_signal_of_program,
    "HD717": no_command,
    "HD723": arguments_in_shell_form,
    "HD724": variable_in_exec_form,
    "HD725": syntax_in_exec_form,
    "HD726": command_line_in_one_word,
}
