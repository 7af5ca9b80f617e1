"""The syntaxes of ignore comments: what one comment says. `ignores.py` shows them all and decides what each covers."""

import re
from collections.abc import Iterator
from typing import Final

from hardener.engine.ignores import Ignore, Notice, Word
from hardener.engine.selection import Selector, canonical
from hardener.text import Span

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
_DCLINT: Final = re.compile(r"dclint[ \t]+(?P<scope>disable-file|disable-line|disable)\b(?P<ids>[^#]*)")
_AT_START: Final = (("hadolint", _HADOLINT), ("tally", _TALLY), ("buildkit", _BUILDKIT), ("kics", _KICS), ("dclint", _DCLINT))
_ANYWHERE: Final = (("checkov", _CHECKOV), ("trivy", _TRIVY))
_SCOPES: Final = {
    "global": "file",
    "stage": "stage",
    "disable": "file",
    "ignore": "file",
    "ignore-block": "block",
    "ignore-line": "next",
    "disable-file": "file",
    "disable-line": "next",
}
_ALL_OF: Final = {"tally": ("tally:*", "hadolint:*", "buildkit:*", "shellcheck:*")}  # tally carries the rules of the other three


def parse(text: str, span: Span, selector: Selector, *, is_directive: bool) -> Iterator[Ignore | Notice]:
    """Yield the ignores that a comment holds, and what is wrong with those in our own syntax.

    `text` is the comment from its `#` on, `span` its place. As a directive at the top of the file, `check=` is for the whole file.
    """
    start = len(text) - len(text[1:].lstrip(" \t"))
    if (match := _OURS.match(text, start)) is not None:
        yield from _ours(match, span, selector)
    for tool, match in _foreign(text, start):
        groups = match.groupdict()
        keys: list[str] = []
        for word in _ID.findall(groups.get("ids") or "all") or ["all"]:
            keys.extend(_ALL_OF.get(tool, (f"{tool}:*",)) if word in ("*", "all") else (canonical(word),))
        scope = "file" if is_directive or tool == "checkov" else _SCOPES.get(groups.get("scope") or groups.get("line") or "", "next")
        words = tuple(Word(key, key, span) for key in keys)
        yield Ignore(tool, scope, words, span, (groups.get("reason") or "").strip(), groups.get("expires") or "")


def _ours(match: re.Match[str], span: Span, selector: Selector) -> Iterator[Ignore | Notice]:
    """Yield the ignore in our own syntax, or what is wrong with it; then it ignores nothing."""
    verb = match["verb"].lower()
    if match["ids"] is None and not verb.startswith("ignore"):
        return  # a sentence that happens to begin with `harden:`
    scope = _VERBS.get(verb)
    tail = match["tail"] or ""
    expires = _EXPIRES.search(tail)
    if scope is None or not match["close"]:
        yield Notice("malformed", span, f"not an ignore that is understood: {_HOW}")
    elif not match["ids"].strip(" \t,"):
        yield Notice("malformed", span, f"this ignore names no rule: {_HOW}")
    elif expires is not None and not _is_date(expires[1]):
        yield Notice("malformed", span, f"{expires[1]!r} is not a date: write `expires=2027-01-31`")
    else:
        words: list[Word] = []
        for found in _ID.finditer(match.string, *match.span("ids")):
            word = Word(canonical(found[0]), found[0], Span(span.start + found.start(), span.start + found.end()))
            if selector.is_known(word.text):
                words.append(word)
            else:
                yield Notice("unknown-rule", word.span, f"unknown rule {word.text!r} in an ignore: {selector.hint(word.text)}")
        reason = tail if expires is None else tail[: expires.start()] + tail[expires.end() :]
        yield Ignore("harden", scope, tuple(words), span, reason.strip(" \t-–—:"), expires[1] if expires else "")


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
