"""Checks on files that hold credentials: copied into an image, written by a RUN, or kept from a secret mount."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check
from hardener.rules.checks.secrets import holds_secret
from hardener.rules.context import Context
from hardener.rules.fetches import redirected_to, upstream
from hardener.rules.reading import commands_of, partial, shell_view, ships
from hardener.rules.secrets.names import is_secret_name
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import HEREDOC_WORD, Instruction
from hardener.sources.options import options
from hardener.sources.shell import Command
from hardener.text import Pattern, Span

# --- names ------------------------------------------------------------------------------------------------------------------

_PRIVATE_KEY: Final = Pattern(r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|.*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk)", re.IGNORECASE)
_PUBLIC: Final = Pattern(
    r"(?:^|[-_.])(?:ca|cacert|certs?|certificates?|chain|fullchain|bundle|pub|public|root|trust|truststore|sign|signing|gpg|apt|repo|archive"
    r"|release|debian|ubuntu|dhparams?|dh)(?:[-_.\d]|$)",
    re.IGNORECASE,
)
_CREDENTIALS: Final = Pattern(
    r"""(?xi)
      \.npmrc | \.netrc | _netrc | \.pypirc | \.dockercfg | \.dockerconfigjson | \.git-credentials | \.pgpass | \.my\.cnf | \.htpasswd
    | \.vault-token | \.s3cfg | \.boto | credentials\.(?:json|ya?ml|csv|ini) | client_secrets?[\w.-]*\.json
    | [\w.-]*service[-_]?account[\w.-]*\.json | gcp[-_]?(?:key|creds?|credentials)\.json | gcloud\.json
    | kubeconfig | [\w.-]+\.kubeconfig | [\w.-]*\.tfstate(?:\.backup)? | secrets?\.(?:json|ya?ml|env|toml|tfvars) | master\.key
    | [\w.-]+\.ovpn
    """
)
_FOLDERS: Final = Pattern(r"(?:^|/)(\.ssh|\.aws|\.gnupg|\.kube|\.azure|\.config/gcloud|\.docker/config\.json|\.docker/?$)(?:/|$)")
_FOLDER_ENDS: Final = ("/", ".ssh", ".aws", ".gnupg", ".kube", ".azure", ".docker", ".config/gcloud")
_HARMLESS_IN_FOLDERS: Final = Pattern(r"(?:known_hosts|authorized_keys|[\w.-]+\.pub|\.ssh/config|\.aws/config|\.docker/cli-plugins\S*)$")
_ENVIRONMENT: Final = Pattern(r"\.env(?:\.[\w.-]+|\*)?|[\w-]+\.env", re.IGNORECASE)
_EXAMPLE: Final = Pattern(r"example|sample|template|dist\b|default|schema|\btpl\b|\.tmpl", re.IGNORECASE)
_GIT_FOLDER: Final = Pattern(r"(?:^|/)\.git/?$")


def _kind(path: str) -> str:
    """Return what kind of secret a path names, or an empty string."""
    name = posixpath.basename(path.rstrip("/"))
    if len(name) > 255 or _EXAMPLE.search(name):
        return ""
    folder = _FOLDERS.search(path)
    if folder is not None and not _HARMLESS_IN_FOLDERS.search(path):
        return "credentials"
    if _CREDENTIALS.fullmatch(name):
        return "credentials"
    if _PRIVATE_KEY.fullmatch(name):
        stem = name.rpartition(".")[0] or name
        is_key = re.search(r"priv|(?:^|[-_.])key(?:[-_.]|$)", stem, re.IGNORECASE) is not None
        return "" if _PUBLIC.search(stem) and not is_key else "a private key"
    if _ENVIRONMENT.fullmatch(name):
        return "environment variables"
    return ""


def _speaks_against(kind: str, text: str | None) -> bool:
    """Whether the file, which lies beside the Dockerfile, turns out to hold nothing secret."""
    if text is None:
        return False
    if kind == "a private key":
        return "-----BEGIN" in text and "PRIVATE KEY" not in text
    from hardener.rules.secrets.detect import scan

    if kind == "environment variables":
        return not any(is_secret_name(line.partition("=")[0].strip()) for line in text.splitlines()) and not any(scan(text))
    return not re.search(r"(?i)_auth|token|passw|secret|private|credential", text) and not any(scan(text))


# --- copied -----------------------------------------------------------------------------------------------------------------


def copied_secret(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD309: COPY or ADD brings a file whose name says that it holds credentials."""
    words = instruction.words
    severity = None if _in_image(instruction) else Severity.MEDIUM
    found = False
    for word in words[:-1]:
        path = partial(word, instruction)
        if "://" in path or HEREDOC_WORD.match(word.raw):
            continue
        kind = "" if HOLE in posixpath.basename(path) else _kind(path)
        if kind == "environment variables" and instruction.flag("from") is not None:
            kind = ""  # made by the build, not by people
        if kind and not _speaks_against(kind, _beside(instruction, path, context)):
            found = True
            yield Match(word.span, {"path": path.replace(HOLE, "…"), "kind": kind}, severity=severity)
    if words and not found and not any(HEREDOC_WORD.match(word.raw) for word in words[:-1]) and not _harmless_sources(instruction):
        target = partial(words[-1], instruction)
        kind = "" if HOLE in target or target.endswith(_FOLDER_ENDS) else _kind(target)
        if kind in ("credentials", "a private key"):
            yield Match(words[-1].span, {"path": target, "kind": kind}, severity=severity)


