"""What proves that a text of the right shape is a credential: checksums, structure, what it decodes to.

A proof takes the match of a format's pattern and returns a `Verdict`, or None for what is no secret at all (an example, a placeholder).
A checksum that is wrong means that somebody typed the token for a document: reported with low confidence, never as a leak.
"""

import re
from typing import Final

from hardener.finding import Confidence, Severity
from hardener.rules.secrets import Verdict, values

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BECH32: Final = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"

# Published in documentation, so never secret: Stripe's docs.
_STRIPE_SAMPLES: Final = frozenset(
    {
        "4eC39HqLyjWDarjtT1zdp7dc",
        "BQokikJOvBiI2HlWgH4olfQ2",
        "tR3PYbcVNZZ796tH88S4VQ2u",
        "26PHem9AhJZvU623DfE1x4sd",
        "VePHdqKTYQjKNInc7u56JBrQ",
    }
)
# The key that every Vagrant box trusts until its first boot: github.com/hashicorp/vagrant/tree/main/keys.
_PUBLISHED_KEYS: Final = ("MIIEogIBAAKCAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzI",)
# base64 of "openssh-key-v1\0" and the cipher name "none": PROTOCOL.key in OpenSSH's source.
_OPENSSH_PLAIN: Final = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
_PEM_HEADER: Final = r"(?:Proc-Type|DEK-Info|Comment|Version|Hash):[^\n\\]*+"
_PEM_BODY: Final = rf"(?:{_PEM_HEADER}|[A-Za-z0-9+/=\s\\\"'])*"

_WRONG_CHECKSUM: Final = Verdict(Confidence.LOW, "its checksum is wrong: an example, most likely", Severity.LOW)


def shape(match: re.Match[str]) -> Verdict | None:
    """Accept what has the exact shape, unless it was plainly typed by a person."""
    token = match[match.lastindex or 0]
    body = re.sub(r"^\w{1,12}[-_.]", "", token)
    if values.is_made_up(body) or values.is_placeholder(token) or values.entropy(body) < 2.8:
        return None
    return Verdict(Confidence.HIGH, "its format is unmistakable")


def likely(match: re.Match[str]) -> Verdict | None:
    """Accept a shape that other things have, too: only when it looks random."""
    token = match[match.lastindex or 0]
    if not values.is_random(token) or values.is_placeholder(token):
        return None
    return Verdict(Confidence.MEDIUM, "it has the format, and looks random")


def crc_base62(match: re.Match[str]) -> Verdict | None:
    """Check a GitHub or npm token: the last six characters are the CRC-32 of the thirty before, in base 62.

    Source: github.blog/2021-04-05-behind-githubs-new-authentication-token-formats.
    """
    from zlib import crc32

    body, checksum = match[0][4:-6], match[0][-6:]
    rest, digits = crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = _BASE62[digit] + digits
    if digits == checksum:
        return Verdict(Confidence.HIGH, "its checksum is right")
    return None if values.is_made_up(match[0][4:]) else _WRONG_CHECKSUM


def crc_grafana(match: re.Match[str]) -> Verdict | None:
    """Check a Grafana service account token: the last part is the CRC-32 of the rest, least significant byte first.

    Source: grafana/pkg/components/satokengen/tokengen.go.
    """
    from zlib import crc32

    body, _, checksum = match[0].rpartition("_")
    if crc32(body.encode()).to_bytes(4, "little").hex() == checksum.lower():
        return Verdict(Confidence.HIGH, "its checksum is right")
    return None if values.is_made_up(body[5:]) else _WRONG_CHECKSUM


def bech32(match: re.Match[str]) -> Verdict | None:
    """Check an age identity: a Bech32 string, whose last six characters are a checksum.

    Source: BIP 173, and the age specification (age-encryption.org/v1).
    """
    prefix, _, data = match[0].rpartition("1")
    prefix = prefix.lower()
    checksum = 1
    for value in [*(ord(char) >> 5 for char in prefix), 0, *(ord(char) & 31 for char in prefix), *map(_BECH32.index, data)]:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    return Verdict(Confidence.HIGH, "its checksum is right") if checksum == 1 else _WRONG_CHECKSUM


def aws_key_id(match: re.Match[str]) -> Verdict | None:
    """Judge an AWS access key id: an identifier, which says which account the secret beside it opens.

    Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html; since 2019 the account is in the id (base 32).
    """
    if values.is_made_up(match[0]):
        return None
    from base64 import b32decode

    account = (int.from_bytes(b32decode(match[0][4:])[:6]) & 0x7FFFFFFFFF80) >> 7
    owner = f" of account {account:012d}" if account < 10**12 else ""
    return Verdict(
        Confidence.MEDIUM, f"an identifier{owner}: no secret by itself, but where it is, its secret key is not far", Severity.LOW
    )


def stripe(match: re.Match[str]) -> Verdict | None:
    """Judge a Stripe key: test keys move no money, those in the documentation are nobody's."""
    mode, body = match[0].split("_", 2)[1:]
    if body in _STRIPE_SAMPLES or values.is_made_up(body):
        return None
    if mode == "test":
        return Verdict(Confidence.HIGH, "a key of the test mode", Severity.LOW)
    return Verdict(Confidence.HIGH, "a key of the live mode", Severity.CRITICAL)


