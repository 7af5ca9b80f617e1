"""Ignore comments: which findings of a file its author has answered, by whose syntax, for how long and why.

Ours:

    # harden: ignore[HD101, DL3008] reason                  the next instruction; between the lines of one: the next line of it
    # harden: ignore-stage[HD201] reason                    the stage it stands in; just before a FROM: the stage that begins there
    # harden: ignore-file[HD7] expires=2027-01-31 reason    the whole file; the day named is the last one it holds

An id may be ours, a rule's name, a prefix, `all`, or any peer's id. The peers' own comments count as well, for what is the same rule here:

    # hadolint ignore=DL3006        also `global ignore=` and `stage ignore=`
    # tally ignore=DL3006;reason=…  also `global ignore=`
    # check=skip=JSONArgsRecommended  as a directive for the file, as a comment for the next instruction
    # checkov:skip=CKV_DOCKER_2:reason  the whole file, wherever it stands
    # dclint disable-line no-version-field   also `disable-file`, `disable`
    # trivy:ignore:DS-0002:exp:2027-01-31
    # kics-scan ignore-line         also `ignore-block`, `ignore`, `disable=<id>`

A peer's `all` means all of that peer's rules: silencing another tool must not silence what only we look for.

In compose files, scripts and the like there are neither instructions nor stages: a comment answers for its own line, or for the next
one when it stands alone, together with what is indented below that line or continues it. So above `volumes:` it covers the list, above
the name of a service all of it. In Markdown an HTML comment does.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from hardener.engine.selection import Selector, canonical
from hardener.finding import Rule
from hardener.record import NamedTuple
from hardener.text import SourceFile, Span

if TYPE_CHECKING:
    from hardener.sources.dockerfile import Dockerfile

_MARKS: Final = ("harden", "hadolint", "tally", "check", "kics-scan", ":skip=", "trivy:ignore", "dclint")
"""One of these stands in every ignore comment; most files have none and are done with."""

_Place = tuple[str, int]
"""What an ignore covers: `("file", 0)`, `("stage", index)`, `("instruction", index)` or `("line", number)`."""


class Notice(NamedTuple):
    """Something about an ignore comment that its author should know.

    `code` is malformed, unknown-rule, forbidden, unused, expired or reasonless.
    """

    code: str
    span: Span
    message: str


class Word(NamedTuple):
    """One id in an ignore comment: as compared, as written, and where."""

    key: str
    text: str
    span: Span


class Ignore(NamedTuple):
    """One ignore comment."""

    tool: str  # whose syntax it is: harden, hadolint, …
    scope: str  # next, stage, block (KICS: the stage before a FROM, otherwise the next instruction) or file
    words: tuple[Word, ...]
    span: Span  # the whole comment
    reason: str
    expires: str  # ISO date, the last day on which it holds; "" for ever


class Ignores:
    """The ignore comments of one file. Ask `match` for every finding first, then for the notices."""

    __slots__ = ("_file", "_forbidden", "_instructions", "_places", "_selector", "_stages", "_today", "_used", "all", "notices")

    def __init__(self, file: SourceFile, selector: Selector, *, today: str, forbidden: Iterable[str]) -> None:
        self._file = file
        self._selector = selector
        self._today = today
        self._forbidden = frozenset(map(canonical, forbidden))
        self._instructions: list[Span] = []
        self._stages: list[int] = []  # where each begins
        self._places: dict[_Place, dict[str, Ignore]] = {}
        self._used: set[tuple[Ignore, str]] = set()
        self.all: tuple[Ignore, ...] = ()
        self.notices: list[Notice] = []  # malformed and unknown-rule; forbidden ones join as they are met

    def add(self, ignore: Ignore, places: Iterable[_Place]) -> None:
        """Note what an ignore covers; an expired one covers nothing."""
        if not self._is_expired(ignore):
            for place in places:
                self._places.setdefault(place, {}).update((word.key, ignore) for word in ignore.words)

    def match(self, rule: Rule, spans: Iterable[Span]) -> Ignore | None:
        """Return the ignore that covers a finding of `rule` at any of `spans` (the finding's own, then further anchors)."""
        if not self._places:
            return None
        ranks = self._selector.keys(rule)
        found: tuple[int, str, Ignore] | None = None
        for place in self._places_of(spans):
            words = self._places.get(place, {})
            for key in ranks.keys() & words.keys():
                if found is None or ranks[key] > found[0]:
                    found = (ranks[key], key, words[key])
        if found is None:
            return None
        _, key, ignore = found
        used = (ignore, key)
        if self._forbidden.isdisjoint(ranks):
            self._used.add(used)
            return ignore
        if used not in self._used:
            self._used.add(used)
            self.notices.append(Notice("forbidden", ignore.span, f"{rule.id} may not be ignored here: the configuration forbids it"))
        return None

    def _places_of(self, spans: Iterable[Span]) -> Iterator[_Place]:
        """Yield every place that any of the spans begins in."""
        yield "file", 0
        for span in spans:
            offset = span.start
            yield "line", self._file.line_of(offset)
            index = bisect_right(self._instructions, offset, key=_start) - 1
            if index >= 0 and offset <= self._instructions[index].end:
                yield "instruction", index
            yield "stage", bisect_right(self._stages, offset) - 1

    def unused(self, ran: Iterable[Rule]) -> list[Notice]:
        """Return a notice for every id of ours that suppressed nothing although a rule it names is among those that ran."""
        keys = {key for rule in ran for key in self._selector.keys(rule)}
        return [
            Notice("unused", word.span, f"nothing here to ignore for {word.text}")
            for ignore in self.all
            if ignore.tool == "harden" and not self._is_expired(ignore)
            for word in ignore.words
            if word.key in keys and (ignore, word.key) not in self._used
        ]

    def expired(self) -> list[Notice]:
        """Return a notice for every ignore whose last day is over: it suppresses nothing any more."""
        return [
            Notice("expired", ignore.span, f"this ignore expired on {ignore.expires}") for ignore in self.all if self._is_expired(ignore)
        ]

    def reasonless(self) -> list[Notice]:
        """Return a notice for every ignore without a reason; those in a peer's syntax only if they suppressed something here."""
        used = {ignore for ignore, _ in self._used}
        return [
            Notice("reasonless", ignore.span, "this ignore gives no reason")
            for ignore in self.all
            if not ignore.reason and (ignore.tool == "harden" or ignore in used)
        ]

    def _is_expired(self, ignore: Ignore) -> bool:
        return bool(ignore.expires) and ignore.expires < self._today  # ISO dates sort as text


def read(document: "Dockerfile", selector: Selector, *, today: str, forbidden: Iterable[str] = ()) -> Ignores:
    """Return the ignore comments of a Dockerfile.

    `today` is an ISO date. `forbidden` are rule words that the configuration does not allow to be ignored; `all` for everything.
    """
    ignores = Ignores(document.file, selector, today=today, forbidden=forbidden)
    comments = [(comment.span, comment.inside) for comment in document.comments if _may_ignore(comment.text)]
    if "<<" in document.file.text:
        comments.extend((span, True) for span in _heredoc_comments(document))
    if comments:
        _file_under(ignores, document, comments)
    return ignores


def read_lines(file: SourceFile, selector: Selector, *, today: str, forbidden: Iterable[str] = ()) -> Ignores:
    """Return the ignore comments of a file that is no Dockerfile: YAML, a script, a unit, a Makefile, Markdown.

    What is a comment is decided by its looks (`# harden: …`), so that those in the scripts inside a CI file count as well.
    """
    ignores = Ignores(file, selector, today=today, forbidden=forbidden)
    if _may_ignore(file.text):
        from hardener.engine.ignore_lines import file_under

        file_under(ignores, file)
    return ignores


def _may_ignore(text: str) -> bool:
    lower = text.lower()
    return any(mark in lower for mark in _MARKS)


def _heredoc_comments(document: "Dockerfile") -> Iterator[Span]:
    """Yield the comments in the scripts that heredocs hold; to Docker they are text."""
    for instruction in document.all_instructions():
        for heredoc in instruction.heredocs:
            at = 0
            for line in heredoc.body.text.split("\n"):
                stripped = line.lstrip(" \t")
                if stripped.startswith("#") and _may_ignore(stripped):
                    yield heredoc.body.span(at + len(line) - len(stripped), at + len(line.rstrip("\r")))
                at += len(line) + 1


def _file_under(ignores: Ignores, document: "Dockerfile", comments: list[tuple[Span, bool]]) -> None:
    """Read comments (each with whether it stands inside an instruction) and sort the ignores in them by what they cover."""
    from hardener.engine.ignore_comments import parse  # its expressions take 3 ms to compile

    ignores._instructions = [instruction.span for instruction in document.instructions]
    ignores._stages = [stage.origin.span.start for stage in document.stages]
    directives = {directive.span.start for directive in document.directives}
    next_lines: dict[int, int] = {}
    found: list[Ignore] = []
    # From the last to the first, so that a block of comments above a line finds that line in one pass.
    for span, inside in sorted(comments, reverse=True):
        for result in parse(document.file.slice(span), span, ignores._selector, is_directive=span.start in directives):
            if isinstance(result, Notice):
                ignores.notices.append(result)
            elif result.scope == "stage" and not ignores._stages:
                ignores.notices.append(Notice("malformed", span, "there is no stage to ignore it in: the file has no FROM"))
            else:
                found.append(result)
                ignores.add(result, (_place(ignores, document, result, next_lines, inside=inside),))
    ignores.all = tuple(reversed(found))
    ignores.notices.sort(key=lambda notice: notice.span)


def _place(ignores: Ignores, document: "Dockerfile", ignore: Ignore, next_lines: dict[int, int], *, inside: bool) -> _Place:
    """Return what an ignore covers."""
    start = ignore.span.start
    instructions = document.instructions
    following = bisect_right(ignores._instructions, start, key=_start)
    opens_stage = not inside and following < len(instructions) and instructions[following].name == "FROM"
    if ignore.scope == "file":
        return "file", 0
    if ignore.scope == "stage" or (ignore.scope == "block" and opens_stage):
        stage = bisect_right(ignores._stages, start) - 1
        return "stage", stage + 1 if opens_stage else max(stage, 0)
    if inside:
        file = document.file
        return "line", _next_line(file, file.line_of(start), next_lines)
    return "instruction", following


def _next_line(file: SourceFile, line: int, known: dict[int, int]) -> int:
    """Return the first line after `line` that is neither blank nor a comment."""
    start = line
    count = len(file.line_starts)
    while line < count:
        line += 1
        if line in known:
            line = known[line]
            break
        text = file.slice(file.line_span(line)).lstrip()
        if text and not text.startswith("#"):
            break
    known[start] = line
    return line


def _start(span: Span) -> int:
    return span.start
