"""What the commands share of the outside world: the terminal, the date, files that reports go to."""

import os
import sys
from typing import TextIO

from hardener.errors import HardenError


def say(text: str) -> None:
    """Write to standard output. A reader that has left (`harden lint | head`) is no error and changes no exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered must go somewhere when the interpreter exits.
        with open(os.devnull, "w", encoding="utf-8") as null:
            os.dup2(null.fileno(), sys.stdout.fileno())


def color_wanted(choice: str, stream: TextIO) -> bool:
    """Whether to colour what goes to a stream: `always`, `never`, or `auto` (a terminal, and neither NO_COLOR nor a dumb one)."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"


def today() -> str:
    """Return the local date as YYYY-MM-DD."""
    from time import strftime

    return strftime("%Y-%m-%d")


def write_report(text: str, path: str) -> None:
    """Write a report to a file, whole or not at all; `-` is standard output. Raises `HardenError`."""
    if path == "-":
        say(text)
        return
    scratch = f"{path}.{os.getpid()}.tmp"
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device: /dev/stderr, /dev/fd/3
            with open(path, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            return
        with open(scratch, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        os.replace(scratch, path)
    except OSError as error:
        if os.path.exists(scratch):
            os.unlink(scratch)
        raise HardenError(f"cannot write the report: {error.strerror}", where=path, how="check the folder and its permissions") from None
