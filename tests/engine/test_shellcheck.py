"""ShellCheck: what it is given, and that what it says comes back to the exact place."""

import json
from pathlib import Path

import pytest
from cli_runner import Harden

from hardener.engine import shellcheck
from hardener.errors import HardenError
from hardener.sources.dockerfile import parse
from hardener.text import SourceFile

BINARY = shellcheck.find_binary(anywhere=True)
needs_shellcheck = pytest.mark.skipif(BINARY is None, reason="shellcheck is not installed (the `shell` extra brings it)")


def given(text: str) -> list[str]:
    return [script.text for script in shellcheck.scripts(parse(SourceFile("Dockerfile", text)))]


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("FROM a\nRUN x $A", ["#!/bin/sh\n:\nx $A\n"]),
        ("FROM a\nARG A\nENV B=1\nRUN x", ["#!/bin/sh\nexport A=1 B=1\nx\n"]),
        ("FROM a AS s\nENV B=1\nARG A\nFROM s\nRUN x", ["#!/bin/sh\nexport B=1\nx\n"]),
        ('FROM a\nSHELL ["/bin/bash", "-c"]\nRUN x', ["#!/bin/bash\n:\nx\n"]),
        ("FROM a\n# hadolint shell=bash\nRUN x", ["#!/bin/bash\n:\nx\n"]),
        ('FROM a\nSHELL ["pwsh", "-c"]\nRUN x', []),
        ("# escape=`\nFROM a\nRUN x", []),
        ("FROM a\nRUN <<E\n#!/bin/bash\nx\nE", ["#!/bin/bash\n:\n##/bin/bash\nx\n\n"]),
        ("FROM a\nRUN <<E\n#!/usr/bin/env python3\nx\nE", []),
        ('FROM a\nRUN ["x", "y"]', []),
        ('FROM a\nRUN ["bash", "-c", "x"]', ["#!/bin/bash\n:\nx\n"]),
        ("FROM a\nONBUILD RUN x", ["#!/bin/sh\n:\nx\n"]),
        ("FROM a\nCMD x", []),
    ],
)
def test_scripts(text: str, scripts: list[str]) -> None:
    assert given(text) == scripts


TEXT = """\
FROM debian:12
ARG KNOWN
RUN echo é && \\
    # why
    rm $KNOWN $one \\
       `date`
RUN <<EOF
echo $two
EOF
# harden: ignore[SC2046] fine
RUN echo $(date)
"""


@needs_shellcheck
def test_findings_stand_where_the_text_is(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(TEXT, encoding="utf-8")
    result = harden("lint", "--isolated", "--profile", "all", "--ignore", "HD", "--format", "json", "--shellcheck")
    document = json.loads(result.out)
    found = {(row["rule"], row["line"], row["column"], row["end_column"]) for row in document["findings"]}
    assert ("SC2086", 5, 15, 19) in found
    assert ("SC2046", 6, 8, 14) in found
    assert ("SC2006", 6, 8, 14) in found
    assert ("SC2086", 8, 6, 10) in found
    assert not any(line == 11 and rule == "SC2046" for rule, line, *_ in found)
    assert not any(column == 8 and line == 5 for _, line, column, _ in found)  # ARG and ENV count as set
    assert result.code == 0


@needs_shellcheck
def test_codes_are_configured_like_rules(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\nRUN echo `date`\n", encoding="utf-8")
    base = ("lint", "--isolated", "--ignore", "HD", "--format", "concise", "--shellcheck")
    assert "SC2046" in harden(*base).out
    assert "SC2006" not in harden(*base).out  # style: only in the profile all
    assert "SC2046" not in harden(*base, "--ignore", "SC2046").out
    assert "SC2046" not in harden(*base, "--ignore", "HD990").out
    assert harden(*base, "--severity", "SC2046=high").code == 1
    assert "SC2046" not in harden("lint", "--isolated", "--ignore", "HD", "--no-shellcheck").out


def test_a_missing_program_is_told(harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\n", encoding="utf-8")
    monkeypatch.setattr(shellcheck, "find_binary", lambda *, anywhere: None)
    code, _, err = harden("lint", "--isolated", "--shellcheck")
    assert code == 2
    assert "hardener[shell]" in err
    assert harden("lint", "--isolated", "--ignore", "all").code == 0


@pytest.mark.parametrize(("body", "what"), [("exit 4", "exit code 4"), ("echo oops >&2; exit 2", "oops")])
def test_a_failing_program_is_told(tmp_path: Path, body: str, what: str) -> None:
    program = tmp_path / "shellcheck"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    scripts = list(shellcheck.scripts(parse(SourceFile("Dockerfile", "FROM a\nRUN x"))))
    run = shellcheck.Run(str(program), [scripts])
    with pytest.raises(HardenError, match=what):
        run.comments()
    run.close()
    with pytest.raises(HardenError, match="cannot start"):
        shellcheck.Run(str(tmp_path / "missing"), [scripts])


def test_nothing_to_check_starts_nothing() -> None:
    run = shellcheck.Run("/nonexistent", [[], []])
    assert run.comments() == [[], []]
    run.close()
