"""Checks on ADD, EXPOSE, and how curl and wget are called."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Edit, Fix, Match, Severity
from hardener.rules.checks import Check
from hardener.rules.checks.origins import is_git_source
from hardener.rules.context import Context
from hardener.rules.fetches import is_loopback, read_fetch, shown
from hardener.rules.reading import commands_of, known, partial
from hardener.sources.commands import Invocation
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import HEREDOC_WORD, Instruction
from hardener.sources.options import program
from hardener.sources.stages import Stage
from hardener.text import Pattern, Span

# --- ADD --------------------------------------------------------------------------------------------------------------------

_URL: Final = Pattern(r"https?://", re.IGNORECASE)
_ARCHIVE: Final = Pattern(r"\.(?:tar(?:\.\w+)?|t?gz|tb2|tbz2?|t?xz|tlz|lzma|bz2|t?zst|txz|Z|taz)$")
_ONLY_ADD: Final = ("checksum", "keep-git-dir", "unpack")


def unverified_url(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD513: ADD of a URL without `--checksum`."""
    if instruction.flag("checksum") is not None:
        return
    for word in instruction.words[:-1]:
        text = partial(word, instruction)
        if _URL.match(text) and not is_git_source(text):
            severity = Severity.HIGH if text.lower().startswith("http://") else None
            yield Match(word.span, {"where": shown(text.replace(HOLE, "…"))}, severity=severity)


def add_for_copy(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD515: ADD of plain local files, where COPY says what is meant."""
    sources = instruction.words[:-1]
    if not sources or instruction.flag("unpack") is not None:
        return
    for word in sources:
        text = known(word, instruction)
        if text is None or _URL.match(text) or is_git_source(text) or "://" in text or _ARCHIVE.search(text):
            return
        if re.search(r"[*?\[]", text.rpartition(".")[2]):  # may match an archive
            return
    written = instruction.document.file.slice(instruction.keyword)
    fix = None
    if not any(instruction.flag(name) is not None for name in _ONLY_ADD) and written.upper() == "ADD":
        fix = Fix((Edit(instruction.keyword, "copy" if written.islower() else "COPY"),), "safe", "Replace ADD with COPY")
    shown_source = "a heredoc" if HEREDOC_WORD.match(sources[0].raw) else sources[0].text
    yield Match(instruction.keyword, {"source": shown_source}, fix=fix)


# --- curl and wget ----------------------------------------------------------------------------------------------------------

_CURL_OR_WGET: Final = frozenset({"curl", "wget"})
_FAILS: Final = ("-f", "--fail", "--fail-with-body", "-w", "--write-out", "-K", "--config", "-I", "--head")


def both_fetchers(stage: Stage, context: Context) -> Iterator[Match]:
    """HD516: a stage uses curl and wget; reported at the first use of whichever comes second."""
    first = ""
    for instruction in stage.instructions:
        if instruction.name == "RUN":
            for command in commands_of(instruction, _CURL_OR_WGET):
                name = program(command)
                if first and name != first and command.name_word is not None:
                    yield Match(command.name_word.span, {"second": name, "first": first})
                    return
                first = name


def wget_progress(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD517: wget draws its progress bar into the build log."""
    found = invocation.options
    word = invocation.command.name_word
    quiet = (
        "-q",
        "--quiet",
        "-nv",
        "--no-verbose",
        "-o",
        "--output-file",
        "-a",
        "--append-output",
        "--progress",
        "-V",
        "--version",
        "-h",
        "--help",
    )
    if word is not None and found.operands and not found.has(*quiet, "--spider"):
        yield Match(word.span)


def curl_without_fail(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD518: curl takes an error page for the file."""
    found = invocation.options
    fetch = read_fetch(invocation.command)
    if not fetch.urls or found.has(*_FAILS) or _is_unclear(invocation) or found.value("-o", "--output") == "/dev/null":
        return
    if invocation.command.name_word is not None:
        yield Match(invocation.command.name_word.span, {"where": shown(fetch.urls[0].text)})


def health_without_fail(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD522: a health check that is content with any HTTP answer, since nothing looks at the status or the text."""
    found = invocation.options
    command = invocation.command
    members = command.pipeline.commands
    if found.has(*_FAILS) or _is_unclear(invocation) or not found.operands or command.script.parent is not None:
        return
    if members and members[-1] is command and command.name_word is not None:
        yield Match(command.name_word.span)


def _is_unclear(invocation: Invocation) -> bool:
    """Whether a word may bring further options: a bare variable, or a list in quotes."""
    return any(
        not word.static and ((not word.quoted and word.raw.startswith("$")) or "[@]" in word.raw or "$@" in word.raw)
        for word in invocation.command.args
    )


def curl_without_location(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD519: curl stops at a redirect."""
    found = invocation.options
    fetch = read_fetch(invocation.command)
    word = invocation.command.name_word
    if (
        word is None
        or not fetch.urls
        or found.has("-L", "--location", "--location-trusted", "-K", "--config", "-I", "--head", "-w", "--write-out")
    ):
        return
    if not is_loopback(fetch.urls[0].text) and not _is_unclear(invocation):
        yield Match(word.span)


# --- EXPOSE -----------------------------------------------------------------------------------------------------------------

_PORT: Final = Pattern(r"(\d{1,5})(?:-(\d{1,5}))?(?:/\w+)?")
LOGIN_PORTS: Final = {
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    512: "rexec",
    513: "rlogin",
    514: "rsh",
    2375: "the Docker API without TLS",
    3389: "remote desktop",
    5900: "VNC",
    5901: "VNC",
    9229: "the Node.js debugger",
}
"""Ports of servers that let somebody into a container, beside its program."""


def _ports(instruction: Instruction) -> Iterator[tuple[range, str, Span]]:
    """Yield the ports of each word of EXPOSE, ranges included, with the word's text and span."""
    for word in instruction.words:
        text = known(word, instruction)
        for part in text.split() if text is not None else ():
            match = _PORT.fullmatch(part)
            if match is not None:
                first = int(match[1])
                last = min(int(match[2] or first), 65535)
                yield range(first, last + 1), part, word.span


def login_port(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD520: a port for logging in or debugging is exposed."""
    for ports, text, span in _ports(instruction):
        hits = [port for port in LOGIN_PORTS if port in ports]
        if hits:
            severity = Severity.HIGH if 2375 in hits else None
            yield Match(span, {"port": text, "use": " and ".join(dict.fromkeys(LOGIN_PORTS[port] for port in hits))}, severity=severity)


def privileged_port(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD521: a port below 1024 is exposed."""
    for ports, text, span in _ports(instruction):
        if 0 < ports.start < 1024 and not any(port in ports for port in LOGIN_PORTS):
            yield Match(span, {"port": text})


CHECKS: Final[Mapping[str, Check]] = {
    "HD513": unverified_url,
    "HD515": add_for_copy,
    "HD516": both_fetchers,
    "HD517": wget_progress,
    "HD518": curl_without_fail,
    "HD519": curl_without_location,
    "HD520": login_port,
    "HD521": privileged_port,
    "HD522": health_without_fail,
}
