"""What a policy asks for. The people who write policies are not those who configure the linter, so a policy only ever tightens."""

from hardener.finding import Severity
from hardener.record import NamedTuple


class Word(NamedTuple):
    """A rule as a policy names it, and where it stands (`path:line:column`)."""

    text: str
    where: str


class Gate(NamedTuple):
    """What text must satisfy to be merged."""

    fail_on: Severity | None = None  # the highest threshold that a configuration may set; None: any
    require: tuple[Word, ...] = ()  # rules that run and keep their severity, whatever the configuration says
    forbid_ignores: tuple[Word, ...] = ()  # rules that no comment may ignore; `all` for every rule
    require_reason: bool = False  # ignore comments must give a reason
    allowed_registries: tuple[str, ...] = ()  # where images may come from; empty: anywhere


class Policy(NamedTuple):
    """A policy with everything that it extends."""

    name: str
    why: str
    path: str
    gate: Gate
