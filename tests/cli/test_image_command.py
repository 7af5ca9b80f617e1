"""`harden image` as a family: its help, and words that are none of it."""

import pytest

from hardener import cli


def test_help_lists_the_subcommands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("usage: harden image SUBCOMMAND")
    assert cli.main(["help", "image"]) == 0
    assert capsys.readouterr().out == shown.out


def test_without_a_subcommand_the_help_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err[:6]) == ("", "usage:")


@pytest.mark.parametrize(("word", "kind"), [("lnit", "subcommand"), ("--lint", "option"), ("\x1b[2J", "subcommand")])
def test_an_unknown_word_is_named(word: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", word]) == 2
    shown = capsys.readouterr().err
    assert f"unknown {kind}" in shown
    assert "\x1b" not in shown
