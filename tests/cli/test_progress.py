"""Transfers show on a terminal, and nowhere else."""

import io

import pytest

from hardener.cli import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def transfer(out: io.StringIO) -> str:
    with progress.display(out) as shown:
        shown.start("abc", 4_000_000)
        shown.start("def", 6_000_000, 1_000_000)
        shown.advance("abc", 1_500_000)
        shown.note("careful \x1b[2J")
        shown.finish("abc")
        shown.advance("def", 1_000_000)
    return out.getvalue()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DRAW_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("eager")
def test_a_terminal_sees_one_line_that_is_gone_at_the_end() -> None:
    monotonic = iter([100.0, 101.0, 104.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic", lambda: next(monotonic))
        shown = transfer(Terminal())
    assert shown.split("\r\x1b[K") == [
        "",
        "#####............... 2.5MB of 10MB, 1.5MB/s, 2 running, 5 s left",
        "harden: careful ␛[2J\n",
        "############........ 6MB of 10MB, 625kB/s, 1 running, 6 s left",
        "",
    ]


@pytest.mark.usefixtures("eager")
def test_elsewhere_there_are_notes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert transfer(io.StringIO()) == "harden: careful ␛[2J\n"
    monkeypatch.setenv("TERM", "dumb")
    assert transfer(Terminal()) == "harden: careful ␛[2J\n"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0B"), (999, "999B"), (1000, "1kB"), (1_234_567, "1.23MB"), (126_700_000, "127MB"), (5e13, "50TB")]
)
def test_amounts(count: float, text: str) -> None:
    assert progress.amount(count) == text
