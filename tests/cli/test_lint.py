"""`harden lint` as a user meets it: paths, thresholds, formats, ignores, baselines, and the exit code of each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runner import Harden

ROOT_USER = "FROM debian:12\nUSER root\n"
CLEAN = 'FROM scratch\nCOPY app /app\nUSER 1000\nCMD ["/app"]\n'
ONLY = ("--isolated", "--no-shellcheck", "--select", "HD202")


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([], 1),
        (["--fail-on", "critical"], 0),
        (["--fail-on", "high"], 1),
        (["--fail-on", "never"], 0),
        (["--severity", "HD202=low"], 0),
        (["--severity", "HD202=critical", "--fail-on", "critical"], 1),
        (["--show", "critical"], 1),  # what is shown and what fails are two things
        (["--ignore", "DL3002"], 0),
    ],
)
@pytest.mark.parametrize("form", ["text", "concise", "json", "sarif", "github", "gitlab", "junit", "html"])
def test_the_exit_code_is_the_same_for_every_format(harden: Harden, tmp_path: Path, args: list[str], code: int, form: str) -> None:
    write(tmp_path, Dockerfile=ROOT_USER)
    assert harden("lint", *ONLY, "--format", form, *args).code == code


def test_json_contract(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, Dockerfile=ROOT_USER)
    document = json.loads(harden("lint", *ONLY, "--format", "json").out)
    assert document["version"] == 1
    (finding,) = document["findings"]
    assert (finding["rule"], finding["name"], finding["path"]) == ("HD202", "root-user", "Dockerfile")
    assert (finding["line"], finding["column"], finding["end_line"], finding["end_column"]) == (2, 6, 2, 10)
    assert "hadolint:DL3002" in finding["aliases"]
    assert finding["severity"] == "high"
    assert finding["confidence"] in ("high", "medium", "low")
    assert len(finding["fingerprint"]) == 64
    assert finding["fix"] is None or isinstance(finding["fix"], dict)
    assert document["errors"] == []
    assert isinstance(document["summary"], dict)


def test_standard_input(harden: Harden) -> None:
    result = harden("lint", *ONLY, "--format", "concise", "-", stdin=ROOT_USER)
    assert result.code == 1
    assert result.out.startswith("<stdin>:2:6: high HD202 ")
    assert harden("lint", *ONLY, "--stdin-filename", "a/Dockerfile", "--format", "concise", "-", stdin=ROOT_USER).out.startswith(
        "a/Dockerfile:2:6"
    )


def test_unreadable_input_is_reported_beside_the_findings(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, a__Dockerfile=ROOT_USER)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "Dockerfile").write_bytes(b"FROM \xff\n")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "Dockerfile").write_bytes(b"FROM a\0b\n")
    result = harden("lint", *ONLY, "--format", "json")
    document = json.loads(result.out)
    assert result.code == 2
    assert [finding["path"] for finding in document["findings"]] == ["a/Dockerfile"]
    assert [(error["path"], "UTF-8" in error["message"] or "binary" in error["message"]) for error in document["errors"]] == [
        ("b/Dockerfile", True),
        ("c/Dockerfile", True),
    ]


def test_one_odd_file_never_changes_the_findings_of_another(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, a__Dockerfile="FROM a\nRUN true\nRUN null\nRUN 1\n", b__Dockerfile=ROOT_USER)
    (tmp_path / "a" / "Dockerfile").chmod(0o755)
    assert "b/Dockerfile:2:6" in harden("lint", *ONLY, "--format", "concise").out


def test_inline_ignores(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, Dockerfile="FROM debian:12\n# harden: ignore[HD202] legacy\nUSER root\n")
    assert harden("lint", *ONLY).code == 0
    assert harden("lint", *ONLY, "--no-ignores").code == 1
    write(tmp_path, Dockerfile="FROM debian:12\n# hadolint ignore=DL3002\nUSER root\n")
    assert harden("lint", *ONLY).code == 0
    write(tmp_path, Dockerfile="FROM debian:12\n# harden: ignore[HD202] expires=2001-01-01 old\nUSER root\n")
    assert harden("lint", *ONLY).code == 1
    assert "expired on 2001-01-01" in harden("lint", *ONLY, "--warn-ignores").out


def test_no_baseline_takes_the_place_of_a_pipe(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, Dockerfile=ROOT_USER)
    os.mkfifo(tmp_path / "pipe")
    result = harden("lint", *ONLY, "--write-baseline", "pipe")
    assert (result.code, "a baseline is a file, which this is not" in result.err) == (2, True)
    assert (tmp_path / "pipe").is_fifo()


def test_baseline_hides_what_was_there_and_nothing_else(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, Dockerfile=ROOT_USER, other__Dockerfile=CLEAN)
    assert harden("lint", *ONLY, "--write-baseline", "base.json").code == 0
    assert harden("lint", *ONLY, "--baseline", "base.json").code == 0
    write(tmp_path, Dockerfile="# moved\n\n" + ROOT_USER)
    assert harden("lint", *ONLY, "--baseline", "base.json").code == 0
    write(tmp_path, other__Dockerfile=ROOT_USER)
    result = harden("lint", *ONLY, "--baseline", "base.json", "--format", "concise")
    assert result.code == 1
    assert "other/Dockerfile:2:6" in result.out
    write(tmp_path, Dockerfile=CLEAN, other__Dockerfile=CLEAN)
    result = harden("lint", *ONLY, "--baseline", "base.json")
    assert result.code == 0
    assert "nothing to hide any more" in result.out


def test_diff_shows_only_changed_lines(harden: Harden, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    write(tmp_path, Dockerfile=ROOT_USER)
    subprocess.run([*git, "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run([*git, "add", "-A"], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-qm", "x"], cwd=tmp_path, check=True)
    assert harden("lint", *ONLY, "--diff", "HEAD").code == 0
    write(tmp_path, Dockerfile=ROOT_USER + "FROM debian:12\nUSER 0\n")
    result = harden("lint", *ONLY, "--diff", "HEAD", "--format", "concise")
    assert result.code == 1
    assert "Dockerfile:4:6" in result.out
    code, _, err = harden("lint", *ONLY, "--diff", "--output=x")
    assert code == 2
    assert err


def test_several_reports_at_once(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, Dockerfile=ROOT_USER)
    result = harden("lint", *ONLY, "--output", "sarif:out.sarif", "--output", "json:out.json", "--format", "concise")
    assert result.code == 1
    assert json.loads((tmp_path / "out.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["findings"]
    assert result.out.startswith("Dockerfile:2:6")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Dockerfile", "out.json", "out.sarif"]


def test_a_report_that_cannot_be_written_is_an_error(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, Dockerfile=ROOT_USER)
    code, _, err = harden("lint", *ONLY, "--output", "json:missing/out.json")
    assert code == 2
    assert "cannot write the report" in err


def test_custom_rules(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, Dockerfile="FROM debian:12\nRUN pip install --index-url https://x.example/ y\n")
    rule = harden("explain", "custom-rules").out.partition("    id: ACME001")[2].partition("\n\n")[0]
    write(tmp_path, rules__acme__one=("id: ACME001" + rule).replace("\n    ", "\n"))
    (tmp_path / "rules" / "acme" / "one").rename(tmp_path / "rules" / "acme" / "one.yaml")
    result = harden("lint", "--isolated", "--ignore", "HD", "--rules", "rules", "--format", "concise", "--no-shellcheck")
    assert "ACME001 pip installs from https://x.example/ [internal-mirror-bypassed]" in result.out
    assert result.code == 1


def test_a_crashing_rule_hides_nothing_and_exits_3(harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hardener.engine import dispatch
    from hardener.rules.checks import checks

    def crash(*_: object) -> list[object]:
        raise ZeroDivisionError("oops")

    write(tmp_path, Dockerfile="FROM debian:12\nRUN sudo ls\nUSER root\n")
    monkeypatch.setattr(dispatch, "checks", lambda: {**checks(), "HD204": crash})
    result = harden("lint", *ONLY, "--select", "HD204", "--format", "json")
    document = json.loads(result.out)
    assert result.code == 3
    assert [finding["rule"] for finding in document["findings"]] == ["HD202"]
    (error,) = document["errors"]
    assert "HD204 failed" in error["message"]
    assert "ZeroDivisionError" in error["message"]


def test_many_files_over_several_processes_come_out_as_over_one(harden: Harden, tmp_path: Path) -> None:
    for index in range(60):
        write(tmp_path, **{f"d{index:02}__Dockerfile": ROOT_USER if index % 3 else "FROM a\nRUN <<E\n"})
    alone = harden("lint", *ONLY, "--jobs", "1", "--format", "json")
    spread = harden("lint", *ONLY, "--jobs", "3", "--format", "json")
    assert alone == spread
    assert len(json.loads(alone.out)["findings"]) == 40


def test_colour_is_for_terminals(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, Dockerfile=ROOT_USER)
    assert "\x1b[" not in harden("lint", *ONLY).out
    assert "\x1b[" in harden("lint", *ONLY, "--color", "always").out


def test_a_reader_that_leaves_changes_no_exit_code(tmp_path: Path) -> None:
    write(tmp_path, Dockerfile="FROM debian:12\n" + "RUN sudo ls\n" * 3000)
    command = [sys.executable, "-m", "hardener", "lint", *ONLY, "--select", "HD204"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TERM": "dumb"})
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1
