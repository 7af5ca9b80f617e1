"""Compose projects and run lines through the whole linter: which files take part, where findings stand, whose settings count."""

from pathlib import Path

import pytest

from hardener.engine import targets
from hardener.engine.configs import Configs
from hardener.engine.lint import Options, lint
from hardener.engine.outcome import Outcome
from hardener.rules.load import builtin
from hardener.sources import compose

RULES = builtin()


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def judge(root: Path, *paths: str, options: compose.Options | None = None) -> Outcome:
    configs = Configs(str(root))
    found = targets.find(paths, targets.Options(str(root), excludes=configs.excludes))
    return lint(found.files, configs, RULES, Options("2026-06-15", cwd=str(root), compose=options))


def places(outcome: Outcome, rule: str) -> list[str]:
    found = [finding for finding in outcome.findings if finding.rule.id == rule]
    return [f"{item.location.path}:{item.location.start.line}:{item.location.start.column}" for item in found]


PRIVILEGED = "services:\n  web:\n    image: nginx:1.27.3\n    privileged: true\n"


def test_everything_of_a_repository_is_judged_together(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "Dockerfile": "FROM debian\n",
            "compose.yaml": PRIVILEGED,
            "deploy/stack.yml": "services:\n  web:\n    image: nginx\n    deploy: {mode: global}\n",
            "run.sh": "#!/bin/sh\ndocker run --privileged nginx:1.27.3\n",
            "other.sh": "echo hello\n",
            "README.md": "Text\n\n```sh\ndocker run --privileged nginx:1.27.3\n```\n",
        },
    )
    outcome = judge(tmp_path)
    assert sorted(outcome.files) == ["Dockerfile", "README.md", "compose.yaml", "deploy/stack.yml", "run.sh"]
    assert places(outcome, "HS101") == ["README.md:4:12", "compose.yaml:4:17", "run.sh:2:12"]
    assert places(outcome, "HD101") == ["Dockerfile:1:6"]
    assert outcome.errors == []


def test_an_override_is_laid_over_and_a_finding_stands_in_the_file_that_caused_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "services:\n  web:\n    image: nginx:1.27.3\n",
            "compose.override.yaml": "services:\n  web:\n    privileged: true\n",
        },
    )
    assert places(judge(tmp_path), "HS101") == ["compose.override.yaml:3:17"]
    assert places(judge(tmp_path, "compose.yaml"), "HS101") == ["compose.override.yaml:3:17"]
    assert places(judge(tmp_path, "compose.override.yaml"), "HS101") == ["compose.override.yaml:3:17"]


def test_a_layer_is_judged_over_the_default_file_and_nothing_is_said_twice(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "docker-compose.yml": PRIVILEGED,
            "docker-compose.prod.yml": "services:\n  web:\n    pid: host\n",
        },
    )
    outcome = judge(tmp_path)
    assert places(outcome, "HS101") == ["docker-compose.yml:4:17"]
    assert {finding.rule.id for finding in outcome.findings if finding.location.path == "docker-compose.prod.yml"} == {"HS202"}
    assert [finding for finding in outcome.findings if finding.rule.id.startswith("HS8")] == []


def test_ignore_comments_of_the_file_that_caused_it_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "# harden: ignore-file[HS101] not this one\nservices:\n  web:\n    image: nginx:1.27.3\n",
            "compose.override.yaml": "services:\n  web:\n    privileged: true  # harden: ignore[HS101] needed\n  db:\n"
            "    image: postgres:16.4\n    privileged: true\n",
        },
    )
    outcome = judge(tmp_path)
    assert places(outcome, "HS101") == ["compose.override.yaml:6:17"]
    assert [item.reason for item in outcome.suppressed if item.finding.rule.id == "HS101"] == ["needed"]


def test_the_configuration_of_the_file_that_caused_it_counts(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "include: [team/compose.yaml]\n",
            "team/compose.yaml": PRIVILEGED,
            "team/.harden.yaml": "severity: {HS101: low}\n",
        },
    )
    outcome = judge(tmp_path, "compose.yaml")
    assert [(finding.location.path, finding.severity.label) for finding in outcome.findings if finding.rule.id == "HS101"] == [
        ("team/compose.yaml", "low")
    ]


