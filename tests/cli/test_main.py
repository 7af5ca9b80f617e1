"""The front door: usage, unknown words, exit codes, and no traceback for anybody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import Harden

from hardener import __version__, cli
from hardener.errors import HardenError

PROGRAM = [sys.executable, "-m", "hardener"]


def test_version(harden: Harden) -> None:
    assert harden("--version") == (0, f"harden {__version__}\n", "")


def test_help_lists_every_command(harden: Harden) -> None:
    code, out, _ = harden("--help")
    assert code == 0
    for name, summary in cli.COMMANDS.items():
        assert name in out
        assert summary in out


def test_no_arguments_is_a_usage_error(harden: Harden) -> None:
    code, out, err = harden()
    assert (code, out) == (2, "")
    assert "usage: harden" in err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(harden: Harden, name: str) -> None:
    code, out, err = harden(name, "--help")
    assert code == 0, err
    assert f"usage: harden {name}" in out
    assert harden("help", name).out == out


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["lnit"], "did you mean 'lint'?"),
        (["--lint"], "unknown option '--lint'"),
        (["build", "."], "build with docker or buildah"),
        (["cp", "a:b", "c"], "harden exec CONTAINER cat FILE"),
        (["lint", "--formt", "json"], "did you mean '--format'?"),
        (["lint", "--compose-prof", "x"], "did you mean '--compose-profile'?"),
        (["lint", "--nothing-like-it"], "`harden lint --help` lists the options"),
        (["lint", "--fail-on", "severe"], "invalid choice"),
        (["explain", "HD999X"], "no rule or topic"),
        (["lint", "--output", "sarif"], "--output takes FORMAT:FILE"),
        (["lint", "--output", "sarf:x"], "did you mean 'sarif'?"),
        (["lint", "--build-arg", "X"], "--build-arg takes NAME=VALUE"),
        (["lint", "--severity", "HD101"], "--severity takes RULE=LEVEL"),
        (["lint", "--config", "missing.yaml"], "missing.yaml"),
        (["lint", "--baseline", "missing.json"], "missing.json"),
        (["lint", "--rules", "missing"], "there is no 'missing'"),
        (["lint", "nowhere"], "nowhere"),
        (["lint"], "no Dockerfile, compose file or"),
    ],
)
def test_wrong_input_is_one_clear_error(harden: Harden, tmp_path: Path, args: list[str], what: str) -> None:
    if "missing" in " ".join(args):
        (tmp_path / "Dockerfile").write_text("FROM a\n", encoding="utf-8")
    code, out, err = harden(*args)
    assert code == 2
    assert "Traceback" not in err
    assert what in err + out


def test_a_bug_is_exit_3_without_a_traceback(harden: Harden, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: object) -> int:
        raise KeyError("oops")

    monkeypatch.setattr("hardener.cli.rules.run", crash)
    code, _, err = harden("rules")
    assert code == 3
    assert "this is a bug in hardener" in err
    assert "Traceback" not in err
    monkeypatch.setenv("HARDEN_DEBUG", "1")
    assert "Traceback" in harden("rules").err


def test_a_failure_of_something_else_than_the_output_stays_a_bug(harden: Harden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.cli.rules.run", lambda _: os.write(99, b""))
    assert harden("rules").code == 3


def test_an_interrupt_is_130(harden: Harden, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("hardener.cli.rules.run", interrupt)
    assert harden("rules").code == 130


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["rules"], ["ps"], ["run", "--dry-run", "host", "true"]])
def test_output_that_cannot_be_written_is_an_error_and_no_bug(words: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = subprocess.run([*PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    what = "harden: error: the output cannot be written: No space left on device"
    assert (result.returncode, result.stderr) == (2, f"{what}\n  at: standard output\n  fix: make room, or send it elsewhere\n")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["rules"], ["ps"], ["inspect", "--help"]])
def test_a_reader_that_has_left_is_no_error(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run([*PROGRAM, *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


def test_an_error_says_what_where_how(capsys: pytest.CaptureFixture[str]) -> None:
    cli.complain(HardenError("it broke", where="f:1:2", how="mend it"))
    assert capsys.readouterr().err == "harden: error: it broke\n  at: f:1:2\n  fix: mend it\n"


def test_an_output_without_our_letters_gets_escapes(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nLABEL é=…\nMAINTAINER é…\n", encoding="utf-8")
    command = [*PROGRAM, "lint", "--fail-on", "never", str(tmp_path)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(command, capture_output=True, check=False, timeout=60, env=environment)
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"MAINTAINER \\xe9\\u2026" in result.stdout
