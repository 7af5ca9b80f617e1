"""Secrets without a format: literals under a secret name, and passwords that a command takes.

The name alone accuses nobody: variables, placeholders, paths, choices and the like are silent whatever they are called.
"""

import re
from collections.abc import Iterator
from typing import Final

from hardener.finding import Confidence, Severity
from hardener.rules.secrets import Secret, Verdict, proofs, values
from hardener.rules.secrets.names import Likeness, is_secret_name

_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# Keys whose format says nothing without the name: name (in lower-case words joined by `_`), value, kind, title.
_SERVICES: Final = (
    (r"aws|secret_access_key", r"[A-Za-z0-9/+]{40}", "aws-secret-key", "AWS secret access key"),
    (r"heroku", _UUID, "heroku-key", "Heroku key"),
    (r"twilio", r"[0-9a-f]{32}", "twilio-token", "Twilio token"),
    (r"\bdd_|datadog", r"[0-9a-f]{32}|[0-9a-f]{40}", "datadog-key", "Datadog key"),
    (r"cloudflare|\bcf_", r"[0-9a-f]{37}|[\w-]{40}", "cloudflare-token", "Cloudflare token"),
    (r"databricks", r"dapi[0-9a-f]{32}(?:-\d)?", "databricks-token", "Databricks token"),
    (r"algolia", r"[0-9a-f]{32}", "algolia-key", "Algolia key"),
    (r"codecov", _UUID, "codecov-token", "Codecov token"),
    (r"npm|auth_?token", _UUID, "npm-token", "npm token"),
    (r"cargo|crates", r"cio[A-Za-z0-9]{32}", "crates-token", "crates.io token"),
    (r"nuget", r"oy2[a-z0-9]{43}", "nuget-key", "NuGet key"),
    (r"airtable", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", "airtable-token", "Airtable token"),
    (r"app_?key", r"base64:[A-Za-z0-9+/]{43}=", "laravel-key", "Laravel application key"),
)
_DISCORD: Final = r"[MNO][\w-]{22,28}\.[\w-]{6}\.[\w-]{27,38}"

# Passwords that a command takes: a word without which the pattern cannot match, the pattern, a title.
_COMMANDS: Final = (
    # curl(1)
    (
        "curl",
        r"""curl(?<![\w.-]curl)\b[^\n;|&]{0,300}?\s(?:-u|--user|-U|--proxy-user)[ =]?["']?(?P<user>[^\s:"'`]+):(?P<value>[^\s"'`;|&]+)""",
        "password of curl",
    ),
    # netrc(5): machine, login and password are separated by blanks or line ends
    (
        "machine",
        r"""machine\s+\S{1,200}\s+login\s+(?P<user>\S{1,200})\s+password\s+(?P<value>[^\s"'\\]+)""",
        "password of a .netrc",
    ),
    # chpasswd(8) reads user:password
    (
        "chpasswd",
        r"""(?<![\w.-])(?P<user>[a-z_][\w.-]{0,31}):(?P<value>[^\s"'`|:]{1,100})["']?\s*\|\s*(?:sudo\s+)?chpasswd\b""",
        "password of an account",
    ),
    ("chpasswd", r"""chpasswd\s*<<<\s*["']?(?P<user>[a-z_][\w.-]{0,31}):(?P<value>[^\s"'`]{1,100})""", "password of an account"),
    ("sshpass", r"""sshpass\s+(?P<user>-p)\s*["']?(?P<value>[^\s"'`;|&]+)""", "password of sshpass"),
    # mysql(1): no blank after -p
    ("mysql", r"""mysql\w*\b[^\n;|&]{0,200}?\s(?P<user>-p)["']?(?P<value>[^\s"'`;|&]+)""", "password of mysql"),
    (
        "login",
        r"""login(?<![\w-]login)\b[^\n;|&]{0,200}?\s(?P<user>-p)\s+["']?(?P<value>[^\s"'`;|&-][^\s"'`;|&]*)""",
        "password of a registry",
    ),
)
# --password value; `aws configure set aws_secret_access_key value`. `--secret id=x` mounts one, a value that starts with `-` is a flag.
_FLAG: Final = (
    r"""--(?P<name>(?:[a-z0-9]{1,20}[-_]){0,4}(?:password|passwd|passphrase|pass|token|secret|(?:api|secret|access)-?key))[ \t]+"""
    r"""(?P<quote>["']?)(?!\w+=\w)(?P<value>[^\s"'`;|&<>()-][^\s"'`;|&<>()]*)(?P=quote)"""
)
_AWS_SET: Final = r"(?P<name>aws_secret_access_key|aws_session_token)[ \t]+[\"']?(?P<value>[^\s\"'`;|&=]+)"

# One of these is in every name that `is_secret_name` knows.
_HINTS: Final = (
    "pass",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "pwd",
    "pword",
    "pswd",
    "psw",
    "pw",
    "bearer",
    "salt",
    "pepper",
    "jwt",
    "erlang",
    "pat",
)
_NAME_CHARS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_VALUE: Final = (
    r"""[ \t]*(?:"(?P<double>(?:[^"\\\n]|\\[^\n])*)"|'(?P<single>[^'\n]*)'|(?P<bare>[^\s"'`;|&<>,)}\]({\[][^\s"'`;|&<>,)}\]]*))"""
)

_CUTS: Final = frozenset("\"'`;|&<>,)}]({[ \t")
_LISTED: Final = {ord(","): None, ord(" "): None}  # a,b,c: a list of words is no password
_DOTENV: Final = r"(?m)^[ \t]*(?:export[ \t]+)?(?P<name>[\w.-]{3,80})[ \t]*=[ \t]*(?P<value>[^\s\"'`#][^\n]*)"


def judge(value: str, name: str, start: int = 0, *, in_force: bool = False) -> Secret | None:
    """Return the secret that a literal is because of its name; `start` is where it stands. See `detect.judge`."""
    likeness = is_secret_name(name)
    if not likeness or not value or values.is_reference(value):
        return None
    span = (start, start + len(value))
    if len(value) >= 32 and not values.is_made_up(value):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-.]", "_", name).lower()
        for named, pattern, kind, title in _SERVICES:
            if re.search(named, words) and re.fullmatch(pattern, value) and values.entropy(value) > 2.8:
                return Secret.of(kind, title, span, Verdict(Confidence.HIGH, f"its format and the name {name} agree"))
        if (match := re.fullmatch(_DISCORD, value)) and (verdict := proofs.discord(match)):
            return Secret.of("discord-token", "Discord bot token", span, verdict)
    if likeness is Likeness.PASSWORD:
        return _password(value, span, in_force=in_force)
    if values.is_placeholder(value) or values.is_setting(value) or values.is_number(value) or _is_prose(value):
        return None
    if likeness is Likeness.POSSIBLE:
        return _possible(value, name, span)
    return _secret(value, name, span) if len(value) >= 4 else None


