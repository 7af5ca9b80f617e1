"""What a name says about its value: `DB_PASSWORD` holds a password, `PASSWORD_FILE` and `TOKEN_EXPIRY` do not.

A name is read as words (`_`, `-`, `.` and camel case separate them). English puts the noun last, so a word such as FILE or EXPIRY
after the secret word takes the suspicion away, and one before it does not.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Final

from hardener.text import Pattern


class Likeness(IntEnum):
    """How much a name makes of its value; ordered."""

    NONE = 0
    POSSIBLE = 1  # `_KEY`, `_AUTH`, `_CREDENTIALS`: secret or not, only the value tells
    SECRET = 2  # `_TOKEN`, `_SECRET`, `API_KEY`
    PASSWORD = 3  # a password: even a plain word is one


_WORD: Final = Pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_PASSWORDS: Final = frozenset({"password", "passwd", "passphrase", "passcode", "pword", "pswd", "psw"})
_PASSWORDS_LAST: Final = frozenset({"pass", "pw", "pwd"})  # PASS_RATE is none, PWD alone is the shell's directory
_PASSWORD_ENDS: Final = (
    "password",
    "passwd",
    "passphrase",
    "dbpass",
    "rootpass",
    "userpass",
    "adminpass",
    "sshpass",
    "smtppass",
    "mailpass",
)

_SECRETS: Final = frozenset({"secret", "token", "apikey", "bearer"})
_SECRET_ENDS: Final = ("secret", "token", "apikey", "secretkey", "accesskey", "privatekey", "masterkey", "encryptionkey")

_POSSIBLE_LAST: Final = frozenset(
    {"auth", "authorization", "credential", "credentials", "creds", "jwt", "passwords", "pepper", "salt", "secrets", "tokens"}
)

# What comes before KEY decides.
_SECRET_KEYS: Final = frozenset(
    {
        "access", "account", "admin", "api", "app", "application", "auth", "base", "client", "crypt", "data", "deploy", "encryption",
        "hmac", "jwt", "master", "private", "secret", "secure", "service", "session", "shared", "ssh", "storage", "subscription", "write",
    }
)  # fmt: skip
_OPEN_KEYS: Final = frozenset(
    {
        "apt", "cache", "composite", "foreign", "gpg", "group", "hash", "host", "hot", "index", "kms", "lookup", "map", "object",
        "partition", "pgp", "primary", "pub", "public", "repo", "routing", "rpm", "sort", "unique",
    }
)  # fmt: skip

# What comes before TOKEN and makes it one of paging or of a language model.
_OPEN_TOKENS: Final = frozenset(
    {
        "bos", "cancel", "cancellation", "client", "continuation", "csrf", "eos", "idempotency", "image", "mask", "max", "min", "next",
        "pad", "page", "pagination", "product", "request", "resume", "sep", "special", "start", "stop", "sync", "unk", "xsrf",
    }
)  # fmt: skip
# Whose "PAT" is a personal access token, and not a pattern.
_HOSTS: Final = frozenset({"ado", "azure", "azuredevops", "bitbucket", "devops", "gh", "git", "github", "gitlab"})

# After the secret word: the value is about a secret, and none itself.
_ABOUT: Final = frozenset(
    {
        "address", "alg", "algo", "algorithm", "alias", "amount", "arn", "attempts", "audience", "auth", "authentication", "backend",
        "base64", "bits", "budget", "bucket", "cache", "checksum", "class", "column", "command", "cmd", "cookie", "config", "contract",
        "cost", "count", "decimals", "digest", "dir", "directory", "dummy", "duration", "email", "enabled", "encoder", "encoding",
        "endpoint", "engine", "exchange", "expiration", "expire", "expires", "expiry", "field", "file", "filename", "files", "fingerprint",
        "folder", "format", "generator", "handler", "hash", "hasher", "header", "hint", "host", "id", "ids", "interval", "introspection",
        "issuer", "kind", "label", "len", "length", "lifetime", "limit", "link", "location", "login", "manager", "map", "max", "method",
        "min", "minutes", "mode", "mount", "name", "names", "namespace", "number", "page", "param", "parameter", "path", "paths", "policy",
        "port", "prefix", "price", "prompt", "provider", "realm", "ref", "refresh", "regex", "region", "required", "reset", "role",
        "rotation", "rounds", "scope", "scopes", "seconds", "server", "service", "sha", "size", "source", "store", "strategy", "strength",
        "suffix", "symbol", "template", "timeout", "ttl", "type", "uri", "url", "user", "username", "validator", "validity", "ver",
        "version", "volume",
    }
)  # fmt: skip

# Anywhere: a switch about secrets (MYSQL_ALLOW_EMPTY_PASSWORD), or public by design (NEXT_PUBLIC_MAPBOX_TOKEN).
_SWITCHES: Final = frozenset(
    {
        "allow", "disable", "disabled", "empty", "enable", "generate", "has", "hide", "ignore", "is", "no", "num", "pub", "public",
        "random", "require", "requires", "show", "skip", "use", "validate", "with", "without",
    }
)  # fmt: skip


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> Likeness:
    """Return how much the name of a variable, a key or a flag makes of its value."""
    words = [word.lower() for word in _WORD.findall(name)]
    found, at = Likeness.NONE, -1
    for index, word in enumerate(words):
        likeness = _likeness(words, index, word)
        if likeness > Likeness.POSSIBLE or (likeness and not found):
            found, at = max(found, likeness), index
    if not found or not _SWITCHES.isdisjoint(words) or any(word in _ABOUT or word.removesuffix("s") in _ABOUT for word in words[at + 1 :]):
        return Likeness.NONE
    return found


def _likeness(words: list[str], index: int, word: str) -> Likeness:
    """Return what one word of a name adds."""
    is_last = index == len(words) - 1
    before = words[index - 1] if index else ""
    if word in _PASSWORDS or word.endswith(_PASSWORD_ENDS):
        return Likeness.PASSWORD
    if word in _PASSWORDS_LAST:
        return Likeness.PASSWORD if is_last and (word == "pass" or before not in ("", "old")) else Likeness.NONE
    if word == "token" and before in _OPEN_TOKENS:
        return Likeness.NONE
    if word in _SECRETS or word.endswith(_SECRET_ENDS):
        return Likeness.SECRET
    if word in ("key", "keys"):
        if before in _OPEN_KEYS or (word == "keys" and before not in _SECRET_KEYS):
            return Likeness.NONE
        return Likeness.SECRET if before in _SECRET_KEYS and word == "key" else Likeness.POSSIBLE
    if (word == "cookie" and before == "erlang") or (word == "pat" and before in _HOSTS and is_last):
        return Likeness.SECRET
    return Likeness.POSSIBLE if is_last and word in _POSSIBLE_LAST else Likeness.NONE
