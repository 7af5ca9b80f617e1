"""The content of a file -> the credentials in it: what is read, how closely, and how severe a finding is there.

A path decides how closely a file is read. Files that programs keep credentials in are read by their structure, configuration also for
literals under the names of secrets, everything else for formats that prove themselves. Binary files are searched for few.

The search for formats works on bytes and knows of windows: a file that is too large to hold comes in pieces that overlap, and what is
found does not depend on where they end.
"""

from bisect import bisect_right
from typing import Final

from hardener.finding import Severity
from hardener.record import NamedTuple
from hardener.rules.secrets import Secret, detect, literals, prefilter, values
from hardener.rules.secrets.files import keystores, places, read
from hardener.rules.secrets.files.table import keeper_of
from hardener.rules.secrets.formats import Format
from hardener.sources.compose.discover import is_compose_name

OVERLAP: Final = 64 * 1024
"""Bytes that two windows of a file must share."""

REACH: Final = OVERLAP // 2
"""Bytes at the inner ends of a window that its neighbours judge: no credential, and nothing that proves one, reaches further."""

_BEFORE: Final = 1024  # bytes before an anchor that its credential, or what proves it, may begin
_READ_CLOSELY: Final = 2 << 20  # bytes up to which a file is read for literals and structure; larger ones are data
_LOOKED_AT: Final = 8192  # bytes that tell text from binary, as git does
_SERVICE_ACCOUNT: Final = b'"service_account"'
# Compressed, or pictures, sound and fonts: gzip, xz, bzip2, zstd, zip, PNG, JPEG, GIF, WebP and WAV, fonts, PDF.
_PACKED: Final = (
    b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"(\xb5/\xfd", b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"\x00\x01\x00\x00\x00",
    b"wOF2", b"wOFF", b"%PDF", b"7z\xbc\xaf",
)  # fmt: skip

# Formats whose shape other things have, too: no evidence inside of packages, whose documentation and tests are full of them.
_WEAK_EVIDENCE: Final = frozenset(
    {"url-password", "basic-credentials", "bearer-token", "password-hash", "api-key", "mailgun-key", "mailchimp-key", "jwt", "gcp-api-key"}
)


class Hit(NamedTuple):
    """A credential in a file. It never carries the credential itself."""

    secret: Secret
    start: int  # offsets in the text of the file as code points of UTF-8; in bytes of the window where it is larger than one
    end: int
    line: int  # 1-based; 0 in a file that has no lines
    shown: str  # the redacted credential; empty where there is nothing to show
    topic: str  # key, stored (in a file that is there to keep it), token, or advice
    mark: int = 0  # the same for the same credential in one run, and nothing outside of it


class Content(NamedTuple):
    """What is known of the file that a piece of content belongs to."""

    path: str  # without a `/` before it
    form: str  # text, utf-16-le, utf-16-be, data (binary, but searched), program (searched for keys alone), packed (not searched)
    line: int = 1  # the number of the line that the piece begins in
    starts: bool = True  # the piece begins where the file does
    ends: bool = True  # and ends where it does


def look(path: str, head: bytes) -> Content:
    """Return what the path and the first bytes of a file say about it."""
    encoding = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(head[:2])
    if encoding is not None and b"\0" in head[:256]:
        return Content(path, encoding)
    if head.startswith(_PACKED):
        return Content(path, "packed")
    if b"\0" not in head[:_LOOKED_AT]:
        return Content(path, "text")
    return Content(path, "program" if places.is_library(path) or path.startswith(("usr/bin/", "usr/sbin/", "bin/", "sbin/")) else "data")


def inspect(path: str, data: bytes) -> list[Hit]:
    """Return the credentials in a whole file, in order of position."""
    return inspect_piece(look(path, data), data)


def inspect_piece(content: Content, data: bytes) -> list[Hit]:
    """Return the credentials that begin in a window of a file, without its inner ends (`REACH`), which are left to its neighbours."""
    path = content.path
    if places.is_skipped(path):
        return []
    low = 0 if content.starts else REACH
    high = len(data) if content.ends else len(data) - REACH
    if content.form.startswith("utf-16"):
        texts = [data[part].decode(content.form, "replace").encode("utf-8", "replace") for part in (slice(low), slice(high), slice(None))]
        low, high, data = len(texts[0]), len(texts[1]), texts[2]
    elif content.form != "text":
        return _in_binary(content, data, low, high)
    if content.starts and content.ends and len(data) <= _READ_CLOSELY and _is_read_closely(path, data):
        return _closely(path, data.decode("utf-8", "surrogateescape"))
    return _by_format(content, data, prefilter.find(data), low, high)


def _is_read_closely(path: str, data: bytes) -> bool:
    if keeper_of(path) is not None or _SERVICE_ACCOUNT in data:
        return True
    return (places.is_configuration(path) or places.is_code(path)) and not places.is_library(path)