def _password(value: str, span: tuple[int, int], *, in_force: bool) -> Secret | None:
    """Any word is a possible password: only switches, and what stands for something else, are none."""
    if values.is_switch(value) or _is_prose(value):
        return None
    if values.is_placeholder(value):
        if not in_force:
            return None
        return Secret.of(
            "weak-password", "weak password", span, Verdict(Confidence.MEDIUM, "a placeholder that nothing replaces", Severity.MEDIUM)
        )
    if values.is_weak(value) or values.is_number(value):
        confidence = Confidence.MEDIUM if in_force else Confidence.LOW
        verdict = Verdict(confidence, "a literal, and one of the first that anybody tries", Severity.MEDIUM)
        return Secret.of("weak-password", "weak password", span, verdict)
    if values.is_setting(value):
        return None
    verdict = (
        Verdict(Confidence.HIGH, "a literal that looks random") if values.is_random(value) else Verdict(Confidence.MEDIUM, "a literal")
    )
    return Secret.of("password", "password", span, verdict)


def _secret(value: str, name: str, span: tuple[int, int]) -> Secret:
    if values.is_random(value):
        verdict = Verdict(Confidence.HIGH, f"a literal that looks random, named {name}")
    elif values.is_weak(value) or values.is_wordy(value) or values.is_made_up(value):
        verdict = Verdict(Confidence.LOW, f"a literal, named {name}", Severity.MEDIUM)
    else:
        verdict = Verdict(Confidence.MEDIUM, f"a literal, named {name}")
    return Secret.of("secret", "secret", span, verdict)


def _possible(value: str, name: str, span: tuple[int, int]) -> Secret | None:
    """A `_KEY` or `_AUTH` is a secret when its value looks like one, and not like a checksum or an identifier."""
    if values.is_digest(value):
        return None
    if (match := re.fullmatch(r"[A-Za-z0-9+/]{8,}={0,2}", value)) and (verdict := proofs.basic_credentials(match)):
        return Secret.of("basic-credentials", "Basic credentials", span, verdict)
    user, _, password = value.partition(":")
    if (
        password
        and re.search("auth|cred", name.lower())
        and re.fullmatch(r"[\w.@-]{1,64}", user)
        and "/" not in password
        and not values.is_number(password)
    ):
        verdict_ = proofs.user_password(user, password)
        return verdict_ and Secret.of("password", "user and password", span, verdict_)
    if len(value) >= 20 and values.is_random(value):
        return Secret.of("random-value", "key", span, Verdict(Confidence.MEDIUM, f"it looks random, and is named {name}"))
    return None


def _is_prose(value: str) -> bool:
    """Whether the value is a sentence."""
    return value.count(" ") >= 2


