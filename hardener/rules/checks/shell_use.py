"""Checks on how a RUN uses its shell: what is lost when its layer ends, and failures that nobody notices."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.sources.instructions import Instruction
from hardener.sources.options import options, program
from hardener.sources.shell import Command, Pipeline, Script
from hardener.text import Pattern, Span

_POSIX: Final = ("sh", "bash")
_WINDOWS: Final = ("powershell", "cmd")

# Commands that do not fail, or whose failure nobody could act on.
_SURE: Final = frozenset({
    "echo", "printf", "yes", "true", ":", "pwd", "date", "uname", "arch", "id", "whoami", "hostname", "seq", "nproc", "env", "printenv",
    "set", "export", "basename", "dirname", "sleep", "cd", "umask", "exit", "false", "diff", "cmp", "grep", "tee", "ldd",
})  # fmt: skip
_FILTERS: Final = frozenset({"tr", "sort", "uniq", "cut", "sed", "awk", "head", "tail", "wc", "rev", "tac", "column"})

# Variables, directories, options: what lives in the shell's process and dies with it.
_DIRECTORY: Final = frozenset({"cd", "chdir", "pushd", "popd", "set-location", "sl"})
_VARIABLES: Final = frozenset({"export", "declare", "typeset", "readonly"})
_LIMITS: Final = {"umask": "the umask", "ulimit": "the limit", "alias": "the alias", "shopt": "the option"}
_TIDYING: Final = frozenset({"set", "unset", "unalias"})
_ENVIRONMENTS: Final = {
    "conda": "activate", "mamba": "activate", "micromamba": "activate", "nvm": "use", "pyenv": "shell", "rbenv": "shell", "sdk": "use",
    "fnm": "use",
}  # fmt: skip
_ENVIRONMENT_FILE: Final = Pattern(
    r"(?:.*/)?(?:activate(?:\.\w+)?|\.?(?:bash|zsh|k?sh)rc|\.(?:bash_|z)?profile|profile|bash\.bashrc|nvm\.sh|(?:set)?env(?:\.sh|vars(?:\.sh)?)?|"
    r"setenv\.sh|environment|conda\.sh|setup\.(?:ba|z)?sh|sdkman-init\.sh|[\w-]+_env\.sh|env_[\w-]+\.sh|\.env|setvars\.sh|asdf\.sh)"
)
# What may stand in `$(…)` without changing anything.
_READING: Final = frozenset({
    "cat", "echo", "printf", "uname", "arch", "date", "pwd", "dpkg", "nproc", "id", "whoami", "hostname", "which", "command", "type",
    "readlink", "realpath", "dirname", "basename", "head", "tail", "grep", "sed", "awk", "cut", "tr", "sort", "ls", "find", "jq", "curl",
    "wget", "git", "go", "node", "python", "ruby", "java", "getconf", "lsb_release", "test", "[", "xargs", "cargo", "npm",
})  # fmt: skip
_BACK: Final = frozenset({"", "-", "/", "~", "..", "../..", "../../..", "$OLDPWD", "$HOME", "${HOME}", "/root"})
_ABSOLUTE: Final = Pattern(r"/|[A-Za-z]:[\\/]")

# Programs whose failure leaves something out of the image, with the sub-commands that count (none: all).
_CONSEQUENTIAL: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("apt-get", "apt", "aptitude"), frozenset({"update", "install", "build-dep", "source", "download"})),
    "apk": frozenset({"add", "update"}),
    **dict.fromkeys(("yum", "dnf", "microdnf", "tdnf"), frozenset({"install", "update", "upgrade", "groupinstall", "localinstall"})),
    "zypper": frozenset({"install"}),
    **dict.fromkeys(("pip", "pipx", "conda", "mamba", "micromamba"), frozenset({"install", "create", "download"})),
    **dict.fromkeys(("npm", "yarn", "pnpm"), frozenset({"install", "ci", "run", "build", "add"})),
    **dict.fromkeys(("gem", "bundle", "composer", "poetry", "cargo"), frozenset({"install", "build"})),
    "go": frozenset({"install", "build", "get", "mod"}),
    "git": frozenset({"clone", "checkout", "fetch", "pull", "submodule"}),
    **dict.fromkeys(("curl", "wget", "make", "cmake", "ninja", "mvn", "gradle", "tar", "unzip", "gcc", "g++", "configure"), frozenset()),
}  # fmt: skip
_NOT_BUILDING: Final = frozenset({"make", "cmake", "ninja", "mvn", "gradle", "tar", "unzip", "gcc", "g++", "configure"})


def top_script(script: Script) -> Script:
    """Return the script that a RUN's one shell reads: that of `sh -c "…"` when the RUN is nothing else."""
    while len(script.own) == 1 and len(script.nodes) == 1:
        command = script.nodes[0]
        if command.compound or not command.effective.codes or command.prefixes:
            break
        inner = [one for one in command.scripts if one.dialect in _POSIX]
        if len(inner) != 1:
            break
        script = inner[0]
    return script


