"""Findings that are known and not reported, so that a team can adopt the linter today and mend the past later.

An entry names a rule, a path and a digest of the text that was found; no line number, so edits elsewhere bring nothing back, and no text,
because it may hold a secret. One entry hides exactly one finding, in that file only: the same mistake made once more is reported.
Paths are relative to the folder of the baseline, so it does not matter from where or how the linter was called.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final, cast

from hardener.errors import HardenError
from hardener.finding import Finding, Location, Rule
from hardener.record import NamedTuple

VERSION: Final = 1

_Entries = dict[str, dict[str, list[str]]]
"""Path to rule id to digests; a digest stands as often as there are findings."""


class Split(NamedTuple):
    """Findings told apart by a baseline."""

    new: tuple[Finding, ...]
    known: tuple[Finding, ...]
    notices: tuple[str, ...]  # entries that hide nothing any more


def fingerprint(rule: Rule, location: Location, seen: dict[tuple[str, str], int]) -> str:
    """Return 64 hex digits that stay the same when lines move: of rule, path, text with its blanks evened out, and occurrence.

    `seen` counts the occurrences in one file; hand in the same dict for all findings of a file, in their order.
    """
    text = _normalised(location)
    occurrence = seen[rule.id, text] = seen.get((rule.id, text), 0) + 1
    return _digest(rule.id, _slashed(location.path), text, str(occurrence))


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """Return the fingerprint of each finding; those of one file must be in their order."""
    seen: dict[str, dict[tuple[str, str], int]] = {}
    return [
        _image_fingerprint(finding, seen.setdefault(f"image {finding.image}", {}))
        if finding.image
        else fingerprint(finding.rule, finding.location, seen.setdefault(finding.location.path, {}))
        for finding in findings
    ]


def _image_fingerprint(finding: Finding, seen: dict[tuple[str, str], int]) -> str:
    """Return 64 hex digits that stay the same for every build and tag of an image, wherever its Dockerfile or compose file names it."""
    occurrence = seen[finding.rule.id, finding.about] = seen.get((finding.rule.id, finding.about), 0) + 1
    return _digest(finding.rule.id, "image", finding.image, finding.about, str(occurrence))


def render(findings: Iterable[Finding], path: str, *, cwd: str) -> str:
    """Return the text of a baseline at `path` that hides `findings`; the same findings give the same text, in any order."""
    from json import dumps

    entries: _Entries = {}
    for finding in findings:
        digests = entries.setdefault(_relative(finding, path, cwd), {}).setdefault(finding.rule.id, [])
        digests.append(_content(finding))
    for rules in entries.values():
        for digests in rules.values():
            digests.sort()
    return dumps({"version": VERSION, "findings": entries}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write(findings: Iterable[Finding], path: str, *, cwd: str) -> None:
    """Write a baseline, whole or not at all. Raises `HardenError` when the file cannot be written."""
    text = render(findings, path, cwd=cwd)
    target = os.path.join(cwd, path)
    sibling = f"{target}.{os.getpid()}.tmp"
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            raise HardenError("a baseline is a file, which this is not", where=path, how="name a file, or one that is not there yet")
        with open(sibling, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            stream.write(text)
        os.replace(sibling, target)
    except OSError as error:
        if os.path.exists(sibling):
            os.unlink(sibling)
        raise HardenError(f"cannot write the baseline: {error.strerror}", where=path, how="check the folder and its permissions") from None


class Baseline:
    """A baseline that was read."""

    __slots__ = ("_cwd", "_entries", "_path")

    def __init__(self, entries: _Entries, path: str, *, cwd: str) -> None:
        self._entries = entries
        self._path = path
        self._cwd = cwd

    @classmethod
    def read(cls, path: str, *, cwd: str) -> "Baseline":
        """Return the baseline at `path` (relative to `cwd`). Raises `HardenError` when it cannot be read or is none."""
        from json import loads

        try:
            with open(os.path.join(cwd, path), encoding="utf-8", errors="surrogateescape") as stream:
                text = stream.read()
        except OSError as error:
            how = f"`harden lint --write-baseline {path}` makes one"
            raise HardenError(f"cannot read the baseline: {error.strerror}", where=path, how=how) from None
        try:
            document: object = loads(text)
        except (ValueError, RecursionError):
            raise HardenError("the baseline is not valid JSON", where=path, how=_REWRITE) from None
        version = document.get("version") if isinstance(document, dict) else None
        if version != VERSION:
            what = f"the baseline has version {version!r}, not {VERSION}" if version is not None else "this is not a baseline"
            raise HardenError(what, where=path, how=_REWRITE)
        entries = _entries(document.get("findings") if isinstance(document, dict) else None)
        if entries is None:
            raise HardenError("the findings of the baseline are damaged", where=path, how=_REWRITE)
        return cls(entries, path, cwd=cwd)

    def split(self, findings: Sequence[Finding], *, files: Iterable[str], rules: Iterable[Rule]) -> Split:
        """Return which findings are new and which are known.

        `files` (as reports name them) and `rules` are those that were judged: an entry for anything else may well be true still, so
        it is not called stale.
        """
        left: dict[tuple[str, str, str], int] = {}
        for file, of in self._entries.items():
            for rule, digests in of.items():
                for digest in digests:
                    left[file, rule, digest] = left.get((file, rule, digest), 0) + 1
        new: list[Finding] = []
        known: list[Finding] = []
        for finding in findings:
            key = (_relative(finding, self._path, self._cwd), finding.rule.id, _content(finding))
            if left.get(key, 0):
                left[key] -= 1
                known.append(finding)
            else:
                new.append(finding)
        # Images are named here as they are in entries.
        judged = {file if file.startswith("image ") else _relative_path(file, self._path, self._cwd) for file in files}
        ran = {rule.id for rule in rules}
        stale: dict[tuple[str, str], int] = {}
        for (file, rule, _), count in left.items():
            if count and file in judged and rule in ran:
                stale[file, rule] = stale.get((file, rule), 0) + count
        notices = []
        for (file, rule), count in sorted(stale.items()):
            entries = "1 entry has" if count == 1 else f"{count} entries have"
            notices.append(f"{self._path}: {entries} nothing to hide any more: {rule} in {file}")
        return Split(tuple(new), tuple(known), tuple(notices))


_REWRITE: Final = "write it anew with `harden lint --write-baseline`"


def _entries(value: object) -> _Entries | None:
    """Return the entries that JSON holds, or None when they are not what we write."""
    if not isinstance(value, dict):
        return None
    entries: _Entries = {}
    for path, rules in value.items():
        if not isinstance(rules, dict):
            return None
        for rule, digests in rules.items():
            if not isinstance(digests, list) or not all(isinstance(digest, str) for digest in digests):
                return None
            entries.setdefault(path, {})[rule] = digests
    return entries


def _content(finding: Finding) -> str:
    """Return 16 hex digits of what was found: enough among the findings of one rule in one file."""
    return _digest(finding.rule.id, finding.about if finding.image else _normalised(finding.location))[:16]


def _normalised(location: Location) -> str:
    return " ".join(location.text.split())


def _digest(*parts: str) -> str:
    data: str = _sha256()("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    return data


@cache
def _sha256() -> "Callable[[bytes], Any]":
    """Return SHA-256, from the module behind hashlib where there is one: hashlib itself loads OpenSSL, which takes 3 ms."""
    from importlib import import_module

    for name in ("_sha2", "_sha256", "hashlib"):  # since Python 3.12; before; anywhere
        try:
            return cast("Callable[[bytes], Any]", import_module(name).sha256)
        except ImportError:
            continue
    raise AssertionError("hashlib is always there")


def _slashed(path: str) -> str:
    return path.replace(os.sep, "/")


def _relative(finding: Finding, baseline: str, cwd: str) -> str:
    if finding.image:
        return f"image {finding.image}"
    return _relative_path(finding.location.path, baseline, cwd)


def _relative_path(path: str, baseline: str, cwd: str) -> str:
    """Return a path as reports name it, relative to the folder of the baseline, with slashes."""
    folder = os.path.dirname(os.path.join(cwd, baseline))
    try:
        return _slashed(os.path.relpath(os.path.join(cwd, path), folder))
    except ValueError:  # another drive on Windows
        return _slashed(os.path.join(cwd, path))