def test_the_dockerfile_is_judged_in_the_stage_that_is_built(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "services:\n  web:\n    build: {context: app, target: build, args: {BASE: 'debian:latest'}}\n",
            "app/Dockerfile": "ARG BASE=debian:12\nFROM $BASE AS build\nUSER root\nFROM debian:12\nUSER 1000\n",
        },
    )
    alone = judge(tmp_path, "app/Dockerfile")
    assert places(alone, "HD202") == []
    assert places(alone, "HD102") == []
    together = judge(tmp_path, "compose.yaml")
    assert places(together, "HD202") == ["app/Dockerfile:3:6"]
    assert places(together, "HD102") == ["app/Dockerfile:2:6"]
    assert "app/Dockerfile" in together.files


def test_an_inline_dockerfile_is_judged_in_place(tmp_path: Path) -> None:
    text = "services:\n  web:\n    build:\n      context: .\n      dockerfile_inline: |\n        FROM debian\n        RUN sudo ls\n"
    write(tmp_path, {"compose.yaml": text})
    outcome = judge(tmp_path)
    assert places(outcome, "HD101") == ["compose.yaml:6:14"]
    assert places(outcome, "HD204") == ["compose.yaml:7:13"]


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("services.yml", PRIVILEGED, "HS101"),
        ("start", "#!/bin/sh\ndocker run --privileged nginx:1.27.3\n", "HS101"),
        ("web", "FROM debian\n", "HD101"),
    ],
)
def test_the_content_decides_what_a_named_file_is(tmp_path: Path, name: str, text: str, rule: str) -> None:
    write(tmp_path, {name: text})
    assert len(places(judge(tmp_path, name), rule)) == 1


def test_a_yaml_file_of_another_kind_is_an_error_when_named_and_passed_by_in_a_walk(tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": "FROM debian:12\n", "values.yaml": "replicas: 1\n", "stack.yml": "Resources:\n  A: {Type: x}\n"})
    assert [error.path for error in judge(tmp_path, "values.yaml").errors] == ["values.yaml"]
    outcome = judge(tmp_path)
    assert outcome.errors == []
    assert [finding for finding in outcome.findings if finding.location.path == "stack.yml"] == []


def test_nothing_outside_of_the_project_is_opened(tmp_path: Path) -> None:
    write(tmp_path, {"secret.env": "PASSWORD=Xk29fjs8Qm\n", "repo/compose.yaml": PRIVILEGED + "    env_file: ../secret.env\n"})
    (tmp_path / "repo" / ".git").mkdir()
    (tmp_path / "repo" / "link.env").symlink_to(tmp_path / "secret.env")
    (tmp_path / "repo" / "compose.override.yaml").write_text("services:\n  web:\n    env_file: link.env\n", encoding="utf-8")
    outcome = judge(tmp_path / "repo")
    assert all("env" not in path for path in outcome.files)
    assert "PASSWORD" not in "".join(finding.message for finding in outcome.findings)


def test_profiles_variables_and_swarm_are_options(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "services:\n  web:\n    image: nginx:${TAG}\n    profiles: [debug]\n    privileged: ${P:-true}\n",
            "prod.env": "TAG=latest\nP=false\n",
        },
    )
    assert places(judge(tmp_path), "HS101") == ["compose.yaml:5:17"]
    assert places(judge(tmp_path, options=compose.Options(profiles=("other",))), "HS101") == []
    with_env = judge(tmp_path, options=compose.Options(env_files=(str(tmp_path / "prod.env"),)))
    assert places(with_env, "HS101") == []
    assert places(with_env, "HS602") == ["compose.yaml:3:12"]
    assert places(judge(tmp_path, options=compose.Options(environment={"P": "no", "TAG": "1.27.3"})), "HS602") == []


def test_a_broken_compose_file_hides_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": "services:\n  web: [\n", "Dockerfile": "FROM debian\n"})
    outcome = judge(tmp_path)
    assert places(outcome, "HD101") == ["Dockerfile:1:6"]
    assert [finding.location.path for finding in outcome.findings if finding.rule.name == "invalid-compose-yaml"] == ["compose.yaml"]
    assert outcome.errors == []


def test_findings_are_the_same_on_several_processes(tmp_path: Path) -> None:
    write(tmp_path, {f"s{index}/compose.yaml": PRIVILEGED + f"    container_name: c{index}\n" for index in range(60)})
    configs = Configs(str(tmp_path))
    found = targets.find([], targets.Options(str(tmp_path)))
    one = lint(found.files, configs, RULES, Options("2026-06-15", cwd=str(tmp_path)))
    two = lint(found.files, configs, RULES, Options("2026-06-15", cwd=str(tmp_path), jobs=2))
    assert [finding.fingerprint for finding in one.findings] == [finding.fingerprint for finding in two.findings]
    assert one.files == two.files
