"""Checks on downloads in RUN: what runs code from the network, and what keeps files that nothing has verified."""

import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from hardener.finding import Match, Severity
from hardener.record import NamedTuple
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.fetches import (
    INTERPRETERS,
    Fetch,
    is_check,
    is_fetcher,
    is_loopback,
    is_unprotected,
    may_fetch,
    read_fetch,
    redirected_to,
    remote_runs,
    shown,
    upstream,
    where,
)
from hardener.sources.instructions import Instruction
from hardener.sources.options import options, program
from hardener.sources.shell import Command, Word
from hardener.text import Pattern, Place, Span

_PROGRAM_FOLDERS: Final = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"})
_COPY_IN_PHP: Final = Pattern(r"""copy\(\s*['"](https?://[^'"]+)['"]\s*,\s*['"]([^'"]+)['"]""")
_RETRIEVE_IN_PYTHON: Final = Pattern(r"""urlretrieve\(\s*['"](https?://[^'"]+)['"]\s*,\s*['"]([^'"]+)['"]""")


def remote_script(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD501: code from the network goes straight into an interpreter."""
    for run in remote_runs(instruction):
        unprotected = run.where.startswith("http://") if run.fetch is None else is_unprotected(run.fetch)
        related = () if run.fetch is None else ((run.fetch.span, "this is what it runs"),)
        yield Match(run.runner.span, {"runner": run.name, "where": run.where}, related, severity=Severity.HIGH if unprotected else None)


def downloaded_script(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD502: a file is downloaded and run in the same RUN, and no checksum or signature stands between."""
    yield from _later_runs(instruction)


@lru_cache(maxsize=1)
def _later_runs(instruction: Instruction) -> tuple[Match, ...]:
    """Return the matches of HD502; the rules on what does not run ask for them, too."""
    script = instruction.script
    if script is None or not may_fetch(script.view.text):
        return ()
    found: list[Match] = []
    downloads: dict[str, _Download] = {}  # by base name
    for command in script.commands:
        if is_check(command):
            downloads.clear()
            continue
        ran = _runs(command) if downloads else None
        if ran is not None:
            download = downloads.get(_base(ran.text))
            in_path = ran is command.name_word and script.dialect in ("sh", "bash")
            if download is not None and _is_same(ran.text, download.path, in_path=in_path):
                del downloads[_base(ran.text)]
                source = download.source
                severity = Severity.HIGH if is_fetcher(source) and is_unprotected(source) else None
                values = {"file": ran.text, "where": download.address}
                found.append(Match(ran.span, values, ((source.span, "it is downloaded here"),), severity=severity))
        for path, address in _downloads(command):
            downloads[_base(path)] = _Download(path, address, command)
    return tuple(found)


class _Download(NamedTuple):
    path: str
    address: str
    source: Command


def _base(path: str) -> str:
    return posixpath.basename(path.replace("\\", "/"))


def _downloads(command: Command) -> Iterator[tuple[str, str]]:
    """Yield file and address of what a command downloads."""
    if is_fetcher(command):
        fetch = read_fetch(command)
        if not any(is_loopback(word.text) for word in fetch.urls):
            address = where(command)
            yield from ((name, address) for name in fetch.files)
    elif command.name == "tee" or command.redirects:
        source = next((source for source in upstream(command) if is_fetcher(source)), None)
        if source is not None:
            names = (
                (word.text for word in command.args if not word.text.startswith("-")) if command.name == "tee" else redirected_to(command)
            )
            yield from ((name, where(source)) for name in names)
    elif command.name == "php" or command.name.startswith("python"):
        for word in command.args:
            for pattern in (_COPY_IN_PHP, _RETRIEVE_IN_PYTHON):
                yield from ((match[2], shown(match[1])) for match in pattern.finditer(word.text))


def _runs(command: Command) -> Word | None:
    """Return the word that names the file which a command runs."""
    name = program(command)
    if name in INTERPRETERS or name in (".", "source"):
        operands = options(command).operands
        if name not in ("sh", "bash", ".", "source", "python") and operands and operands[0].text.startswith("-"):
            return None
        return operands[0] if operands else None
    if name == "java":
        jar = next((at for at, word in enumerate(command.args[:-1]) if word.text == "-jar"), None)
        return None if jar is None else command.args[jar + 1]
    if name in ("start-process", "msiexec"):
        found = options(command)
        flag = found.flag("-filepath")
        candidates = (*(() if flag is None or flag.value_word is None else (flag.value_word,)), *found.operands)
        return next((word for word in candidates if not word.text.startswith(("/", "-"))), None)
    return command.name_word


def _is_same(ran: str, path: str, *, in_path: bool) -> bool:
    """Whether a run may mean a download of the same base name; `in_path`: a bare word is looked for in PATH, not here."""
    if in_path and "/" not in ran:
        return posixpath.dirname(path) in _PROGRAM_FOLDERS
    return ran == path or not (ran.startswith("/") and path.startswith("/"))


def unverified_download(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD503: a download is kept or unpacked, and nothing in its RUN checks it."""
    for fetch in _unchecked(instruction):
        keeps = bool(fetch.files) or any(
            program(command) in ("tar", "bsdtar", "cpio", "unzip", "gunzip", "tee") for command in _behind(fetch.command)
        )
        if keeps and fetch.urls and not _is_key(fetch):
            yield Match(fetch.urls[0].span, {"where": shown(fetch.urls[0].text)})


def unverified_key(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD504: a signing key is downloaded and trusted, and nothing compares its fingerprint."""
    for fetch in _unchecked(instruction):
        if fetch.urls and _is_key(fetch) and not any(command.name == "apt-key" for command in _behind(fetch.command)):
            yield Match(fetch.urls[0].span, {"where": shown(fetch.urls[0].text)})


_KEY_FILE: Final = Pattern(r"/(?:keyrings|trusted\.gpg\.d|apk/keys|rpm-gpg)/|\.(?:gpg|asc)$|RPM-GPG-KEY")


def _is_key(fetch: Fetch) -> bool:
    """Whether a download is a key that a package manager will trust."""
    if any(program(command) in ("gpg", "apt-key") for command in _behind(fetch.command)):
        return True
    names = (*fetch.files, *(name for command in _behind(fetch.command) for name in _written(command)))
    return any(_KEY_FILE.search(name) for name in names)


def _written(command: Command) -> Iterator[str]:
    yield from redirected_to(command)
    if command.name == "tee":
        yield from (word.text for word in command.args)


def _behind(command: Command) -> tuple[Command, ...]:
    """Return the commands that a command's output is piped into."""
    members = command.pipeline.commands[:100]
    at = next((index for index, member in enumerate(members) if member is command), len(members))
    return tuple(inner for member in members[at + 1 :] for inner in member.inner)


@lru_cache(maxsize=1)
def _unchecked(instruction: Instruction) -> tuple[Fetch, ...]:
    """Return the downloads of a RUN that has no check at all; those that run, and those over plain HTTP, have rules of their own."""
    fetches = []
    for command in _neither_checked_nor_run(instruction):
        if is_fetcher(command):
            fetch = read_fetch(command)
            if fetch.urls and not is_loopback(fetch.urls[0].text) and not fetch.urls[0].text.startswith("http://"):
                fetches.append(fetch)
    return tuple(fetches)


def _neither_checked_nor_run(instruction: Instruction) -> tuple[Command, ...]:
    """Return the commands of a RUN without those that HD501 and HD502 report; none when something in it checks a download."""
    script = instruction.script
    if script is None or not may_fetch(script.view.text) or any(is_check(command) for command in script.commands):
        return ()
    ran: set[Span | Place] = {run.fetch.span for run in remote_runs(instruction) if run.fetch is not None}
    ran.update(match.related[0][0] for match in _later_runs(instruction))
    return tuple(command for command in script.commands if command.span not in ran) if ran else script.commands


_FETCHES_OF_GIT: Final = frozenset({"clone", "fetch", "pull", "submodule add", "remote add"})
_NO_TRANSFER: Final = ("-I", "--head", "--spider")


def plain_http(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD511: something is fetched over plain HTTP and not checked afterwards."""
    script = instruction.script
    if script is None or "http://" not in script.view.text:
        return
    for command in _neither_checked_nor_run(instruction):
        severity = None
        if is_fetcher(command):
            if options(command).has(*_NO_TRANSFER):
                continue
            fetch = read_fetch(command)
            words = fetch.urls
            severity = Severity.HIGH if _is_key(fetch) else None
        elif program(command) == "git" and options(command).subcommand in _FETCHES_OF_GIT:
            words = options(command).operands
        else:
            continue
        for word in words:
            if word.text.startswith("http://") and not is_loopback(word.text):
                yield Match(word.span, {"where": shown(word.text)}, severity=severity)


CHECKS: Final[Mapping[str, Check]] = {
    "HD501": remote_script,
    "HD502": downloaded_script,
    "HD503": unverified_download,
    "HD504": unverified_key,
    "HD511": plain_http,
}
