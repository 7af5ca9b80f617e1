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
    # trivy:ignore:DS-0002:exp:2027-01-31
    # kics-scan ignore-line         also `ignore-block`, `ignore`, `disable=<id>`

A peer's `all` means all of that peer's rules: silencing another tool must not silence what only we look for.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from hardener.engine.selection import Selector, canonical
from hardener.finding import Rule
from hardener.text import Span

if TYPE_CHECKING:
    from hardener.sources.dockerfile import Dockerfile

_ANY: Final = re.compile(r"harden[ \t]*:|hadolint|tally|check[ \t]*=|kics-scan|:skip=|trivy:ignore:", re.IGNORECASE)
_OURS: Final = re.compile(r"harden[ \t]*:[ \t]*(?P<verb>[a-z-]*)[ \t]*(?:\[(?P<ids>[^\]]*)(?P<close>\]?)(?P<tail>.*))?", re.IGNORECASE)
_VERBS: Final = {"ignore": "next", "ignore-stage": "stage", "ignore-file": "file"}
_HOW: Final = "write `# harden: ignore[HD101] reason`, with -stage or -file after `ignore` for a wider scope"
_EXPIRES: Final = re.compile(r"(?:^|(?<=[ \t]))expires=(\S*)")
_ID: Final = re.compile(r"[^\s,]+")

_HADOLINT: Final = re.compile(r"hadolint[ \t]+(?:(?P<scope>global|stage)[ \t]+)?ignore[ \t]*=(?P<ids>[^#]*)(?:#(?P<reason>.*))?")
_TALLY: Final = re.compile(r"tally[ \t]+(?:(?P<scope>global)[ \t]+)?ignore[ \t]*=(?P<ids>[^;]*)(?:;[ \t]*reason=(?P<reason>.*))?")
_CHECKOV: Final = re.compile(r"(?:checkov|bridgecrew):skip=(?P<ids>[\w,-]+)(?::(?P<reason>.*))?")
_BUILDKIT: Final = re.compile(r"check[ \t]*=(?:[^;]*;)*?[ \t]*skip=(?P<ids>[^;]*)")
_TRIVY: Final = re.compile(r"trivy:ignore:(?P<ids>[\w*-]+)(?:\[[^\]\s]{0,200}\])?(?::ws:[^\s:]*)?(?::exp:(?P<expires>[\d-]+))?")
_KICS: Final = re.compile(r"kics-scan[ \t]+(?:(?P<scope>disable)=(?P<ids>\S+)|(?P<line>ignore-line|ignore-block|ignore)[ \t]*$)")
_AT_START: Final = (("hadolint", _HADOLINT), ("tally", _TALLY), ("buildkit", _BUILDKIT), ("kics", _KICS))
_ANYWHERE: Final = (("checkov", _CHECKOV), ("trivy", _TRIVY))
_SCOPES: Final = {"global": "file", "stage": "stage", "disable": "file", "ignore": "file", "ignore-block": "block", "ignore-line": "next"}
_ALL_OF: Final = {"tally": ("tally:*", "hadolint:*", "buildkit:*", "shellcheck:*")}  # tally carries the rules of the other three

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

    __slots__ = ("_document", "_forbidden", "_instructions", "_places", "_selector", "_stages", "_today", "_used", "all", "notices")

    def __init__(self, document: "Dockerfile", selector: Selector, *, today: str, forbidden: bool | Iterable[str]) -> None:
        self._document = document
        self._selector = selector
        self._today = today
        self._forbidden = frozenset({"all"} if forbidden is True else map(canonical, forbidden or ()))
        self._instructions: list[Span] = []
        self._stages: list[int] = []  # where each begins
        self._places: dict[_Place, dict[str, Ignore]] = {}
        self._used: set[tuple[Ignore, str]] = set()
        self.all: tuple[Ignore, ...] = ()
        self.notices: list[Notice] = []  # malformed and unknown-rule; forbidden ones join as they are met

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
            yield "line", self._document.file.line_of(offset)
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


def read(document: "Dockerfile", selector: Selector, *, today: str, forbidden: bool | Iterable[str] = False) -> Ignores:
    """Return the ignore comments of a Dockerfile.

    `today` is an ISO date. `forbidden` is what the configuration does not allow to be ignored: True for everything, or rule words.
    """
    ignores = Ignores(document, selector, today=today, forbidden=forbidden)
    if _ANY.search(document.file.text) is not None:
        _read_into(ignores, document, selector)
    return ignores


def _read_into(ignores: Ignores, document: "Dockerfile", selector: Selector) -> None:
    ignores._instructions = [instruction.span for instruction in document.instructions]
    ignores._stages = [stage.origin.span.start for stage in document.stages]
    reader = _Reader(document, selector, ignores)
    directives = {directive.span.start for directive in document.directives}
    comments = [(comment.span, comment.inside) for comment in document.comments]
    comments.extend((span, True) for span in _heredoc_comments(document))
    found: list[Ignore] = []
    # From the last to the first, so that a block of comments above a line finds that line in one pass.
    for span, inside in sorted(comments, reverse=True):
        for ignore in reader.parse(span, is_directive=span.start in directives):
            found.append(ignore)
            if not ignores._is_expired(ignore):
                words = ignores._places.setdefault(reader.place(ignore, inside=inside), {})
                words.update((word.key, ignore) for word in ignore.words)
    ignores.all = tuple(reversed(found))
    ignores.notices.sort(key=lambda notice: notice.span)


