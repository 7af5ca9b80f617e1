"""What the specification says about keys and values: three hundred places against Docker Compose, and exact spans of our own."""

import json

import compose_oracle
import compose_types
import pytest

from hardener.sources import compose
from hardener.sources.compose import schema, spec
from hardener.sources.service import Problem, Project
from hardener.text import SourceFile

# Refused by us alone: Docker refuses these later, or the specification does not have them and compose looks away.
STRICTER = {
    "services.a.expose": {"list"},
    "services.a.restart": {"str"},
    "include": {"maplist"},  # taken and ignored
    "services.a.gpus": {"maplist"},
    "services.a.deploy.mode": {"str"},
    "services.a.deploy.endpoint_mode": {"str"},
    "services.a.deploy.update_config.failure_action": {"str"},
    "services.a.deploy.restart_policy.condition": {"str"},
    "services.a.ports.0.mode": {"str"},
    "services.a.ports.0.published": {"str"},
    "secrets.n.external": {"map", "nullvalue", "intvalue"},
    "configs.n.external": {"map", "nullvalue", "intvalue"},
}
# Refused by compose alone: files that are missing here, slips of compose 2.40 (it crashes on some), keys that are newer than it, and
# values so odd that nobody writes them.
LAXER = {
    "services.a.env_file", "services.a.label_file", "services.a.env_file.0", "services.a.env_file.0.path", "services.a.extends.file",
    "services.a.pre_start", "services.a.build.no_cache_filter", "services.a.pid", "services.a.build.ssh", "include",
    "services.a.build.additional_contexts", "services.a.secrets.0.mode", "services.a.extends", "services.a.extends.service",
}  # fmt: skip
IGNORED = {"obsolete-version", "build-and-image", "unused-resource", "unseen-file"}


def load(text: str) -> Project:
    return compose.load([SourceFile("compose.yaml", text)], "/project", lambda path: None)


def problems(text: str) -> list[Problem]:
    return [problem for problem in load(text).problems if problem.code not in IGNORED]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    command = compose_oracle.tool() if compose_oracle.recording() else None
    if command is not None:
        compose_types.record(command, tmp_path_factory.mktemp("types"))
    return compose_types.verdicts()


def test_same_verdicts_as_docker_compose(verdicts: dict[str, str]) -> None:
    same = 0
    wrong = []
    for path, marks in verdicts.items():
        for mark, (kind, value) in zip(marks, compose_types.VALUES.items(), strict=True):
            taken = not problems(json.dumps(compose_types.document(path, value)))
            if taken == (mark == "+"):
                same += 1
            elif kind not in STRICTER.get(path, ()) and not (taken and path in LAXER):
                wrong.append((path, kind, "taken by us" if taken else "refused by us"))
    assert wrong == []
    assert same >= 4140


@pytest.mark.parametrize(
    ("body", "code", "marked", "message"),
    [
        ("privilaged: true", "unknown-key", "privilaged", "`privilaged` is no key of `services.web`: did you mean 'privileged'?"),
        ("cap-drop: [ALL]", "unknown-key", "cap-drop", "`cap-drop` is no key of `services.web`: did you mean 'cap_drop'?"),
        ("readOnly: true", "unknown-key", "readOnly", "`readOnly` is no key of `services.web`: did you mean 'read_only'?"),
        ("net: host", "unknown-key", "net", "`net` is no key of `services.web`: did you mean 'network_mode'?"),
        ("memory: 1g", "unknown-key", "memory", "`memory` is no key of `services.web`: did you mean 'mem_limit'?"),
        ("zzz: 1", "unknown-key", "zzz", "`zzz` is no key of `services.web`"),
        ("replicas: 2", "misplaced-key", "replicas", "`replicas` is no key of `services.web`: it belongs under `deploy`"),
        ("limits: {}", "misplaced-key", "limits", "`limits` is no key of `services.web`: it belongs under `deploy.resources`"),
        (
            "deploy: {cap_add: [X]}",
            "misplaced-key",
            "cap_add",
            "`cap_add` is no key of `services.web.deploy`: it belongs under `services.<name>`",
        ),
        ("build: {image: x, context: .}", "misplaced-key", "image", None),
        ("ports: 80", "wrong-type", "80", "`services.web.ports` must be a list, not a number"),
        ("environment: text", "wrong-type", "text", "`services.web.environment` must be a list or a map, not text"),
        ("cap_add: {A: b}", "wrong-type", "cap_add", "`services.web.cap_add` must be a list, not a map"),
        ("cap_add:", "wrong-type", "cap_add", "`services.web.cap_add` must be a list, not empty"),
        ("user: 1000", "wrong-type", "1000", "`services.web.user` must be text, not a number"),
        ("volumes: [{type: bind, source: [a], target: /b}]", "wrong-type", "source", None),
        ("mem_limit: 1x", "invalid-value", "1x", "`services.web.mem_limit`: '1x' is no size such as `512m`"),
        ("healthcheck: {test: a, interval: '5'}", "invalid-value", "'5'", None),
        (
            "ports: ['80:81:82:83']",
            "invalid-value",
            "'80:81:82:83'",
            "`services.web.ports`: '80:81:82:83' has '80:81' where an IP address stands",
        ),
        ("restart: forever", "invalid-value", "forever", None),
        ("depends_on: {db: {condition: ready}}", "invalid-value", "ready", None),
        ("ulimits: {nofile: {soft: 1}}", "missing-key", "nofile", "`services.web.ulimits.nofile` lacks `hard`"),
    ],
)
def test_problem(body: str, code: str, marked: str, message: str | None) -> None:
    found = [problem for problem in problems(f"services:\n  web:\n    image: x\n    {body}\n") if not problem.code.startswith("undefined")]
    assert [(problem.code, problem.place.text) for problem in found] == [(code, marked)]
    if message is not None:
        assert found[0].message == message


def test_open_value_is_not_judged() -> None:
    assert (
        problems("services: {web: {image: x, mem_limit: '${A}', restart: '${B}', ports: ['${C}'], privileged: '${D}', user: '${E}'}}") == []
    )


def test_alias_is_reported_once() -> None:
    found = problems("x-a: &a {privilaged: true, image: x}\nservices: {b: *a, c: *a, d: {<<: *a}}")
    assert [problem.code for problem in found] == ["unknown-key"]


def test_version_1_hides_the_rest() -> None:
    found = load("web: {image: x, links: [db]}\ndb: {image: y, net: host}\n").problems
    assert [(problem.code, problem.place.text) for problem in found] == [("version-1-file", "web")]


def test_stack_may_say_its_version() -> None:
    text = "version: '3.8'\nservices: {web: {image: x}}"
    project = compose.load([SourceFile("compose.yaml", text)], "/project", lambda path: None, compose.Options(swarm=True))
    assert project.problems == []
    assert [problem.code for problem in load(text).problems] == ["obsolete-version"]


def test_every_level_is_reached() -> None:
    """No level of the specification is dead, and every type can be taken apart."""
    reached = {""}
    for kinds in spec.LEVELS.values():
        for kind in kinds.values():
            shape: schema._Shape | None = schema.shape(kind)
            while shape is not None:
                reached.add(shape.level)
                shape = shape.items or shape.values
    reached |= {
        part.strip("[]{}<>!").removeprefix("@") for kinds in spec.LEVELS.values() for kind in kinds.values() for part in kind.split("|")
    }
    assert set(spec.LEVELS) <= reached
