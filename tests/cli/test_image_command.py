"""`harden image` as a family: its help, and words that are none of it."""

from pathlib import Path

import pytest
from layouts import Layout, entry, tar

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


def test_numbers_of_thousands_of_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digits = "9" * 5000
    passwd = f"root:x:0:0::/:/bin/sh\nu:x:{digits}:0::/:/bin/sh\nv:x:1:{digits}::/:/bin/sh\n".encode()
    made = Layout(tmp_path / "one")
    config = {"ExposedPorts": {f"{digits}/tcp": {}}, "User": digits}
    layer = tar(entry("etc/passwd", passwd), entry("etc/group", f"g:x:{digits}:\n".encode()))
    made.add(made.image(layer, config=config, described={"history": [{"created_by": f"|{digits} A=b /bin/sh -c x"}]}))
    assert cli.main(["image", "lint", f"oci:{made.path}"]) == 1
    assert cli.main(["image", "layers", f"oci:{made.path}"]) == 0
    said = capsys.readouterr()
    assert "internal" not in said.out + said.err
    assert "bug" not in said.out + said.err