def _closely(path: str, text: str) -> list[Hit]:
    """Return the credentials in the text of a file that is read closely."""
    keeper = keeper_of(path)
    found: list[tuple[int, Secret]] = []
    if keeper is not None:
        found += [(0, secret) for secret in read(keeper, text)]
    elif '"service_account"' in text:
        from hardener.rules.secrets.files.decoded import service_account

        found += [(0, secret) for secret in service_account(text)]
    is_stored = bool(found)
    if keeper is None and not places.is_configuration(path):
        found += [
            (1, secret) for at, form in prefilter.find(text.encode("latin-1", "replace")) if (secret := detect.at_anchor(form, at, text))
        ]
        found += [(2, secret) for secret in literals.in_code(text)]
    else:
        found += [(1, secret) for secret in detect.scan(text, in_force=is_compose_name(path.rpartition("/")[2]))]
    if keeper is None and places.is_dotenv(path):
        for name, value, at in literals.in_dotenv(text):
            if (secret := detect.judge(value, name=name)) is not None:
                found.append((0, secret._replace(start=secret.start + at, end=secret.end + at)))
    stored = {id(secret) for rank, secret in found if rank == 0} if is_stored else set()
    hits = []
    lines = _Lines(text, 1)
    for secret in _without_overlaps(found):
        weighed = _weigh(path, secret)
        if weighed is not None:
            hits.append(_hit(weighed, text, lines, is_stored=id(secret) in stored))
    return hits


def _by_format(content: Content, data: bytes, anchors: list[tuple[int, Format]], low: int, high: int) -> list[Hit]:
    """Return the credentials at anchors that begin between two offsets. Each is judged within one distance, wherever a window ends."""
    if not anchors:
        return []
    text = data.decode("latin-1")  # one character a byte: offsets stay those of the bytes
    found = [(0, secret) for at, form in anchors if (secret := detect.at_anchor(form, at, text, at + REACH - _BEFORE)) is not None]
    if not found:
        return []
    lines = _Lines(text, content.line)
    hits = [
        _hit(weighed, text, lines, is_stored=False)
        for secret in _without_overlaps(found)
        if low <= secret.start < high and (weighed := _weigh(content.path, secret)) is not None
    ]
    if content.form == "text" and content.starts and content.ends and not data.isascii():
        return [hit._replace(start=_points(data, hit.start), end=_points(data, hit.end)) for hit in hits]
    return hits


def _points(data: bytes, offset: int) -> int:
    return len(data[:offset].decode("utf-8", "surrogateescape"))


def _in_binary(content: Content, data: bytes, low: int, high: int) -> list[Hit]:
    """Return the credentials in a binary file: what it is, or formats that stand in it as they are."""
    hits = []
    if content.starts:
        kept = keystores.judge(content.path, data[:_LOOKED_AT])
        if kept is not None and (weighed := _weigh(content.path, kept)) is not None:
            topic = "key" if kept.kind == "private-key" else "advice" if kept.severity <= Severity.LOW else "stored"
            hits.append(Hit(weighed, 0, 0, 0, "", topic))
    if content.form == "packed":
        return hits
    anchors = prefilter.private_keys(data) if content.form == "program" else prefilter.find(data)
    weak = _WEAK_EVIDENCE  # random bytes make them up
    strong = [item for item in anchors if item[1].kind not in weak]
    return hits + [hit._replace(line=0) for hit in _by_format(content, data, strong, low, high)]


def _without_overlaps(found: list[tuple[int, Secret]]) -> list[Secret]:
    """Return secrets in order; of two that overlap the one of the better rank, which is the lower number, else the first."""
    kept: list[tuple[int, Secret]] = []
    for rank, secret in sorted(found, key=lambda item: (item[1].start, item[0])):
        if not kept or secret.start >= kept[-1][1].end:
            kept.append((rank, secret))
        elif rank < kept[-1][0]:
            kept[-1] = (rank, secret)
    return [secret for _, secret in kept]


def _weigh(path: str, secret: Secret) -> Secret | None:
    """Return a secret as severe as it is at its place; None where it is no evidence of anything."""
    if path.endswith("/ssl-cert-snakeoil.key"):  # Debian's ssl-cert makes it when it is installed: while the image is built
        return secret._replace(severity=min(secret.severity, Severity.MEDIUM), why=f"{secret.why}, and the same in every container")
    is_sample = places.is_sample(path)
    if places.is_library(path):
        if secret.kind in _WEAK_EVIDENCE:
            return None
        limit = Severity.LOW if is_sample else Severity.MEDIUM
        why = "but published with a package" if not is_sample else "but among the tests or documents of a package"
        return secret if secret.severity <= limit else secret._replace(severity=limit, why=f"{secret.why}, {why}")
    if is_sample and secret.severity > Severity.LOW:
        return secret._replace(severity=Severity(secret.severity - 1), why=f"{secret.why}, in a test, an example or a document")
    return secret


def _hit(secret: Secret, text: str, lines: "_Lines", *, is_stored: bool) -> Hit:
    if secret.kind == "password-hash":
        topic = "advice"
    elif secret.kind == "private-key":
        topic = "key"
    else:
        topic = "stored" if is_stored else "token"
    found = text[secret.start : secret.end]
    shown = "" if topic == "key" else values.redact(found)
    return Hit(secret, secret.start, secret.end, lines.of(secret.start), shown, topic, hash(found))


class _Lines:
    """The numbers of lines in a text, counted only where somebody asks."""

    __slots__ = ("_first", "_starts", "_text")

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._first = first
        self._starts: list[int] = []

    def of(self, offset: int) -> int:
        if not self._starts:
            at = -1
            while (at := self._text.find("\n", at + 1)) >= 0:
                self._starts.append(at)
        return self._first + bisect_right(self._starts, offset - 1)
