"""Every sample project is linted as a user would, and the findings are those that were recorded.

`HARDEN_RECORD=1 make test PYTEST_ARGS=tests/e2e/test_samples.py` records them anew; read the difference before committing it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "sample-projects"
PROJECTS = sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())


def findings(project: Path) -> str:
    """Return one line per finding, `path:line:column rule`, sorted; the project is the working directory."""
    command = [sys.executable, "-m", "hardener", "lint", "--no-shellcheck", "--format", "json", "."]  # its findings differ by version
    run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert run.returncode in {0, 1}, run.stderr
    report = json.loads(run.stdout)
    assert report["errors"] == []
    rows = sorted((row["path"], row["line"], row["column"], row["rule"]) for row in report["findings"])
    return "".join(f"{path}:{line}:{column} {rule}\n" for path, line, column, rule in rows)


@pytest.mark.parametrize("name", PROJECTS)
def test_findings_are_those_recorded(name: str, recording: bool) -> None:
    record = SAMPLES / name / "expected-findings.txt"
    found = findings(SAMPLES / name)
    if recording:
        record.write_text(found, encoding="utf-8")
    assert found == record.read_text(encoding="utf-8")


def test_the_naive_project_has_findings_and_its_hardened_twin_has_none() -> None:
    assert findings(SAMPLES / "naive-node")
    assert findings(SAMPLES / "hardened-node") == ""


@pytest.mark.parametrize("name", PROJECTS)
def test_every_project_says_what_it_is(name: str) -> None:
    assert (SAMPLES / name / "README.md").read_text(encoding="utf-8").startswith(f"# {name}\n")
