"""Checks on credentials that stand in a Dockerfile, judged by value, and on build arguments that carry them."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.facts import PairSubject
from hardener.rules.reading import commands_of, shell_view, ships
from hardener.rules.secrets import Secret
from hardener.rules.secrets.names import Likeness, is_secret_name
from hardener.rules.variables import uses
from hardener.sources.instructions import Instruction, Pair
from hardener.sources.instructions import Word as InstructionWord
from hardener.sources.options import options
from hardener.sources.shell import Command
from hardener.sources.stages import Stage
from hardener.text import Pattern, Span, View

_WITH_COMMAND: Final = frozenset({"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"})
_BY_NAME: Final = frozenset({"password", "weak-password", "secret", "random-value"})  # no format: the name or the place says it
_OF_ACCOUNT: Final = "password of an account"  # HD206 tells of those
_URL: Final = "url-password"


@lru_cache(maxsize=4)
def _scan(text: str) -> tuple[Secret, ...]:
    """Return the secrets of a text; several rules ask for the same one in a row."""
    from hardener.rules.secrets.detect import scan

    return tuple(scan(text))


# What follows `password=` in the left half of `sed s/password=.*/password=x/` is a pattern; the right half is the value.
_PATTERN: Final = Pattern(r"(?:\.[*+]|\[\^|\\[(wS]|\$/)[^/]*/?")
_SED_END: Final = r"/[gIip]*$"


def secrets_in(view: View) -> Iterator[tuple[Secret, Span]]:
    """Yield each secret of a text and its place in the file."""
    for secret in _scan(view.text):
        pattern = _PATTERN.match(view.text, secret.start, secret.end) if secret.kind in _BY_NAME else None
        if pattern is None:
            yield secret, view.span(secret.start, secret.end)
            continue
        start = secret.start if pattern[0].startswith("$/") else pattern.end()
        for inner in _scan(re.sub(_SED_END, "", view.text[start : secret.end])):
            moved = inner._replace(start=start + inner.start, end=start + inner.end)
            if not _PATTERN.match(view.text, moved.start, moved.end):
                yield moved, view.span(moved.start, moved.end)


def holds_secret(view: View, span: Span) -> bool:
    """Whether a secret begins within a range of the file."""
    starts = _starts(view)
    at = bisect_left(starts, span.start)
    return at < len(starts) and starts[at] < span.end


@lru_cache(maxsize=1)
def _starts(view: View) -> tuple[int, ...]:
    return tuple(span.start for _, span in secrets_in(view))


def _redacted(text: str) -> str:
    from hardener.rules.secrets.values import redact

    return redact(text)


def _match(secret: Secret, span: Span, text: str, **more: str) -> Match:
    return Match(span, {"title": secret.title, "shown": _redacted(text), "reason": secret.why, **more}, severity=secret.severity)


# --- variables and labels ---------------------------------------------------------------------------------------------------


def secret_value(subject: PairSubject, context: Context) -> Iterator[Match]:
    """HD301: the value of an ENV, ARG or LABEL is a credential."""
    found = _judged(subject.pair)
    if found is not None and found[0].kind != _URL:
        secret, span, text = found
        yield _match(secret, span, text, name=subject.pair.key.text, instruction=subject.instruction.name)


def _judged(pair: Pair) -> tuple[Secret, Span, str] | None:
    """Return the secret in a pair's value, its place, and its text."""
    word = pair.value
    if word is None or not word.text:
        return None
    from hardener.rules.secrets.detect import judge

    text = word.text
    secret = judge(text, name=pair.key.text)
    if secret is None:
        return None
    found = text[secret.start : secret.end]
    return secret, _place(word, found, secret.start), found


def _place(word: InstructionWord, found: str, start: int) -> Span:
    """Return where a part of a word's text stands; the whole word when quotes or escapes inside hide it."""
    at = start if word.raw == word.text else word.raw.find(found)
    return word.span if at < 0 else word.view.span(at, at + len(found))


def secret_name(subject: PairSubject, context: Context) -> Iterator[Match]:
    """HD302: an ARG is there to carry a secret, or an ENV or LABEL keeps one that is passed in."""
    pair, instruction = subject.pair, subject.instruction
    if pair.value is None:
        if instruction.name == "ARG" and pair.key.text.isidentifier() and is_secret_name(pair.key.text) >= Likeness.SECRET:
            yield Match(pair.key.span, {"what": f"the build argument {pair.key.text} is meant to carry a secret"})
        return
    if instruction.name == "ARG" or "$" not in pair.value.raw or instruction.stage is None:
        return
    for use in uses(pair.value.view):
        if is_secret_name(use.name) >= Likeness.SECRET and _is_argument(instruction.stage, use.name, instruction.index):
            what = f"{instruction.name} {pair.key.text} stores the build argument {use.name} in the image for good"
            yield Match(use.span, {"what": what}, severity=Severity.HIGH)
            return