def jwt(match: re.Match[str]) -> Verdict | None:
    """Check a JSON Web Token (RFC 7519): the header is JSON with an `alg`, the payload is JSON."""
    header, payload = (_json(part) for part in match[0].split(".")[:2])
    alg = header.get("alg")
    if not isinstance(alg, str) or not re.fullmatch(r"[A-Za-z0-9+-]{1,20}", alg) or not payload:
        return None
    if payload.get("sub") == "1234567890" and "iat" in payload:  # the sample of jwt.io and of every tutorial since
        return None
    if payload.get("role") == "anon":
        return Verdict(Confidence.MEDIUM, "a token for anonymous users, public by design", Severity.LOW)
    if payload.get("iss") == "supabase-demo":
        return Verdict(Confidence.HIGH, "the token of Supabase's documentation, which everybody knows", Severity.MEDIUM)
    return Verdict(Confidence.HIGH, f"a signed token (alg {alg})")


def _json(part: str) -> dict[str, object]:
    """Return the JSON object in base64url, or an empty one."""
    import json
    from base64 import urlsafe_b64decode

    try:
        value: object = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON, or nested without end
        return {}
    return value if isinstance(value, dict) else {}


def pem(match: re.Match[str]) -> Verdict | None:
    """Check a PEM private key (RFC 7468): the mark alone is no key; an encrypted one is half as bad."""
    text, start = match.string, match.end()
    found = re.compile(_PEM_BODY).match(text, start, start + 20_000)
    body = found[0] if found else ""
    compact = re.sub(r"\\[nrt]|[\s\\\"']", "", re.sub(_PEM_HEADER, "", body))
    if len(compact) < 60 or len(set(compact)) < 16 or "EXAMPLE" in compact:
        return None
    last = start + len(body)
    closed = text.find("-----", last + 8, last + 80) if text.startswith("-----END", last) else -1
    end = closed + 5 if closed >= 0 else start + len(body.rstrip())
    if compact.startswith(_PUBLISHED_KEYS):
        return Verdict(Confidence.HIGH, "Vagrant's published key, which everybody has", Severity.LOW, end)
    if "ENCRYPTED" in match[0] or "ENCRYPTED" in body or ("OPENSSH" in match[0] and not compact.startswith(_OPENSSH_PLAIN)):
        return Verdict(Confidence.HIGH, "encrypted, so as strong as its passphrase", Severity.MEDIUM, end)
    return Verdict(Confidence.HIGH, "a private key in plain text", Severity.CRITICAL, end)


def putty(match: re.Match[str]) -> Verdict | None:
    """Check a PuTTY key file: it has private lines, encrypted or not."""
    text = match.string
    lines = text.find("Private-Lines:", match.end(), match.end() + 10_000)
    if lines < 0:
        return None
    if re.compile(r"\s*Encryption: none").search(text, match.end(), match.end() + 200):
        return Verdict(Confidence.HIGH, "a private key in plain text", Severity.CRITICAL, lines)
    return Verdict(Confidence.HIGH, "encrypted, so as strong as its passphrase", Severity.MEDIUM, lines)


def azure_signature(match: re.Match[str]) -> Verdict | None:
    """Check the signature of a shared access URL: it stands among `sv=` (version) and `se=` (expiry)."""
    around = match.string[max(0, match.start() - 400) : match.end() + 400]
    if not ("se=" in around and ("sv=" in around or "sr=" in around)):
        return None
    return shape(match)


def url_password(match: re.Match[str]) -> Verdict | None:
    """Judge the password of a URL; the groups are scheme, user, host and, last, password."""
    user, password, host = match["user"], match["password"], match["host"].lower()
    if host.startswith(("sha256", "sha512")):
        return None  # docker://image:tag@sha256:…
    if re.search(r"\bexample\b|\.invalid$|\.test$", host) and not values.is_random(password):
        return None  # documentation; but nobody makes up random characters for it
    return user_password(user, password, is_open=match["scheme"].lower() in ("http", "https", "git", "ftp", "ssh", "svn"))


def user_password(user: str, password: str, *, is_open: bool = True) -> Verdict | None:
    """Judge a literal `user:password`. `is_open`: `user:password` itself is what documentation writes there."""
    if values.is_reference(password) or values.is_reference(user) or values.is_placeholder(password):
        return None
    if (
        is_open
        and user.lower() in ("user", "username", "login", "name")
        and password.lower() in ("pass", "password", "passwd", "pw", "pwd", "token")
    ):
        return None
    if values.is_weak(password) or values.is_number(password) or password == user:
        return Verdict(Confidence.LOW, "a literal, and a weak one", Severity.MEDIUM)
    if values.is_random(password):
        return Verdict(Confidence.HIGH, "a literal that looks random")
    return Verdict(Confidence.MEDIUM, "a literal")


def basic_credentials(match: re.Match[str]) -> Verdict | None:
    """Check Basic credentials (RFC 7617): base64 of `user:password`."""
    from binascii import Error, a2b_base64

    token = match[match.lastindex or 0]
    try:
        user, colon, password = a2b_base64(token, strict_mode=True).decode("ascii").partition(":")
    except (Error, UnicodeDecodeError):
        return None
    if not colon or not user or not (user + password).isprintable():
        return None
    verdict = user_password(user, password)
    return verdict._replace(why=f"it decodes to the password of {user!r}") if verdict else None


def discord(match: re.Match[str]) -> Verdict | None:
    """Check a Discord bot token: its first part is the bot's id, digits in base64."""
    from base64 import urlsafe_b64decode

    part = match[0].split(".")[0]
    if len(part) % 4 == 1 or not urlsafe_b64decode(part + "=" * (-len(part) % 4)).isdigit():
        return None
    return Verdict(Confidence.HIGH, "its first part is the id of a bot")
