"""`harden lint` on compose files, stacks and run lines, as a user calls it."""

import json
from pathlib import Path

import pytest
from cli_runner import Harden

BASE = "services:\n  web:\n    image: nginx:${TAG:-1.27.3}\n  debug:\n    image: adminer:4.8.1\n    profiles: [debug]\n    pid: host\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "prod.yaml").write_text("services:\n  web:\n    privileged: true\n", encoding="utf-8")
    (tmp_path / "prod.env").write_text("TAG=latest\n", encoding="utf-8")
    return tmp_path


def places(report: str) -> dict[str, str]:
    """Return rule id -> path:line of a JSON report."""
    return {item["rule"]: f"{item['path']}:{item['line']}" for item in json.loads(report)["findings"]}


def test_exactly_these_files(harden: Harden, project: Path) -> None:
    run = harden("lint", "--format", "json", "-f", "compose.yaml", "-f", "prod.yaml")
    assert run.code == 1
    found = places(run.out)
    assert found["HS101"] == "prod.yaml:3"
    assert found["HS202"] == "compose.yaml:7"


def test_profiles(harden: Harden, project: Path) -> None:
    assert "HS202" in places(harden("lint", "--format", "json", "compose.yaml").out)
    assert "HS202" in places(harden("lint", "--format", "json", "--compose-profile", "debug", "compose.yaml").out)
    assert "HS202" not in places(harden("lint", "--format", "json", "--compose-profile", "other", "compose.yaml").out)


def test_env_files_and_the_environment(harden: Harden, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "HS602" not in places(harden("lint", "--format", "json", "compose.yaml").out)
    assert places(harden("lint", "--format", "json", "--env-file", "prod.env", "compose.yaml").out)["HS602"] == "compose.yaml:3"
    monkeypatch.setenv("TAG", "latest")
    assert "HS602" not in places(harden("lint", "--format", "json", "compose.yaml").out)
    run = harden("lint", "--format", "json", "--use-environment", "compose.yaml")
    assert places(run.out)["HS602"] == "compose.yaml:3"


@pytest.mark.parametrize("name", ["none.env", ".", "latin.env"])
def test_an_env_file_that_is_asked_for_must_be_readable(harden: Harden, project: Path, name: str) -> None:
    (project / "latin.env").write_bytes(b"TAG=\xe9\n")
    run = harden("lint", "--format", "concise", "--env-file", name, "compose.yaml")
    assert run.code == 2
    assert f"{name}: error: " in run.out or f"{name}:1: error: " in run.out
    assert "HS811" not in run.out


def test_findings_that_are_not_shown_are_not_called_clean(harden: Harden, tmp_path: Path) -> None:
    run = harden("lint", "--show", "critical", "--", "docker", "run", "--pid", "host", "nginx:1.27.3")
    assert run.code == 1
    assert "clean" not in run.out and "severe enough to be shown" in run.out and "exit 1: 1 finding" in run.out


def test_a_command_line(harden: Harden, tmp_path: Path) -> None:
    run = harden("lint", "--format", "concise", "--", "docker", "run", "--privileged", "nginx:1.27.3")
    assert run.code == 1
    assert "<command line>:1:12: critical HS101" in run.out
    assert harden("lint", "--", "docker", "run", "--rm", "nginx:1.27.3").code == 0
    assert harden("lint", "x", "--", "docker", "run", "nginx").code == 2


def test_paths_may_follow_two_dashes_as_before(harden: Harden, project: Path) -> None:
    assert harden("lint", "--format", "json", "--", "compose.yaml").code == 1


def test_standard_input_holds_whatever_its_name_or_content_says(harden: Harden, tmp_path: Path) -> None:
    text = "services:\n  web:\n    image: nginx:1.27.3\n    privileged: true\n"
    assert "HS101" in places(harden("lint", "--format", "json", "-", stdin=text).out)
    line = "docker run --privileged nginx:1.27.3\n"
    assert "HS101" in places(harden("lint", "--format", "json", "--stdin-filename", "run.sh", "-", stdin=line).out)
    assert "HS101" in places(harden("lint", "--format", "json", "-", stdin="# start it\n" + line).out)
    assert "HD101" in places(harden("lint", "--format", "json", "-", stdin="# docker run x\nFROM debian\n").out)


def test_a_stack(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  web:\n    image: nginx:1.27.3\n    security_opt: [no-new-privileges:true]\n", encoding="utf-8"
    )
    as_compose = places(harden("lint", "--format", "json", ".").out)
    as_stack = places(harden("lint", "--format", "json", "--swarm", ".").out)
    assert not [rule for rule in as_compose if rule.startswith("HS9")]
    assert [rule for rule in as_stack if rule.startswith("HS9")]


def test_related_places_in_other_files_are_in_the_sarif_report(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: nginx:1.27.3\n    privileged: false\n", encoding="utf-8")
    (tmp_path / "compose.override.yaml").write_text("services:\n  web:\n    privileged: true\n", encoding="utf-8")
    run = harden("lint", "--format", "sarif", ".")
    (result,) = [item for item in json.loads(run.out)["runs"][0]["results"] if item["ruleId"] == "HS101"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "compose.override.yaml"
    assert [item["physicalLocation"]["artifactLocation"]["uri"] for item in result["relatedLocations"]] == ["compose.yaml"]


def test_a_baseline_spans_the_files_of_a_project(harden: Harden, project: Path) -> None:
    arguments = ("lint", "-f", "compose.yaml", "-f", "prod.yaml")
    assert harden(*arguments, "--write-baseline", "b.json").code == 0
    assert harden(*arguments, "--baseline", "b.json").code == 0
    (project / "prod.yaml").write_text("services:\n  web:\n    privileged: true\n    ipc: host\n", encoding="utf-8")
    assert harden(*arguments, "--baseline", "b.json").code == 1


def test_a_missing_file_is_one_clear_error(harden: Harden, tmp_path: Path) -> None:
    run = harden("lint", "-f", "nothing.yaml")
    assert run.code == 2
    assert "nothing.yaml" in run.out + run.err
    assert "Traceback" not in run.err


def test_messages_name_what_variables_hold_and_no_path_of_this_machine(harden: Harden, tmp_path: Path) -> None:
    text = 'services:\n  a: {image: "x:1", volumes: ["${D:-/mnt/x}/p:/q", "${R:-./rel}/p:/r", "./w:/s"]}\n'
    (tmp_path / "stack.yml").write_text(text, encoding="utf-8")
    out = harden("lint", "--format", "concise", "--profile", "all", "--select", "HS934", "stack.yml").out
    assert [line.split(" HS934 ")[1].split()[0] for line in out.splitlines() if " HS934 " in line] == ["/mnt/x/p", "./rel/p", "./w"]
