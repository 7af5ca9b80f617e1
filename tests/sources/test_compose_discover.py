"""Which files are compose files, and which belong together."""

import pytest

from hardener.sources.compose import discover
from hardener.text import SourceFile


@pytest.mark.parametrize(
    "name",
    [
        "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "compose.override.yaml", "compose.prod.yaml",
        "docker-compose.dev.yml", "docker-compose-test.yml", "dev.compose.yaml", "app-compose.yml",
        "podman-compose.yml", "Docker-Compose.yml",
        "docker-stack.yml", "stack.yml", "web.stack.yml", "swarm.yml", "docker-compose.swarm.yml", "docker_compose.yml",
    ],
)  # fmt: skip
def test_compose_names(name: str) -> None:
    assert discover.is_compose_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "composer.yaml",
        "compose.json",
        "compose",
        "decompose.yml",
        "haystack.yml",
        "values.yaml",
        "docker-compose.yml.bak",
        ".yml",
        "fullstack.yml",
    ],
)
def test_other_names(name: str) -> None:
    assert not discover.is_compose_name(name)


@pytest.mark.parametrize(
    ("name", "expected"), [("docker-stack.yml", True), ("swarm.yaml", True), ("compose.yaml", False), ("haystack.yml", False)]
)
def test_stack_names(name: str, expected: bool) -> None:
    assert discover.is_stack_name(name) is expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["README.md"], []),
        (["compose.yml"], [("compose.yml",)]),
        (["docker-compose.yml", "compose.yaml", "compose.yml"], [("compose.yaml",), ("compose.yml",), ("docker-compose.yml",)]),
        (["docker-compose.yaml", "docker-compose.yml"], [("docker-compose.yml",), ("docker-compose.yaml",)]),
        (
            ["compose.yaml", "compose.override.yaml", "compose.override.yml"],
            [("compose.yaml", "compose.override.yml"), ("compose.override.yaml",)],
        ),
        (["compose.yaml", "docker-compose.override.yml"], [("compose.yaml", "docker-compose.override.yml")]),
        (["docker-compose.override.yml"], [("docker-compose.override.yml",)]),
        (["compose.yaml", "compose.prod.yaml", "stack.yml"], [("compose.yaml",), ("compose.prod.yaml",), ("stack.yml",)]),
    ],
)
def test_groups(names: list[str], expected: list[tuple[str, ...]]) -> None:
    assert discover.candidates(names) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("services: {web: {image: a}}", True),
        ("services:\n  web:\n    build: .\n", True),
        ('{"services": {"web": {"image": "a"}}}', True),
        ("include: [a.yaml]", True),
        ("include: [a.yaml]\nstages: [x]", False),  # GitLab
        ("image: a\nservices: [postgres]", False),  # GitLab
        ("Resources: {}\nDescription: services", False),  # CloudFormation
        ("services:\n  _defaults: {autowire: true}\n  App\\X: {class: Y, arguments: [a]}\n", False),  # Symfony
        ("jobs: {a: {services: {db: {image: a}}}}", False),  # GitHub
        ("services: {}", False),
        ("services:\n  web:\n    image: a\n   bad: [\n", True),  # broken, but plainly one
        ("services: [\n", False),
        ("- services", False),
        ("", False),
    ],
)
def test_content(text: str, expected: bool) -> None:
    assert discover.is_compose(SourceFile("x.yml", text)) is expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("compose.prod.yaml", "services: {web: {restart: always}}", True),
        ("compose.prod.yaml", "services: {web: {restart: always}, extra: {image: a}}", True),
        ("compose.prod.yaml", "services: {web: {restart: always}, x: {image: a}, y: {build: .}}", False),
        ("compose.prod.yaml", "services: {web: {extends: a}}", False),
        ("compose.yaml", "services: {web: {restart: always}}", False),  # compose takes it by itself
        ("compose.prod.yaml", "services: {}", False),
        ("compose.prod.yaml", "services: [", False),
        ("compose.prod.yaml", "x: y", False),
    ],
)
def test_layers(name: str, text: str, expected: bool) -> None:
    assert discover.layers(SourceFile(name, text)) is expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("docker_compose_up.yaml", "command: docker compose up\nshort: Create containers\nswarm: false\n", False),
        ("tasks-compose.yml", "- name: start\n  shell: docker compose up\n", False),
        ("compose.yml", "- name: start\n", True),  # compose looks for it
        ("compose.prod.yaml", "servces: {web: {image: a}}\nvolumes: {}\n", True),
        ("compose.prod.yaml", "x-common: {}\n", True),
        ("old-compose.yml", "web: {image: a, ports: []}\n", True),  # version 1
        ("compose.prod.yaml", "services: [", True),
        ("compose.prod.yaml", "# nothing yet\n", True),
    ],
)
def test_resembles(name: str, text: str, expected: bool) -> None:
    assert discover.resembles(SourceFile(f"docs/{name}", text)) is expected
