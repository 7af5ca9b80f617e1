"""Call `harden` as a user would, inside the test's process."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hardener.cli import inputs, main


class Result(NamedTuple):
    """What a user sees."""

    code: int
    out: str
    err: str


Harden = Callable[..., Result]


def runner(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harden:
    """Return a function that runs `harden` in a folder; its keyword `stdin` is what the command reads."""
    monkeypatch.chdir(folder)

    def run(*args: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        inputs._stdin.clear()
        code = main(list(args))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