def _harmless_sources(instruction: Instruction) -> bool:
    """Whether what is copied to a secret's place is an example or a public key by its name."""
    return all(_EXAMPLE.search(word.text) or _PUBLIC.search(posixpath.basename(word.text)) for word in instruction.words[:-1])


def _beside(instruction: Instruction, path: str, context: Context) -> str | None:
    if instruction.flag("from") is not None or any(sign in path for sign in "*?[" + HOLE):
        return None
    return context.neighbour(posixpath.normpath(path.lstrip("/")))


def _in_image(instruction: Instruction) -> bool:
    return instruction.stage is not None and ships(instruction.stage)


def copied_git(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD310: COPY or ADD brings the repository's history."""
    for word in instruction.words[:-1]:
        path = partial(word, instruction)
        if _GIT_FOLDER.search(path) and "://" not in path and not path.startswith("git@"):
            yield Match(word.span, {"path": path}, severity=None if _in_image(instruction) else Severity.LOW)


# --- written ----------------------------------------------------------------------------------------------------------------

_WRITTEN: Final = Pattern(
    r"(?:^|/)(?:\.npmrc|\.netrc|_netrc|\.pypirc|\.git-credentials|\.dockercfg|\.docker/config\.json|\.aws/credentials|\.pgpass|\.my\.cnf|"
    r"auth\.json|\.yarnrc\.yml|\.ssh/id_\w+|id_rsa|id_ed25519|\.kube/config|kubeconfig|\.gem/credentials|\.cargo/credentials(?:\.toml)?|"
    r"\.vault-token|pip\.conf|settings\.xml|nuget\.config)$",
    re.IGNORECASE,
)
_CREDENTIAL_TEXT: Final = Pattern(
    r"_auth|authtoken|npmauth|\btoken\b|_token\b|passw|\blogin\b|secret|private key|credential|\bkey\b|_key\b|://[^/\s]{0,200}[$:][^/\s]{0,200}@",
    re.IGNORECASE,
)
_SECRETS_FOLDER: Final = "/run/secrets/"
_RM: Final = frozenset({"rm", "shred"})
_READERS: Final = frozenset({"cat", "base64", "envsubst", "tr", "sed"})
_COPIERS: Final = frozenset({"cp", "mv", "install"})


def written_credentials(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD311: a credentials file is written and stays in the layer."""
    if instruction.name in ("COPY", "ADD"):
        target = partial(instruction.words[-1], instruction) if instruction.words else ""
        if instruction.heredocs and _WRITTEN.search(target):
            for heredoc in instruction.heredocs:
                text = heredoc.body.text
                if (
                    heredoc.expand
                    and "$" in text
                    and _CREDENTIAL_TEXT.search(text)
                    and not holds_secret(heredoc.body, Span(heredoc.body.offset(0), heredoc.body.end))
                ):
                    yield Match(instruction.words[-1].span, {"path": target})
        return
    view, script = shell_view(instruction), instruction.script
    if view is None or script is None or (">" not in view.text and "tee" not in view.text):
        return
    gone = _removed(instruction)
    for command in script.commands:
        for path, span in _targets(command):
            name = posixpath.basename(path)
            if not _WRITTEN.search(path) or name in gone or _is_mounted(instruction, path):
                continue
            text = _content(command)
            if _SECRETS_FOLDER in text or not _CREDENTIAL_TEXT.search(text):
                continue
            if not holds_secret(view, _whole(command)):
                gone.add(name)  # one finding a file
                yield Match(span, {"path": path})


def _targets(command: Command) -> Iterator[tuple[str, Span]]:
    """Yield the files that a command writes its standard output to, and where they are named."""
    names = set(redirected_to(command))
    for redirect in command.redirects:
        if redirect.target is not None and redirect.target.text in names:
            yield redirect.target.text, redirect.target.span
    if command.name == "tee":
        yield from ((word.text, word.span) for word in command.args if not word.text.startswith("-"))


def _content(command: Command) -> str:
    """Return the text that may end up in the file: the words of what is printed, and heredoc bodies."""
    parts = [word.text for source in (*upstream(command), command) for word in source.args]
    parts += [redirect.body.text for source in (*upstream(command), command) for redirect in source.redirects if redirect.body is not None]
    return " ".join(parts)


def _whole(command: Command) -> Span:
    """Return the range of a pipeline with the heredoc bodies of its commands."""
    span = command.pipeline.span
    end = max([span.end, *(redirect.body.end for member in command.pipeline.commands for redirect in member.redirects if redirect.body)])
    return Span(span.start, end)


def _removed(instruction: Instruction) -> set[str]:
    """Return the base names of the files that a RUN removes again."""
    return {posixpath.basename(word.text.rstrip("/*")) for command in commands_of(instruction, _RM) for word in command.args}


def _is_mounted(instruction: Instruction, path: str) -> bool:
    """Whether a mount covers a path, so that what is written there is in no layer; `~/.npmrc` is taken for `/root/.npmrc` and its like."""
    name = posixpath.basename(path)
    for mount in instruction.mounts:
        option = mount.get("target", "dst", "destination")
        target = "" if option is None else (option.value or "").rstrip("/")
        if not target:
            continue
        if path == target or path.startswith(f"{target}/") or (path[:1] != "/" and posixpath.basename(target) == name):
            return True
    return False


def kept_secret(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD312: what a secret mount brings is copied into the layer and stays there."""
    places = [_SECRETS_FOLDER]
    for mount in instruction.mounts:
        target = mount.get("target", "dst", "destination")
        if mount.kind == "secret" and target is not None and target.value:
            places.append(target.value)
    view, script = shell_view(instruction), instruction.script
    if view is None or script is None or not any(place in view.text for place in places):
        return
    gone = _removed(instruction)
    for command in script.commands:
        for path, span in _kept(command, places):
            if posixpath.basename(path) not in gone and not _is_mounted(instruction, path):
                yield Match(span, {"path": path})


def _kept(command: Command, places: list[str]) -> Iterator[tuple[str, Span]]:
    if command.name in _COPIERS:
        operands = options(command).operands
        if len(operands) > 1 and any(word.text.startswith(place) for word in operands[:-1] for place in places):
            target = operands[-1]
            source = posixpath.basename(operands[0].text)
            yield (posixpath.join(target.text, source) if target.text.endswith(("/", ".")) else target.text), target.span
    elif command.redirects or command.name == "tee":
        for reader in (*upstream(command), command):
            if reader.name not in _READERS:
                continue
            named = [word.text for word in reader.args]
            named += [redirect.target.text for redirect in reader.redirects if redirect.operator == "<" and redirect.target is not None]
            if any(text.startswith(place) for text in named for place in places):
                yield from _targets(command)
                return


CHECKS: Final[Mapping[str, Check]] = {
    "HD309": copied_secret,
    "HD310": copied_git,
    "HD311": written_credentials,
    "HD312": kept_secret,
}
