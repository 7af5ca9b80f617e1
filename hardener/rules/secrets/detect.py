"""The entrance: `judge` one key and value, `scan` a longer text.

Confidence says how sure it is that the value is a literal credential, severity how much it opens:

- a format with a checksum or a structure that holds: high;
- a random literal under a secret name: high; another literal under a password's name: medium;
- a weak or default password (`DB_PASSWORD=postgres`): low, because half of them are meant to be overridden;
- a token whose checksum is wrong, an identifier, a key of a test mode: low severity;
- variables, placeholders (`changeme`), paths, choices, numbers, versions, names such as `*_FILE`: nothing.
"""

import re
from collections.abc import Iterator
from functools import cache
from sys import maxsize as MAXSIZE

from hardener.rules.secrets import Secret, literals
from hardener.rules.secrets.formats import Format, anchors


def judge(value: str, *, name: str = "", in_force: bool = False) -> Secret | None:
    """Return the credential in a value, the surest one when there are several; None when there is none.

    `name` is the variable, key or flag that holds it. `in_force`: nothing will replace the value (a compose file's environment, as
    against a Dockerfile's default), so that a placeholder under a password's name is the password.
    """
    found, assignments = _formats(value)
    text = value.strip()
    start = value.index(text)
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        start, text = start + 1, text[1:-1]
    named = literals.judge(text, name, start, in_force=in_force)
    if named and not found:  # a format says more about the same value than its name does
        found.append(named)
    if not found:
        found = list(literals.find(value, assignments))  # a value may be a text of its own: JAVA_OPTS="-Dpassword=…"
    return max(found, key=lambda secret: (secret.confidence, secret.severity), default=None)


def scan(text: str, *, in_force: bool = False) -> Iterator[Secret]:
    """Yield the credentials in a text (a command, a file, a label), in order of position, without overlaps. `in_force`: see `judge`."""
    found, assignments = _formats(text)
    candidates = [(secret.start, 0, secret) for secret in found]
    candidates += [(secret.start, 1, secret) for secret in literals.find(text, assignments, in_force=in_force)]
    candidates.sort(key=lambda candidate: candidate[:2])
    kept: list[tuple[int, Secret]] = []
    for _, rank, secret in candidates:
        if not kept or secret.start >= kept[-1][1].end:
            kept.append((rank, secret))
        elif rank < kept[-1][0]:
            kept[-1] = (rank, secret)
    for _, secret in kept:
        yield secret


def _formats(text: str) -> tuple[list[Secret], list[int]]:
    """Return the secrets of a known format, and the offsets of `=` and `:` that may assign something."""
    found: list[Secret] = []
    assignments: list[int] = []
    signs, pattern, before, after = anchors()
    if signs.isdisjoint(text):
        return found, assignments
    for hit in pattern.finditer(text):
        at = hit.start()
        for form, anchor, offset in before.get(text[at - 2 : at + 1] if at >= 2 else "", ()):
            if text.startswith(anchor, at - offset) and (secret := at_anchor(form, at - offset, text)):
                found.append(secret)
        for form, anchor, offset in after.get(text[at : at + 3], ()):
            if text.startswith(anchor, at - offset) and (secret := at_anchor(form, at - offset, text)):
                found.append(secret)
        if text[at] in "=:":
            assignments.append(at)
    return found, assignments


def at_anchor(form: Format, anchor: int, text: str, end: int = MAXSIZE) -> Secret | None:
    """Return the credential whose anchor stands at an offset; it is not read beyond `end`."""
    if form.needs and text.find(form.needs, anchor, anchor + 400) < 0:
        return None
    pattern = _compiled(form.pattern)
    for start in range(max(0, anchor - form.back), anchor + 1):
        if _continues(text, start):
            continue
        match = pattern.match(text, start, end)
        if match and not (match[0][-1].isalnum() and text[match.end() : match.end() + 1].isalnum()):
            verdict = form.proof(match)
            return verdict and Secret.of(form.kind, form.title, match.span(match.lastindex or 0), verdict, form.severity)
    return None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)  # whose own cache costs more than most of the matches


def _continues(text: str, start: int) -> bool:
    """Whether the character at an offset continues a word, so that no token starts there.

    It is what keeps the cost linear, too: in a long run of token characters only its start is tried.
    """
    if not start or not text[start].isalnum():
        return False
    before = text[start - 1]
    if not (before.isalnum() or before in "_-"):
        return False
    return text[max(0, start - 2)] != "\\"  # the n of a \n belongs to no word