def _heredoc_comments(document: "Dockerfile") -> Iterator[Span]:
    """Yield the comments in the scripts that heredocs hold; to Docker they are text."""
    for instruction in document.all_instructions():
        for heredoc in instruction.heredocs:
            at = 0
            for line in heredoc.body.text.split("\n"):
                stripped = line.lstrip(" \t")
                if stripped.startswith("#"):
                    yield heredoc.body.span(at + len(line) - len(stripped), at + len(line.rstrip("\r")))
                at += len(line) + 1


class _Reader:
    """Reads single comments of one file."""

    __slots__ = ("document", "file", "ignores", "next_lines", "selector")

    def __init__(self, document: "Dockerfile", selector: Selector, ignores: Ignores) -> None:
        self.document = document
        self.file = document.file
        self.selector = selector
        self.ignores = ignores
        self.next_lines: dict[int, int] = {}

    def parse(self, span: Span, *, is_directive: bool) -> Iterator[Ignore]:
        """Yield the ignores that one comment holds."""
        text = self.file.slice(span)
        if _ANY.search(text) is None:
            return
        start = len(text) - len(text[1:].lstrip(" \t"))
        if (match := _OURS.match(text, start)) is not None:
            ignore = self.ours(match, span)
            if ignore is not None:
                yield ignore
        for tool, match in _foreign(text, start):
            groups = match.groupdict()
            keys: list[str] = []
            for word in _ID.findall(groups.get("ids") or "all"):
                keys.extend(_ALL_OF.get(tool, (f"{tool}:*",)) if word in ("*", "all") else (canonical(word),))
            scope = "file" if is_directive or tool == "checkov" else _SCOPES.get(groups.get("scope") or groups.get("line") or "", "next")
            words = tuple(Word(key, key, span) for key in keys)
            yield Ignore(tool, scope, words, span, (groups.get("reason") or "").strip(), groups.get("expires") or "")

    def ours(self, match: re.Match[str], span: Span) -> Ignore | None:
        """Return the ignore in our own syntax; what is wrong with it becomes a notice, and then it ignores nothing."""
        verb = match["verb"].lower()
        if match["ids"] is None and not verb.startswith("ignore"):
            return None  # a sentence that happens to begin with `harden:`
        scope = _VERBS.get(verb)
        tail = match["tail"] or ""
        expires = _EXPIRES.search(tail)
        trouble = ""
        if scope is None or not match["close"]:
            trouble = f"not an ignore that is understood: {_HOW}"
        elif not match["ids"].strip(" \t,"):
            trouble = f"this ignore names no rule: {_HOW}"
        elif scope == "stage" and not self.document.stages:
            trouble = "there is no stage to ignore it in: the file has no FROM"
        elif expires is not None and not _is_date(expires[1]):
            trouble = f"{expires[1]!r} is not a date: write `expires=2027-01-31`"
        if trouble or scope is None:
            self.ignores.notices.append(Notice("malformed", span, trouble))
            return None
        words: list[Word] = []
        for found in _ID.finditer(match.string, *match.span("ids")):
            word = Word(canonical(found[0]), found[0], Span(span.start + found.start(), span.start + found.end()))
            if self.selector.is_known(word.text):
                words.append(word)
            else:
                message = f"unknown rule {word.text!r} in an ignore: {self.selector.hint(word.text)}"
                self.ignores.notices.append(Notice("unknown-rule", word.span, message))
        reason = tail if expires is None else tail[: expires.start()] + tail[expires.end() :]
        return Ignore("harden", scope, tuple(words), span, reason.strip(" \t-–—:"), expires[1] if expires else "")

    def place(self, ignore: Ignore, *, inside: bool) -> _Place:
        """Return what an ignore covers."""
        start = ignore.span.start
        following = bisect_right(self.ignores._instructions, start, key=_start)
        instructions = self.document.instructions
        opens_stage = not inside and following < len(instructions) and instructions[following].name == "FROM"
        match ignore.scope:
            case "file":
                return "file", 0
            case "stage" | "block" if ignore.scope == "stage" or opens_stage:
                stage = bisect_right(self.ignores._stages, start) - 1
                return "stage", stage + 1 if opens_stage else max(stage, 0)
            case _ if inside:
                return "line", self.next_line(self.file.line_of(start))
            case _:
                return "instruction", following

    def next_line(self, line: int) -> int:
        """Return the first line after `line` that is neither blank nor a comment."""
        start = line
        count = len(self.file.line_starts)
        while line < count:
            line += 1
            if line in self.next_lines:
                line = self.next_lines[line]
                break
            text = self.file.slice(self.file.line_span(line)).lstrip()
            if text and not text.startswith("#"):
                break
        self.next_lines[start] = line
        return line


def _start(span: Span) -> int:
    return span.start


def _foreign(text: str, start: int) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield tool and match for each ignore in a peer's syntax."""
    for tool, pattern in _AT_START:
        if (match := pattern.match(text, start)) is not None:
            yield tool, match
    for tool, pattern in _ANYWHERE:
        for match in pattern.finditer(text, start):
            yield tool, match


def _is_date(text: str) -> bool:
    from datetime import date  # only for ignores that expire

    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
