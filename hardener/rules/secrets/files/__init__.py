"""Files that programs keep credentials in, known by their paths: what a `.npmrc`, a kubeconfig or a `.pgpass` holds is a credential,
whatever it looks like.

`table` says which files these are, `decoded` reads those that one expression cannot, `keystores` knows binary ones, and `places` says
what a path makes of anything found under it: a key among the tests of a library is no leak.
"""

import re
from collections.abc import Callable, Iterator

from hardener.finding import Confidence, Severity
from hardener.record import NamedTuple
from hardener.rules.secrets import Secret, Verdict, values

Reader = Callable[[str], Iterator[Secret]]
"""From the text of a file to the credentials in it."""


class Keeper(NamedTuple):
    """One kind of file: its title (`an npm configuration`), and what reads it. A pattern has a group `value`, and may have `user`."""

    title: str
    patterns: tuple[str, ...] = ()
    reader: Reader | None = None
    kind: str = "password"
    severity: Severity = Severity.HIGH


def read(keeper: Keeper, text: str) -> Iterator[Secret]:
    """Yield the credentials in a file of this kind."""
    if keeper.reader is not None:
        yield from keeper.reader(text)
    for pattern in keeper.patterns:
        for match in re.finditer(pattern, text):
            if secret := literal(match["value"], match.span("value"), keeper.title, kind=keeper.kind, severity=keeper.severity):
                yield secret


def literal(value: str, span: tuple[int, int], title: str, *, kind: str = "password", severity: Severity = Severity.HIGH) -> Secret | None:
    """Judge what stands where this kind of file has its credential: whatever is no reference and no placeholder is one."""
    if not value.strip() or values.is_reference(value) or values.is_placeholder(value):
        return None
    if values.is_weak(value) or values.is_switch(value):
        verdict = Verdict(Confidence.MEDIUM, "a literal, and one of the first that anybody tries", Severity.MEDIUM)
        return Secret.of("weak-password", f"weak password of {title}", span, verdict)
    return Secret.of(kind, f"credential of {title}", span, Verdict(Confidence.HIGH, f"{title} keeps it there"), severity)