def _is_argument(stage: Stage, name: str, index: int) -> bool:
    """Whether a variable is an ARG, and no ENV, of a stage at an instruction."""
    variables = stage.variables
    declared = variables.args.get(name)
    replaced = variables.envs.get(name)
    return declared is not None and declared[0][0] < index and (replaced is None or replaced[0][0] >= index)


def used_secret_argument(stage: Stage, context: Context) -> Iterator[Match]:
    """HD303: a secret build argument is used in a RUN or ADD; reported once for each argument of a stage."""
    arguments: dict[str, Span] = {}
    severity = None if ships(stage) else Severity.MEDIUM
    for instruction in stage.instructions:
        if instruction.name == "ARG":
            for pair in instruction.pairs:
                if is_secret_name(pair.key.text) >= Likeness.SECRET:
                    arguments[pair.key.text] = pair.key.span
        elif arguments and instruction.name in ("RUN", "ADD"):
            view = shell_view(instruction) if instruction.name == "RUN" else instruction.rest
            if view is None or "$" not in view.text:
                continue
            own = _assigned_in(instruction) if instruction.name == "RUN" else frozenset()
            for use in uses(view):
                declared = None if use.name in own else arguments.pop(use.name, None)
                if declared is not None:
                    yield Match(use.span, {"name": use.name}, ((declared, "it is declared here"),), severity=severity)


def _assigned_in(instruction: Instruction) -> frozenset[str]:
    """Return the names that a RUN assigns itself: what it then uses is not the argument."""
    script = instruction.script
    if script is None:
        return frozenset()
    return frozenset(assignment.name for command in script.commands for assignment in command.assignments)


# --- commands and files -----------------------------------------------------------------------------------------------------


def _texts(instruction: Instruction) -> Iterator[View]:
    """Yield the texts of an instruction in which a secret may stand, variables and labels left out."""
    if instruction.name in _WITH_COMMAND:
        view = shell_view(instruction)
        if view is not None:
            yield view
    elif instruction.name in ("COPY", "ADD"):
        yield from (heredoc.body for heredoc in instruction.heredocs)


