from pathlib import Path

import pytest

from hardener.cli import main
from hardener.cli.config import in_force
from hardener.engine.config import Setting
from hardener.engine.keys import KEYS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_key_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    for key in KEYS:
        assert f"\n{key.name}\n  {key.help}\n  {key.example}\n" in out


def test_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "api").mkdir()
    (folder / "base.yaml").write_text("fail-on: low\nignore: [SC2086]\nseverity: {all: low}\n")
    (folder / "api/.harden.yaml").write_text(
        "extends: ../base.yaml\nfail-on: high\noverrides:\n- paths: ['*.dev']\n  severity: {all: info}\n"
    )
    assert main(["config", "--why", "api/Dockerfile.dev"]) == 0
    assert capsys.readouterr().out == (
        "api/.harden.yaml applies to api/Dockerfile.dev.\n"
        "\n"
        "ignore        SC2086  base.yaml:2:10\n"
        "severity.all  info    api/.harden.yaml:5:14, instead of low (base.yaml:3:12)\n"
        "fail-on       high    api/.harden.yaml:2:10, instead of low (base.yaml:1:10)\n"
    )


def test_why_without_a_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--why", "Dockerfile"]) == 0
    assert capsys.readouterr().out == "No configuration applies to Dockerfile: every key has its default, as `harden config` lists them.\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fail_on: high\n", "unknown key 'fail_on'\n  at: .harden.yaml:1:1\n  fix: did you mean 'fail-on'?\n"),
        ("ignore: [HD9999]\n", "unknown rule 'HD9999'\n  at: .harden.yaml:1:10\n"),
    ],
)
def test_why_finds_mistakes(folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    (folder / ".harden.yaml").write_text(text)
    assert main(["config", "--why", "Dockerfile"]) == 2
    assert message in capsys.readouterr().err


def test_a_single_value_replaces_a_list() -> None:
    added = [Setting("forbid-ignores", word, "a", True) for word in ("HD1", "HD2")]
    off = Setting("forbid-ignores", "false", "b", False)
    assert in_force([*added, off]) == [(off, [added[1], added[0]])]


def test_init(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    assert capsys.readouterr().out == "wrote .harden.yaml\n"
    assert main(["config", "--why", "Dockerfile"]) == 0
    assert "profile  default  .harden.yaml:" in capsys.readouterr().out


def test_init_overwrites_only_when_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".harden.yaml").write_text("show: low\n")
    assert main(["init"]) == 2
    assert "there is a configuration already\n  at: .harden.yaml\n" in capsys.readouterr().err
    assert (folder / ".harden.yaml").read_text() == "show: low\n"
    assert main(["init", "--force"]) == 0
    assert (folder / ".harden.yaml").read_text().startswith("# How ")


@pytest.mark.parametrize("arguments", [["--from-hadolint"], ["--from-hadolint", ".hadolint.yml"]])
def test_init_from_hadolint(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    (folder / ".hadolint.yml").write_text("failure-threshold: warning\nignored: [DL0000]\n")
    assert main(["init", "-", *arguments]) == 0
    assert capsys.readouterr().out == (
        "# Made from .hadolint.yml by `harden init --from-hadolint`.\n"
        "fail-on: medium\n"
        "# not carried over: DL0000: there is no such rule here\n"
    )
    assert not (folder / ".harden.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from-hadolint"], "there is no .hadolint.yaml or .hadolint.yml\n  at: .\n"),
        (["--from-hadolint", "missing.yaml"], "the file cannot be read: no such file or directory\n  at: missing.yaml\n"),
        (["missing"], "missing/.harden.yaml"),
    ],
)
def test_init_that_cannot_be(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["init", *arguments]) == 2
    assert message in capsys.readouterr().err
