"""The one exception a user ever sees.

Every failure that a person can cause or repair is raised as a `HardenError` at the place that knows the object, and caught
once, in `hardener.cli`. Anything else that escapes is a bug in hardener and is reported as one (exit code 3).
"""

EXIT_CLEAN = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_BUG = 3


class HardenError(Exception):
    """A problem in three sentences: what is wrong, where, and how to fix it."""

    def __init__(self, what: str, *, where: str = "", how: str = "") -> None:
        super().__init__(what, where, how)
        self.what = what
        self.where = where
        self.how = how

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.how}" if self.how else text


def suggest(word: str, known: "tuple[str, ...] | list[str]") -> str:
    """Return `did you mean 'x'?` for the known word closest to `word`, or an empty string when none is close."""
    import difflib  # only needed on the error path

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""
