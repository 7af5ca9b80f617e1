"""Which lines changed since a git revision, for `--diff REF`: new mistakes only, without a baseline.

git compares the working tree with the revision; files that git does not know yet are changed as a whole. Only the headers of the diff
are read, with the lengths they announce, so no line of a file can pass for one.
"""

import os
import re
from bisect import bisect_left
from typing import Final

from hardener.errors import HardenError

_HUNK: Final = re.compile(rb"@@ -[0-9]+(?:,([0-9]+))? \+([0-9]+)(?:,([0-9]+))? @@")
_ESCAPE: Final = re.compile(rb'\\([abtnvfr"\\]|[0-7]{3})')
_ESCAPES: Final = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r", b'"': b'"', b"\\": b"\\"}
_SAFE: Final = ("-c", "core.quotePath=false", "-c", "core.fsmonitor=false")


class Changes:
    """Changed lines by file. `whole` are files that are new as a whole; all paths are real and absolute."""

    __slots__ = ("_ranges", "_whole")

    def __init__(self, ranges: dict[str, list[tuple[int, int]]], whole: set[str]) -> None:
        self._ranges = ranges
        self._whole = whole

    def touch(self, path: str, first: int, last: int) -> bool:
        """Tell whether any line from `first` to `last` (1-based, inclusive) of the file at an absolute path changed."""
        path = os.path.realpath(path)
        if path in self._whole:
            return True
        ranges = self._ranges.get(path, [])
        at = bisect_left(ranges, first, key=_end)  # the first range that does not end before `first`
        return at < len(ranges) and ranges[at][0] <= last

    @property
    def files(self) -> frozenset[str]:
        """The files in which anything changed."""
        return frozenset(self._ranges) | self._whole


def since(revision: str, *, cwd: str) -> Changes:
    """Return the lines that differ between a revision and the working tree of the repository that `cwd` lies in.

    Raises `HardenError` when there is no git, no repository, or no such revision.
    """
    root = os.fsdecode(_git(["rev-parse", "--show-toplevel"], cwd, "this is not in a git repository").removesuffix(b"\n"))
    how = "name a branch, a tag or a commit; a shallow clone may have to fetch it first"
    # The id that comes back is what the diff is given: a revision that looks like an option never gets that far.
    commit = _git(
        ["rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"], cwd, f"unknown revision {revision!r}", how
    ).strip()
    diff = _git(
        [
            "diff",
            "--unified=0",
            "--inter-hunk-context=0",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--text",
            "--find-renames",
            "--no-relative",
            "--diff-filter=d",
            "--ignore-submodules",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            os.fsdecode(commit),
            "--",
        ],
        root,
        "git cannot compare with the working tree",
    )
    untracked = _git(["ls-files", "--others", "--exclude-standard", "-z"], root, "git cannot list the untracked files")
    ranges = {os.path.realpath(os.path.join(root, path)): lines for path, lines in parse(diff).items()}
    whole = {os.path.realpath(os.path.join(root, os.fsdecode(path))) for path in untracked.split(b"\0") if path}
    return Changes(ranges, whole)


def parse(diff: bytes) -> dict[str, list[tuple[int, int]]]:
    """Return the first and last line of each changed range, by path, from `git diff --unified=0`."""
    changed: dict[str, list[tuple[int, int]]] = {}
    ranges: list[tuple[int, int]] = []
    skip = 0
    for line in diff.split(b"\n"):
        if line.startswith(b"\\"):  # "\ No newline at end of file" belongs to no count
            continue
        if skip:
            skip -= 1
        elif line.startswith(b"+++ "):
            ranges = []
            path = _path(line[4:])
            if path is not None:
                changed[path] = ranges
        elif (hunk := _HUNK.match(line)) is not None:
            removed, start, added = (int(text) if text is not None else 1 for text in hunk.groups())
            skip = removed + added
            if added:
                ranges.append((start, start + added - 1))
    return changed


def _end(lines: tuple[int, int]) -> int:
    return lines[1]


def _path(text: bytes) -> str | None:
    """Return the path of a `+++` line; None for /dev/null. git puts a tab behind paths with blanks, and quotes odd ones like C."""
    text = text.removesuffix(b"\t")
    if text.startswith(b'"'):
        text = _ESCAPE.sub(lambda match: _ESCAPES.get(match[1]) or bytes([int(match[1], 8)]), text[1:-1])
    return None if text == b"/dev/null" else os.fsdecode(text.removeprefix(b"b/"))


def _git(arguments: list[str], cwd: str, what: str, how: str = "") -> bytes:
    """Return what git prints, or raise `HardenError` with its reason."""
    # Late, because it takes 10 ms and only --diff needs it. git from the PATH, a list, no shell.
    import subprocess  # nosec B404

    try:
        command = ["git", *_SAFE, *arguments]
        done = subprocess.run(command, cwd=cwd, capture_output=True, stdin=subprocess.DEVNULL, check=False)  # nosec B603
    except OSError as error:
        raise HardenError(f"cannot run git: {error.strerror}", where="--diff", how="install git, or leave --diff out") from None
    if done.returncode:
        reason = os.fsdecode(done.stderr).strip().removeprefix("fatal: ").split("\n")[0]
        raise HardenError(what, where="--diff", how=how or f"git says: {reason}")
    return done.stdout