def top_pipelines(script: Script) -> list[Pipeline]:
    """Return the pipelines of a script that stand in no compound command."""
    return [one for one in script.own if one.commands and one.commands[0].enclosing is None]


def last_pipeline(script: Script) -> Pipeline | None:
    """Return the last pipeline of a script that stands in no compound command, without a look at the others."""
    if not script.own or not script.own[-1].commands:
        return None
    node = script.own[-1].commands[0]
    while node.enclosing is not None:
        node = node.enclosing
    return node.pipeline


def pipe_without_pipefail(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD901: a command whose exit status nobody sees, since it stands before a pipe."""
    script = instruction.script
    if script is None or "|" not in script.view.text:
        return
    for pipeline in script.pipelines:
        commands = pipeline.commands
        if len(commands) < 2 or commands[0].pipefail or pipeline.script.dialect not in _POSIX:
            continue
        last = commands[-1]
        if last.name == "grep" and options(last).has("-q", "--quiet", "--silent"):
            continue  # it fails itself when nothing comes
        loser = next((one for member in commands[:-1] for one in member.inner if _can_fail(one, is_first=member is commands[0])), None)
        if loser is not None:
            word = loser.name_word
            span = loser.span if word is None else word.span
            yield Match(span, {"program": loser.name or "the command", "last": last.name or last.compound or "the last command"})


def _can_fail(command: Command, *, is_first: bool) -> bool:
    name = command.name
    if name in _SURE or (not name and not command.args) or (name in _FILTERS and not is_first):
        return False
    if name == "cat":
        return bool(options(command).operands) or not command.redirects
    return not (name == "dpkg" and command.args and command.args[0].text == "--print-architecture")


def lost_shell_state(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD902: variables, directories and limits that are set where no command comes after."""
    script = instruction.script
    if script is None:
        return
    script = top_script(script)
    final = last_pipeline(script)
    if final is None or len(final.commands) != 1:
        return
    last = final.commands[0]
    if script.dialect in _WINDOWS:
        if len(script.own) == 1:
            yield from _windows_state(last)
        return
    what = _state(last)
    if not what or script.dialect not in _POSIX or _runs_on(last):
        return
    pipelines = top_pipelines(script)
    if all(len(one.commands) == 1 and _state(one.commands[0]) for one in pipelines):
        commands = [one.commands[0] for one in pipelines]
        command = next((one for one in commands if one.name not in _TIDYING), commands[0])
        yield Match(_name_span(command), {"what": _state(command)})
    elif final.operator in ("&&", ";", "\n") and _is_meant_to_last(last, pipelines):
        yield Match(_name_span(last), {"what": what})


def _runs_on(last: Command) -> bool:
    """Whether an `&` follows the last command."""
    return last.view is not None and last.view.text[last.end : last.end + 20].lstrip(" \t\r\n").startswith("&")


def _name_span(command: Command) -> Span:
    word = command.name_word
    return command.span if word is None else word.span


def _windows_state(command: Command) -> Iterator[Match]:
    words = command.words
    if command.name in _DIRECTORY and command.args:
        yield Match(_name_span(command), {"what": "the directory"})
    elif len(words) > 1 and words[0].text.lower().startswith("$env:") and words[1].text in ("=", "+="):
        yield Match(words[0].span, {"what": f"the variable {words[0].text[5:]}"})
    elif command.name == "set" and command.script.dialect == "cmd" and command.args and "=" in command.args[0].text:
        yield Match(_name_span(command), {"what": f"the variable {command.args[0].text.partition('=')[0]}"})


def _state(command: Command) -> str:
    """Return what a command changes in its shell and nowhere else, an empty string when it does more than that or nothing."""
    if command.compound or command.redirects or command.prefixes not in ((), ("builtin",), ("command",)):
        return ""
    if not all(one.name in _READING or program(one) in _READING for script in command.scripts for one in script.commands):
        return ""
    name, args = command.name, command.args
    if not name:
        return f"the variable {command.assignments[0].name}" if command.assignments and not args else ""
    if name in _DIRECTORY:
        return "the directory" if args or name == "popd" else ""
    if name in _VARIABLES:
        first = args[0].text.partition("=")[0] if args else ""
        return f"the variable {first}" if first and not first.startswith("-") else ""
    if name in ("source", "."):
        return "what it sets" if args and _ENVIRONMENT_FILE.fullmatch(args[0].text) else ""
    if name in _LIMITS:
        what = _LIMITS[name]
        if name == "alias":
            return what if any("=" in one.text for one in args) else ""
        return what if any(one.text[:1] != "-" for one in args) else ""
    if name in _TIDYING:
        return "the setting" if args else ""
    if name in _ENVIRONMENTS:
        return "the environment" if args and args[0].text == _ENVIRONMENTS[name] else ""
    return ""


def _is_meant_to_last(last: Command, pipelines: list[Pipeline]) -> bool:
    """Whether the author of a final setting expects it to stay: no tidying up, and no `cd` back or after another one."""
    if last.name not in _DIRECTORY:
        return last.name != "" and last.name not in _TIDYING
    operands = [word.text.rstrip("/") or "/" for word in last.args]
    if len(operands) != 1 or operands[0] in _BACK:
        return False
    return not any(command.name in _DIRECTORY for one in pipelines[:-1] for command in one.commands)


def cd_instead_of_workdir(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD903: a RUN that begins by going to an absolute path."""
    script = instruction.script
    if script is None or not any(name in script.view.text for name in ("cd", "ushd", "ocation", "sl ", "chdir")):
        return
    script = top_script(script)
    pipelines = top_pipelines(script)
    for index, pipeline in enumerate(pipelines):
        command = pipeline.commands[0]
        if len(pipeline.commands) == 1 and command.name == "set":
            continue
        word = command.name_word
        if (
            word is not None
            and len(pipeline.commands) == 1
            and command.name in _DIRECTORY
            and len(command.args) == 1
            and command.args[0].static
            and _ABSOLUTE.match(command.args[0].text)
            and index + 1 < len(pipelines)
        ):
            yield Match(word.span, {"path": command.args[0].text})
        return


def background_process(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD906: a process in the background when the RUN ends."""
    script = instruction.script
    if script is None:
        return
    script = top_script(script)
    final = last_pipeline(script)
    if script.dialect not in _POSIX or final is None:
        return
    last = final.commands[-1]
    view = last.view
    if view is None:
        return
    match = _AMPERSAND.match(view.text, last.end)
    if match is not None and view is script.view:
        yield Match(view.span(*match.span(1)), {"program": last.name or "the process"})


_AMPERSAND: Final = Pattern(r"[ \t\r]*(&)(?:[ \t\r\n]|\\\n|#[^\n]*)*$")


def unchecked_failure(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD910: a command after which the shell goes on whether it worked or not."""
    script = instruction.script
    if script is None:
        return
    script = top_script(script)
    if script.dialect not in _POSIX:
        return
    pipelines = top_pipelines(script)
    joints = [index for index, one in enumerate(pipelines) if one.operator in (";", "\n")]
    if not joints or "$?" in script.view.text:
        return
    chains: list[list[Pipeline]] = []
    for pipeline in pipelines:
        if pipeline.operator in ("&&", "||") and chains:
            chains[-1].append(pipeline)
        else:
            chains.append([pipeline])
    for chain, following in pairwise(chains):
        if following[0].operator == "&" or any(one.operator == "||" for one in chain):
            continue
        for pipeline in chain:
            command = pipeline.commands[-1]
            if not command.errexit and not command.compound and _is_consequential(command):
                yield Match(_name_span(command), {"program": command.name})
                return


def _is_consequential(command: Command) -> bool:
    wanted = _CONSEQUENTIAL.get(program(command))
    if wanted is None:
        return False
    return not wanted or options(command).subcommand.partition(" ")[0] in wanted


def ignored_failure(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD912: `|| true` behind an installation or a download."""
    script = instruction.script
    if script is None or "||" not in script.view.text:
        return
    risky: dict[tuple[int, int], Command | None] = {}  # what may fail in the list so far, by script and compound command
    for pipeline in script.pipelines:
        first = pipeline.commands[0]
        if pipeline.script.dialect not in _POSIX:
            continue
        key = (id(pipeline.script), id(first.enclosing))
        command = risky.get(key) if pipeline.operator in ("&&", "||") else None
        if command is not None and pipeline.operator == "||" and len(pipeline.commands) == 1 and _gives_in(first):
            yield Match(first.span, {"program": command.name}, ((_name_span(command), "this may fail"),))
            command = None
        if command is None:
            last = pipeline.commands[-1]
            command = last if _is_consequential(last) and program(last) not in _NOT_BUILDING else None
        risky[key] = command


def _gives_in(command: Command) -> bool:
    if command.name in ("true", ":"):
        return True
    return command.name == "exit" and len(command.args) == 1 and command.args[0].text == "0"


def broken_shell(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD911: text that the shell refuses to read."""
    script = instruction.script
    if script is None or (instruction.json is None and instruction.json_error):
        return
    if any(not heredoc.terminated for heredoc in instruction.heredocs):
        return  # the rest of the file is in it: a syntax rule tells
    seen: set[Span] = set()
    for one in (script, *(inner for command in script.commands if command.effective.codes for inner in command.scripts)):
        if one.dialect not in _POSIX:
            continue
        if one.problems and _is_template(instruction):
            return
        for problem in one.problems:
            if problem.span not in seen:
                seen.add(problem.span)
                yield Match(_whole_word(problem.span, instruction), {"problem": problem.message})
        leading = _LEADING.match(one.view.text)
        if leading is not None and not one.problems:
            yield Match(one.view.span(*leading.span(1)), {"problem": f"nothing stands before this {leading[1]}"})
        last = one.nodes[-1] if one.nodes else None
        if not one.problems and last is not None and last.view is not None and one.own:
            end = max(command.end for command in one.own[-1].commands)
            match = _DANGLING.match(last.view.text, end)
            if match is not None:
                yield Match(last.view.span(*match.span(1)), {"problem": f"nothing follows this {match[1]}"})


def _is_template(instruction: Instruction) -> bool:
    """Whether the file is the template of a Dockerfile, whose shell is only made later: its first pages hold `{{` or the like."""
    start = instruction.document.file.text[:20_000]
    return any(mark in start for mark in ("{{", "{%", "<%", "@@"))


def _whole_word(span: Span, instruction: Instruction) -> Span:
    """Return the span of the keyword that starts where a problem does: `if`, not its first letter."""
    text = instruction.document.file.text
    end = span.end
    while text[span.start].isalpha() and end < len(text) and text[end].isalpha():
        end += 1
    return Span(span.start, end)


_LEADING: Final = Pattern(r"[ \t\r\n]*(&&|\|\|?|;|&)")
_DANGLING: Final = Pattern(r"(?:[ \t\r]|\\\n)*(&&|\|\|?)(?:[ \t\r\n]|\\\n|#[^\n]*)*$")


CHECKS: Final[Mapping[str, Check]] = {
    "HD901": pipe_without_pipefail,
    "HD902": lost_shell_state,
    "HD903": cd_instead_of_workdir,
    "HD906": background_process,
    "HD910": unchecked_failure,
    "HD911": broken_shell,
    "HD912": ignored_failure,
}