def in_code(text: str) -> Iterator[Secret]:
    """Yield the literals in a program's source: quoted, under the name of a secret, and looking random; anything else may be a variable."""
    assignments = [match.start() for match in re.finditer(r"(?:=>?|:)[ \t]{0,4}[\"']", text)]
    for secret in find(text, assignments, of_commands=False):
        is_quoted = text[secret.start - 1 : secret.start] in ("'", '"')
        if is_quoted and secret.confidence is Confidence.HIGH and " " not in text[secret.start : secret.end]:
            yield secret


def in_dotenv(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield name, value and offset of bare values that go on where a shell's word would end: in a .env file only its line ends one."""
    for match in re.finditer(_DOTENV, text):
        value = match["value"].partition(" #")[0].rstrip()
        if not _CUTS.isdisjoint(value) and not value.translate(_LISTED).isalnum():
            yield match["name"], value, match.start("value")


def find(text: str, assignments: list[int], *, in_force: bool = False, of_commands: bool = True) -> Iterator[Secret]:
    """Yield literals in a text: `NAME=value`, `name: value`, `"name": "value"`, `--password value`, and what commands take.

    `assignments` are the offsets of `=` and `:` to look at. May overlap each other. `in_force`: see `detect.judge`.
    """
    lower = text.lower()
    done = 0
    for at in assignments if any(hint in lower for hint in _HINTS) else ():
        if at >= done:  # not inside a value that was judged, or `a=a=a=…` would be read again and again
            value = _assigned(text, at, in_force=in_force)
            if value is not None:
                name, start, done = value
                if secret := judge(text[start:done], name, start, in_force=in_force and not _in_comment(text, start)):
                    yield secret
    if " " not in text or not of_commands:
        return
    for guard, pattern in (("--", _FLAG), ("aws_se", _AWS_SET)):
        if guard in text:
            for match in re.finditer(pattern, text):
                if secret := judge(match["value"], match["name"], match.start("value")):
                    yield secret
    for guard, pattern, title in _COMMANDS:
        if guard in text:
            for match in re.finditer(pattern, text):
                if verdict := proofs.user_password(match["user"], match["value"]):
                    yield Secret.of("password", title, match.span("value"), verdict)


def _in_comment(text: str, at: int) -> bool:
    return text[text.rfind("\n", 0, at) + 1 : at].lstrip().startswith("#")


def _assigned(text: str, at: int, *, in_force: bool = False) -> tuple[str, int, int] | None:
    """Return name, start and end of the literal that the `=` or `:` at an offset gives to a secret name."""
    head = text[max(0, at - 80) : at]
    tight = head.rstrip(" \t")
    after = at + 1
    if text[at] == "=" and tight.endswith(":"):
        tight = tight[:-1].rstrip(" \t")  # Go: password := "…"
    elif text.startswith(">", after):
        after += 1  # PHP, Ruby: 'password' => '…'
    unquoted = tight.rstrip("\"'")
    name = unquoted[len(unquoted.rstrip(_NAME_CHARS)) :]
    if len(name) < 3 or text.startswith("=", at + 1):
        return None
    if not is_secret_name(name):
        if name.lower() != "pwd" or not head[: -len(name)].endswith(";"):
            return None
        name = "connection.pwd"  # Server=…;Uid=…;Pwd=…: not the shell's directory
    match = re.compile(_VALUE).match(text, after)
    if match is None:
        return None
    start, end = match.span(match.lastgroup or 0)
    if match.lastgroup == "bare" and not in_force:
        spaced = text[at] == ":" or len(tight) < len(head) or text[at + 1] in " \t"
        opened = unquoted == tight and head[: len(unquoted) - len(name)].endswith(('"', "'"))  # "X-Api-Key: …": the quote closes the header
        if not _is_literal(text, name, start, end, spaced=spaced, opened=opened, is_yaml=text[at] == ":"):
            return None
    return name, start, end


def _is_literal(text: str, name: str, start: int, end: int, *, spaced: bool, opened: bool, is_yaml: bool) -> bool:
    """Whether an unquoted value is a literal, and not a variable of some programming language.

    In a shell or a .env file `NAME=word` is a literal. With blanks around the sign it may be YAML, INI or a program: there a bare word
    counts only when it ends the line (or the quoted header that it stands in), and no program could mean a variable by it.
    """
    value, after = text[start:end], text[end : end + 1]
    if value.lower() == name.lower():
        return False
    is_identifier = value.replace("_", "a").replace(".", "a").isalnum() and not value[0].isdigit()
    is_shell = not spaced and (name.isupper() or name.startswith("-"))
    if is_identifier and not is_shell and (is_secret_name(value) or (after and after in "),]\"'" and not opened)):
        return False  # password=db_password, token = args.token, f(password=getpass), token=b"…"
    if not spaced:
        return True
    rest = text[end : end + 120].partition("\n")[0].partition(" #")[0].strip()
    return (not rest or (opened and after in "\"'")) and (is_yaml or not value.replace("_", "a").replace(".", "a").isalpha())