def secret_in_text(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD304: a credential of a known format, or a private key, in a command or in a file that a heredoc makes."""
    for view in _texts(instruction):
        for secret, span in secrets_in(view):
            if secret.kind != _URL and (secret.kind not in _BY_NAME or instruction.name in ("COPY", "ADD")):
                yield _match(secret, span, view.text[secret.start : secret.end], instruction=instruction.name)


def password_in_command(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD308: a password or token without a format, as an option, a variable or a setting in a command."""
    for view in _texts(instruction):
        for secret, span in secrets_in(view):
            if secret.kind in _BY_NAME and secret.title != _OF_ACCOUNT:
                yield _match(secret, span, view.text[secret.start : secret.end], instruction=instruction.name)


_VARIABLE_USER_INFO: Final = Pattern(r"://([^/@\s$`]{0,100}(?:\$\([^)]{0,200}\)|\$\{?\w{1,100}\}?|`[^`]{0,200}`)[^/@\s]{0,100})@")
_GIT: Final = frozenset({"git"})
_STORES_THE_URL: Final = frozenset({"clone", "remote add", "remote set-url", "submodule add"})


def url_password(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD306: a URL carries a password; with a variable in its place, where git writes the URL into the image."""
    if instruction.name in ("ENV", "ARG", "LABEL"):
        for pair in instruction.pairs:
            if pair.value is not None and "://" in pair.value.raw:
                found = _judged(pair)
                if found is not None and found[0].kind == _URL:
                    yield _in_url(*found)
        return
    views = [instruction.rest] if instruction.name in ("ADD", "COPY") and not instruction.heredocs else list(_texts(instruction))
    for view in views:
        if "://" in view.text:
            for secret, span in secrets_in(view):
                if secret.kind == _URL:
                    yield _in_url(secret, span, view.text[secret.start : secret.end])
    if instruction.name == "RUN" and not _removes_git(instruction):
        for command in commands_of(instruction, _GIT):
            if options(command).subcommand in _STORES_THE_URL:
                for word in options(command).operands:
                    match = _VARIABLE_USER_INFO.search(word.text)
                    if match is not None:
                        values = {"what": "git writes the URL, with what the variable holds, into .git/config"}
                        yield Match(word.part(*match.span(1)), values, severity=Severity.MEDIUM)


def _in_url(secret: Secret, span: Span, text: str) -> Match:
    return Match(span, {"what": f"a URL carries a literal password ({_redacted(text)})"}, severity=secret.severity)


_RM: Final = frozenset({"rm"})


def _removes_git(instruction: Instruction) -> bool:
    return any(word.text.rstrip("/").endswith(".git") for command in commands_of(instruction, _RM) for word in command.args)


# --- programs that store credentials ----------------------------------------------------------------------------------------

# Program and sub-command; options that bring the credential (any of them; none: no condition); a pattern for the operands.
_STORES: Final[Mapping[tuple[str, str], tuple[tuple[str, ...], str]]] = {
    ("aws", "configure set"): ((), r"(?:\S+\.)?aws_(?:secret_access_key|session_token) "),
    ("gcloud", "auth activate-service-account"): ((), ""),
    ("gcloud", "auth login"): (("--cred-file",), ""),
    ("az", "login"): (("-p", "--password"), ""),
    ("doctl", "auth init"): (("-t", "--access-token"), ""),
    ("docker", "login"): (("-p", "--password", "--password-stdin"), ""),
    ("podman", "login"): (("-p", "--password", "--password-stdin"), ""),
    ("helm", "registry login"): (("-p", "--password", "--password-stdin"), ""),
    ("helm", "repo add"): (("--password",), ""),
    ("npm", "config set"): ((), r"\S*:?_(?:authToken|auth|password)\b"),
    ("pnpm", "config set"): ((), r"\S*:?_(?:authToken|auth|password)\b"),
    ("yarn", "config set"): ((), r"\S*(?:npmAuthToken|npmAuthIdent|_authToken)\b"),
    ("git", "config"): ((), r"(?i)url\.\S*@\S*\.insteadof|http\.(?:\S+\.)?extraheader .*authorization|credential\.helper .*store"),
    ("gh", "auth"): (("--with-token",), ""),
    ("glab", "auth"): (("-t", "--token"), ""),
    ("composer", "config"): ((), r"(?:http-basic|github-oauth|gitlab-token|bearer)\.\S+ \S"),
    ("bundle", "config"): ((), r"(?:set )?(?:[\w-]+\.)+[a-z]{2,} \S"),
    ("bundle", "config set"): ((), r"(?:[\w-]+\.)+[a-z]{2,} \S"),
    ("poetry", "config"): ((), r"(?:http-basic|pypi-token)\.\S+ \S"),
    ("cargo", "login"): ((), r"\S"),
    ("dotnet", "nuget add"): (("-p", "--password"), ""),
    ("vault", "login"): ((), r"\S"),
    ("kubectl", "config"): (("--token", "--password"), ""),
    ("huggingface-cli", "login"): (("--token",), ""),
    ("hf", "auth"): (("--token",), ""),
    ("wandb", "login"): ((), r"\S"),
    ("snyk", "auth"): ((), r"\S"),
    ("sentry-cli", "login"): (("--auth-token",), ""),
    ("mc", "alias"): ((), r"set \S+ \S+ \S+ \S"),
}
_STORING: Final = frozenset(program for program, _ in _STORES)


def stored_credentials(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD307: a program is told to keep credentials, in a RUN that gets them from nowhere safe."""
    if any(mount.kind in ("secret", "ssh") for mount in instruction.mounts):
        return
    for command in commands_of(instruction, _STORING):
        span = _stores(command)
        if span is not None and not _tells_itself(instruction, command):
            yield Match(span, {"command": instruction.document.file.slice(span)})


def _stores(command: Command) -> Span | None:
    """Return the words with which a command stores credentials."""
    found = options(command)
    subcommand, words, operands = found.subcommand, found.subcommand_words, found.operands
    if not subcommand and operands:
        subcommand, words, operands = operands[0].text, operands[:1], operands[1:]
    entry = _STORES.get((found.program, subcommand))
    if entry is None and len(words) > 1:  # what was taken for a second sub-command is an operand
        entry, words, operands = _STORES.get((found.program, words[0].text)), words[:1], (*words[1:], *operands)
    if entry is None or command.name_word is None or not words:
        return None
    flags, pattern = entry
    if flags and not found.has(*flags):
        return None
    if pattern and not re.match(pattern, " ".join(word.text for word in operands)):
        return None
    return Span(command.name_word.span.start, words[-1].span.end)


def _tells_itself(instruction: Instruction, command: Command) -> bool:
    """Whether HD304 or HD308 already report a literal of this command."""
    view = shell_view(instruction)
    return view is not None and holds_secret(view, command.span)


CHECKS: Final[Mapping[str, Check]] = {
    "HD301": secret_value,
    "HD302": secret_name,
    "HD303": used_secret_argument,
    "HD304": secret_in_text,
    "HD306": url_password,
    "HD307": stored_credentials,
    "HD308": password_in_command,
}
