"""Checks on how a Dockerfile is written: what Docker refuses, what it reads otherwise than was meant, and what readers stumble over."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check, copies, environment, ports, stages
from hardener.rules.context import Context
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.instructions import NOT_STRINGS, Instruction, Mount, MountOption, Problem
from hardener.sources.stages import Stage
from hardener.text import Pattern, Span

# A quote right behind the bracket, or a first item that ends with a comma or closes the line: `[ -f x ]` is a test of the shell.
_LOOKS_LIKE_JSON = Pattern(r"""\[["'“‘]|\[\s*(?:"[^"]*"|'[^']*'|[“”‘’][^“”‘’]*[“”‘’]|[^\s,\[\]"']+)\s*(?:,|\]\s*$)""")
_BETWEEN = Pattern(r"[\s\\`]*")
_DIRECTIVE = Pattern(r"([a-z]{3,12})\s*=\s*(\S+)", re.IGNORECASE)
_FRONTEND = Pattern(r"(?:[\w.-]+/)*docker/dockerfile\S*|[\w.-]+(?:/[\w.-]+)+:\S+")
_OTHERS_SHOWN: Final = 10


# --- what Docker refuses ------------------------------------------------------------------------------------------------------


def first_of_a_row(problem: Problem, context: Context) -> Iterator[Match]:
    """Yield a problem unless the one before it is of the same kind and touches it: a row of bad words or lines has one cause."""
    problems = context.document.problems
    at = bisect_left(problems, problem.span, key=lambda other: other.span)
    if at:
        before = problems[at - 1]
        text = context.document.file.text
        if before.code == problem.code and before.span.end <= problem.span.start:
            if problem.code == "unknown-instruction":
                file = context.document.file
                if file.line_of(problem.span.start) - file.line_of(before.span.start) == 1:
                    return
            elif _BETWEEN.fullmatch(text, before.span.end, problem.span.start):
                return
    yield Match(problem.span)


def malformed_exec_form(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield what looks like a JSON array and is none."""
    view = instruction.command_view
    if not view.text.startswith("[") or instruction.json is not None or instruction.json_error == NOT_STRINGS:
        return
    if _LOOKS_LIKE_JSON.match(view.text):
        shell = instruction.name in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK")
        what = "so Docker hands the whole line to a shell" if shell else "so Docker takes it as plain words"
        yield Match(view.span(0, len(view.text)), {"why": instruction.json_error, "what": what})


# Source: BuildKit's instructions/commands_runmount.go.
_MOUNT_KINDS: Final = ("bind", "cache", "tmpfs", "secret", "ssh")
_MOUNT_KEYS: Final = (
    "type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "required", "size", "id",
    "sharing", "mode", "uid", "gid", "env",
)  # fmt: skip
_MOUNT_SWITCHES: Final = frozenset({"readonly", "ro", "readwrite", "rw", "required"})
_MOUNT_BOOLEANS: Final = frozenset({"1", "t", "true", "0", "f", "false"})
_SHARING: Final = frozenset({"shared", "private", "locked"})
_MODE = Pattern(r"[0-7]+")
_ID = Pattern(r"[0-9]+", re.ASCII)


