"""Docker Compose takes what we take and refuses what we report. What a project amounts to: test_compose_shape.py."""

from pathlib import Path

import compose_oracle
import pytest

FIXTURES = compose_oracle.fixtures()
REFUSED = compose_oracle.fixtures(compose_oracle.REFUSED)
TROUBLE = {
    "invalid-yaml", "not-a-mapping", "invalid-interpolation", "invalid-env-file", "unseen-file", "extends-missing-service", "extends-cycle",
    "include-cycle", "include-conflict", "wrong-type", "unknown-key",
}  # fmt: skip


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_taken(folder: Path) -> None:
    expected = compose_oracle.expected(folder)
    project = compose_oracle.load(folder)
    assert "error" not in expected
    assert [problem for problem in project.problems if problem.code in TROUBLE] == []
    assert project.name == expected["name"]
    assert sorted(service.name for service in project.services) == sorted(expected["services"])


@pytest.mark.parametrize("folder", REFUSED, ids=lambda folder: folder.name)
def test_refused(folder: Path, tmp_path: Path) -> None:
    if compose_oracle.recording():
        compose_oracle.record(folder, tmp_path.resolve())
    expected = compose_oracle.expected(folder)
    assert set(expected) == {"error"}
    found = {problem.code for problem in compose_oracle.load(folder).problems} & TROUBLE
    assert found == {compose_oracle.options(folder)["problem"]}, expected["error"]


def test_enough_projects() -> None:
    assert len(FIXTURES) >= 60
