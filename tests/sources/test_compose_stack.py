"""When a project is judged as a swarm stack."""

import pytest

from hardener.sources import compose
from hardener.text import SourceFile

WEB = "services: {web: {image: 'a:1', %s}}"


def _is_stack(name: str, text: str, *, swarm: bool = False) -> bool:
    return compose.load([SourceFile(name, text)], "/project", lambda path: None, compose.Options(swarm=swarm)).is_stack


@pytest.mark.parametrize("name", ["docker-stack.yml", "stack.yaml", "deploy/docker-compose.swarm.yml", "web.stack.yml"])
def test_named(name: str) -> None:
    assert _is_stack(name, WEB % "")


@pytest.mark.parametrize("name", ["compose.yaml", "docker-compose.yml", "docker-compose.fullstack.yml"])
def test_not_named(name: str) -> None:
    assert not _is_stack(name, WEB % "")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("deploy: {update_config: {order: start-first}}", True),
        ("deploy: {placement: {constraints: [node.role == manager]}}", True),
        ("deploy: {labels: [a=b]}", True),
        ("deploy: {mode: global}", True),
        ("deploy: {mode: replicated}", False),
        ("deploy: {replicas: 2, resources: {limits: {memory: 64M}}, restart_policy: {condition: any}}", False),
        ("deploy: {mode: global}, profiles: [debug]", False),  # a stack deployment refuses `profiles`
        ("deploy: {mode: global}, depends_on: {db: {condition: service_healthy}}", False),
        ("deploy: {mode: global}, depends_on: [db]", True),
        ("deploy: {mode: global}, container_name: web", False),
    ],
)
def test_keys(keys: str, expected: bool) -> None:
    assert _is_stack("compose.yaml", WEB % keys) is expected


def test_overlay_network() -> None:
    assert _is_stack("compose.yaml", WEB % "" + "\nnetworks: {inner: {driver: overlay}}")
    assert not _is_stack("compose.yaml", WEB % "" + "\nnetworks: {inner: {driver: overlay, attachable: true}}")
    assert not _is_stack("compose.yaml", "name: shop\n" + WEB % "" + "\nnetworks: {inner: {driver: overlay}}")


def test_told() -> None:
    assert _is_stack("compose.yaml", WEB % "", swarm=True)
