"""Checks on where packages and sources come from: signing keys, package sources over plain HTTP, git references that move."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.fetches import is_loopback, shown
from hardener.rules.reading import commands_of, known, partial, shell_view
from hardener.sources.commands import Invocation
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import Instruction
from hardener.sources.options import options
from hardener.sources.shell import Command, Word
from hardener.text import Pattern, Span, View

# --- keys -------------------------------------------------------------------------------------------------------------------

_FINGERPRINT: Final = Pattern(r"(?:0x)?[0-9A-Fa-f]{40}")
_SHORT_ID: Final = Pattern(r"(?:0x)?[0-9A-Fa-f]{8}")


def apt_key(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD505: apt-key makes a key valid for every source; milder when a full fingerprint names the key."""
    found = invocation.options
    if found.subcommand in ("add", "adv") and found.subcommand_words:
        by_fingerprint = found.subcommand == "adv" and any(_FINGERPRINT.fullmatch(word.text) for word in found.operands)
        name = invocation.command.name_word or found.subcommand_words[0]
        span = Span(name.span.start, found.subcommand_words[-1].span.end)
        yield Match(span, {"action": found.subcommand}, severity=Severity.LOW if by_fingerprint else None)


def short_key_id(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD506: a key is fetched by the last eight digits of its fingerprint."""
    found = invocation.options
    if found.has("--recv-keys", "--recv-key", "--receive-keys", "--recv"):
        for word in found.operands:
            if _SHORT_ID.fullmatch(word.text):
                yield Match(word.span, {"key": word.text})


# --- package sources over plain HTTP ----------------------------------------------------------------------------------------

# Options and settings that name a server; the packages that come from there carry no signature that would be checked.
_SOURCE_FLAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "pip": ("-i", "--index-url", "--extra-index-url", "-f", "--find-links"),
    "uv": ("-i", "--index-url", "--extra-index-url", "--index", "--default-index", "-f", "--find-links"),
    "npm": ("--registry",),
    "pnpm": ("--registry",),
    "yarn": ("--registry",),
    "bun": ("--registry",),
    "gem": ("-s", "--source", "-a", "--add"),
    "conda": ("-c", "--channel", "--add"),
    "helm": ("--repo",),
    "dotnet": ("-s", "--source"),
    "choco": ("-s", "--source"),
    "cargo": ("--registry", "--index"),
}
# Sub-commands after which any operand may be a server or a package file.
_SOURCE_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "pip": ("config", "config set", "install", "download"),
    "npm": ("config", "config set", "install"),
    "pnpm": ("config", "config set", "install", "add"),
    "yarn": ("config", "config set", "add"),
    "gem": ("sources", "install"),
    "conda": ("config", "install"),
    "helm": ("repo add",),
    "composer": ("config",),
    "bundle": ("config",),
    "poetry": ("source add", "config"),
    "dotnet": ("nuget add",),
    "dnf": ("install", "localinstall", "config-manager"),
    "yum": ("install", "localinstall"),
    "yum-config-manager": ("",),
    "rpm": ("",),
}
_SOURCE_PROGRAMS: Final = frozenset({*_SOURCE_FLAGS, *_SOURCE_COMMANDS})
_SIGNED: Final = frozenset({"dnf", "yum", "yum-config-manager", "rpm"})
_SOURCE_VARIABLES: Final = Pattern(
    r"PIP_(?:EXTRA_)?INDEX_URL|PIP_FIND_LINKS|UV_(?:EXTRA_|DEFAULT_)?INDEX(?:_URL)?|NPM_CONFIG_REGISTRY|YARN_(?:NPM_REGISTRY_SERVER|REGISTRY)|"
    r"GOPROXY|BUNDLE_MIRROR\w*|GEM_SOURCE|CONDA_CHANNELS|NUGET_SOURCE",
    re.IGNORECASE,
)
_APT_SOURCE: Final = Pattern(r"(?m)\bdeb(?:-src)?[ \t]+(?:\[[^\]\n]*\][ \t]+)?(http://[^\s\"']+)")
_OFFICIAL_APT: Final = Pattern(r"http://(?:[\w.-]+\.)?(?:debian\.org|ubuntu\.com|raspbian\.org|kali\.org)(?:[:/]|$)")
_PLAIN_URL: Final = Pattern(r"http://[^\s,|\"']+")


def plain_http_source(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD512: packages come over plain HTTP; mild where the package manager checks signatures, and silent for distributions' own servers."""
    if instruction.name in ("ENV", "ARG"):
        for pair in instruction.pairs:
            if pair.value is None:
                continue
            text = partial(pair.value, instruction)
            if "http://" in text and _SOURCE_VARIABLES.fullmatch(pair.key.text):
                url = _PLAIN_URL.search(text)
                if url is not None and not is_loopback(url[0]) and HOLE not in url[0]:
                    yield Match(pair.value.span, {"where": shown(url[0])})
        return
    if instruction.name == "RUN":
        for command in commands_of(instruction, _SOURCE_PROGRAMS):
            yield from _named_servers(command)
    for view in _texts(instruction):
        if "http://" in view.text:
            for match in _APT_SOURCE.finditer(view.text):
                if not _OFFICIAL_APT.match(match[1]) and not is_loopback(match[1]):
                    yield Match(view.span(*match.span(1)), {"where": shown(match[1])}, severity=Severity.LOW)


def _named_servers(command: Command) -> Iterator[Match]:
    found = options(command)
    words: list[Word] = [
        flag.value_word for flag in found.flags if flag.name in _SOURCE_FLAGS.get(found.program, ()) and flag.value_word is not None
    ]
    if found.subcommand in _SOURCE_COMMANDS.get(found.program, ()):
        words += found.operands
    severity = Severity.LOW if found.program in _SIGNED else None
    for word in words:
        at = word.text.find("http://")
        if at >= 0 and not is_loopback(word.text[at:]) and (at == 0 or word.text[at - 1] in "=+ @"):
            yield Match(word.part(at, len(word.text)), {"where": shown(word.text[at:])}, severity=severity)


def _texts(instruction: Instruction) -> Iterator[View]:
    if instruction.name == "RUN":
        view = shell_view(instruction)
        if view is not None:
            yield view
    yield from (heredoc.body for heredoc in instruction.heredocs if instruction.name in ("COPY", "ADD"))


# --- git --------------------------------------------------------------------------------------------------------------------

# Source: BuildKit's util/gitutil and dfgitutil.
_GIT_SOURCE: Final = Pattern(
    r"(?:git@[\w.-]+:|ssh://|git://)\S+|https?://[^\s#?]+\.git(?:[#?]\S*)?|(?:github|gitlab)\.com/[^\s/]+/[^\s/]+(?:#\S*)?"
)
_COMMIT: Final = Pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED: Final = Pattern(r"[0-9a-f]{7,64}")
_PINNED_QUERY: Final = Pattern(r"[?&](?:checksum|commit)=[0-9a-f]{7,}")
_REMOTE: Final = Pattern(r"(?:[a-z+]+://|[\w.-]+@[\w.-]+:)")
_GIT: Final = frozenset({"git"})


def is_git_source(text: str) -> bool:
    """Whether ADD takes a source for a git repository."""
    return _GIT_SOURCE.fullmatch(text) is not None


def moving_git_source(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD514: ADD or `git clone` takes what a branch or tag is at the moment, not a commit."""
    if instruction.name == "ADD":
        if instruction.flag("checksum") is None:
            for word in instruction.words[:-1]:
                text = known(word, instruction)
                if text is not None and is_git_source(text) and not _PINNED_QUERY.search(text):
                    reference = text.partition("#")[2].partition(":")[0]
                    if not _COMMIT.fullmatch(reference):
                        yield Match(word.span, {"what": reference or "the default branch"})
        return
    clones: list[tuple[Word, str]] = []
    for command in commands_of(instruction, _GIT):
        found = options(command)
        if found.subcommand == "clone":
            clone = _clone(command)
            if clone is not None:
                clones.append(clone)
        elif found.subcommand in ("checkout", "reset", "switch", "fetch", "submodule update", "worktree", "verify-commit", "verify-tag"):
            given = (*found.operands, *(flag.value_word for flag in found.flags if flag.value_word is not None))
            if any(not word.static or _ABBREVIATED.fullmatch(word.text) for word in given) or found.subcommand.startswith("verify"):
                clones.clear()
    for repository, reference in clones:
        yield Match(repository.span, {"what": reference})


def _clone(command: Command) -> tuple[Word, str] | None:
    """Return the repository and the reference of a clone that a later checkout might pin; None when it is pinned or local."""
    found = options(command)
    if not found.operands or not _REMOTE.match(found.operands[0].text) or found.has("--revision"):
        return None
    branch = found.flag("-b", "--branch")
    if branch is None:
        return found.operands[0], "the default branch"
    if branch.value_word is None or not branch.value_word.static:
        return None
    return branch.value_word, branch.value_word.text


CHECKS: Final[Mapping[str, Check]] = {
    "HD505": apt_key,
    "HD506": short_key_id,
    "HD512": plain_http_source,
    "HD514": moving_git_source,
}