def invalid_mount(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield options of `--mount` that BuildKit refuses."""
    if not instruction.flags:
        return
    for mount in instruction.mounts:
        if '"' in context.document.file.slice(mount.span):
            continue  # CSV quoting, where a comma need not separate
        for option in mount.options:
            why = _mount_option(option, mount)
            if why:
                yield Match(option.span, {"why": why})
                break
        else:
            if mount.kind == "secret" and mount.get("id", "source", "src", "target", "dst", "destination") is None:
                yield Match(mount.span, {"why": "a secret mount needs an id"})


def _mount_option(option: MountOption, mount: Mount) -> str:
    key, value = option.key, option.value
    if key not in _MOUNT_KEYS:
        from hardener.errors import suggest

        hint = suggest(key, _MOUNT_KEYS)
        return f"mounts have no option {key!r}" + (f", {hint}" if hint else "")
    if value is None:
        return "" if key in _MOUNT_SWITCHES else f"{key} needs a value"
    if "$" in value:
        return ""
    if key == "type" and value.lower() not in _MOUNT_KINDS:
        return f"{value!r} is no type of mount; there are {', '.join(_MOUNT_KINDS)}"
    if "$" in mount.kind:
        return ""
    match key:
        case "sharing":
            if value.lower() not in _SHARING:
                return f"sharing is shared, private or locked, not {value!r}"
            if mount.kind != "cache":
                return f"a {mount.kind} mount has no sharing"
        case "uid" | "gid" | "mode":
            if mount.kind not in ("secret", "ssh", "cache"):
                return f"a {mount.kind} mount has no {key}"
            if not (_MODE if key == "mode" else _ID).fullmatch(value):
                return f"{key} is a number, not {value!r}"
        case "required":
            if mount.kind not in ("secret", "ssh"):
                return f"a {mount.kind} mount cannot be required"
        case "size":
            if mount.kind != "tmpfs":
                return f"a {mount.kind} mount has no size"
        case "from":
            if mount.kind == "secret":
                return "a secret mount has no from"
    if key in _MOUNT_SWITCHES and value.lower() not in _MOUNT_BOOLEANS:
        return f"{key} is true or false, not {value!r}"
    return ""


# --- what is read otherwise than meant ----------------------------------------------------------------------------------------


def ignored_directive(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield comments that were meant as parser directives and are none, because of their place or their spelling."""
    directives = {directive.line for directive in document.directives}
    refused = {document.file.line_of(problem.span.start) for problem in document.problems if problem.code == "bad-directive"}
    first_line = document.instructions[0].line if document.instructions else 0
    for comment in document.comments:
        if comment.inside or "=" not in comment.text or comment.line in directives or comment.line in refused:
            continue
        match = _DIRECTIVE.fullmatch(comment.text)
        if match is None:
            continue
        name, value = match[1].lower(), match[2]
        if name == "syntax" and comment.line == 2 and document.file.text.startswith("#!"):
            continue  # BuildKit looks for this one behind a shebang
        if (name == "escape" and value in ("\\", "`")) or (name == "syntax" and _FRONTEND.fullmatch(value)):
            yield Match(comment.span, {"name": name, "why": "it must stand above every other line but directives"})
        elif comment.line < first_line and name not in ("syntax", "escape", "check") and _FRONTEND.fullmatch(value):
            from hardener.rules.variables import nearest

            if nearest(name, ("syntax",)) or name in ("syntaxe", "sintax", "syntx"):
                yield Match(comment.span, {"name": name, "why": "the directive is called syntax"})


def crlf_in_heredoc(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield the first heredoc with a script whose lines end in CR LF; the others of the file have the same cause."""
    if "\r\n" not in document.file.text:
        return
    found: list[Span] = []
    for instruction in document.all_instructions():
        for heredoc in instruction.heredocs:
            body = heredoc.body.text
            if "\r\n" not in body or not (body.startswith("#!") or _is_shell_script(instruction)):
                continue
            found.append(heredoc.marker)
    if found:
        yield Match(found[0], related=tuple((span, "and here") for span in found[1 : _OTHERS_SHOWN + 1]))


def _is_shell_script(instruction: Instruction) -> bool:
    """Whether the heredoc of a RUN is what a Unix shell reads."""
    if instruction.name != "RUN" or len(instruction.heredocs) != 1 or instruction.script is None:
        return False
    if instruction.script.dialect not in ("sh", "bash"):
        return False
    marker = instruction.heredocs[0].marker
    return instruction.rest.span(0, len(instruction.text)) == marker or instruction.text.split(None, 1)[0] in ("sh", "bash", "/bin/sh")


# --- style --------------------------------------------------------------------------------------------------------------------


def mixed_case(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield the first keyword that is not written like most of the file; the rest are related."""
    lower = upper = 0
    odd: list[tuple[Span, str]] = []
    for instruction in document.instructions:
        if not instruction.is_known:
            continue
        word = document.file.slice(instruction.keyword)
        if word.isupper():
            upper += 1
        elif word.islower():
            lower += 1
        odd.append((instruction.keyword, word))
    style, right = ("lower case", str.islower) if lower > upper else ("upper case", str.isupper)
    wrong = [(span, word) for span, word in odd if not right(word) and word.isalpha()]
    if wrong:
        others = len(wrong) - 1
        more = f" (and {others} more)" if others else ""
        related = tuple((span, "and here") for span, _ in wrong[1 : _OTHERS_SHOWN + 1])
        yield Match(wrong[0][0], {"keyword": wrong[0][1], "style": style, "more": more}, related)


def from_as_case(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield an `as` that is not written like its FROM."""
    words = stage.origin.words
    if stage.name_word is None:
        return
    keyword = context.document.file.slice(stage.origin.keyword)
    word = words[1].raw
    if (keyword.isupper() and not word.isupper()) or (keyword.islower() and not word.islower()):
        yield Match(words[1].span, {"as": word, "from": keyword})


def upper_case_stage_name(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield stage names with capitals."""
    word = stage.name_word
    if word is not None and word.raw != word.raw.lower():
        yield Match(word.span, {"name": word.raw, "lower": word.raw.lower()})


CHECKS: Final[Mapping[str, Check]] = {
    "HD801": first_of_a_row,
    "HD807": first_of_a_row,
    "HD812": first_of_a_row,
    "HD814": malformed_exec_form,
    "HD839": crlf_in_heredoc,
    "HD840": ignored_directive,
    "HD842": mixed_case,
    "HD843": from_as_case,
    "HD844": upper_case_stage_name,
    "HD845": invalid_mount,
    **stages.CHECKS,
    **copies.CHECKS,
    **ports.CHECKS,
    **environment.CHECKS,
}
