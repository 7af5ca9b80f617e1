"""Who a service runs as and who tests its health, with the image taken into account."""

import pytest

from hardener.engine.images import stage_of
from hardener.rules.checks.service.posture import Account, has_healthcheck, image_user, runs_as
from hardener.rules.context import ServiceContext, Settings
from hardener.sources import compose
from hardener.sources.service import Service
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import SourceFile

PYTHON = "FROM python:3.13-slim\n"


def read(body: str, files: dict[str, str]) -> tuple[Service, ServiceContext]:
    """Return the one service of a compose file, and what checks may know."""
    at_hand = {f"/project/{name}": text for name, text in files.items()}

    def open_file(path: str) -> SourceFile | None:
        return SourceFile(path, at_hand[path]) if path in at_hand else None

    text = f"services:\n  web: {body}\n"
    project = compose.load([SourceFile("compose.yaml", text)], "/project", open_file)
    return project.services[0], ServiceContext(project, Settings(), stage_of(open_file), at_hand.get)


def said(account: Account | UnknownType) -> str:
    """Return an account in one word."""
    if account is UNKNOWN:
        return "unknown"
    return ("steps down" if account.steps_down else "root") if account.is_root else "other"


@pytest.mark.parametrize(
    ("body", "dockerfile", "expected"),
    [
        ("{image: 'nginx:1.27.3'}", None, "root"),
        ("{image: 'postgres:17'}", None, "steps down"),
        ("{image: 'grafana/grafana:11.3.0'}", None, "other"),
        ("{image: 'example.org/app:1'}", None, "unknown"),
        ("{image: '${IMAGE}'}", None, "unknown"),
        ("{image: 'nginx:1.27.3', user: '101'}", None, "other"),
        ("{image: 'example.org/app:1', user: '+0:5'}", None, "root"),
        ("{image: 'nginx:1.27.3', user: '${UID}'}", None, "unknown"),
        ("{image: 'nginx:1.27.3', user: '0:${GID}'}", None, "root"),
        ("{image: 'nginx:1.27.3', user: ''}", None, "root"),
        ("{build: .}", None, "unknown"),
        ("{build: .}", PYTHON, "root"),
        ("{build: .}", PYTHON + "USER 1000\n", "other"),
        ("{build: .}", PYTHON + "ARG UID\nUSER $UID\n", "unknown"),
        ("{build: .}", "FROM scratch\nCOPY app /\nCMD [\"/app\"]\n", "root"),
        ("{build: .}", "ARG BASE\nFROM $BASE\n", "unknown"),
        ("{build: .}", "FROM postgres:17\nCOPY init.sql /\n", "steps down"),
        ("{build: .}", "FROM postgres:17\nENTRYPOINT [\"/mine\"]\n", "root"),
        ("{build: .}", PYTHON + "ENTRYPOINT [\"gosu\", \"app\", \"python\"]\n", "steps down"),
        ("{build: {context: ., target: one}}", "FROM debian:12 AS one\nUSER 7\nFROM one\nUSER root\n", "other"),
    ],
)  # fmt: skip
def test_runs_as(body: str, dockerfile: str | None, expected: str) -> None:
    service, context = read(body, {} if dockerfile is None else {"Dockerfile": dockerfile})
    assert said(runs_as(service, context)) == expected


def test_the_image_is_asked_whatever_the_service_says() -> None:
    service, context = read("{build: ., user: root}", {"Dockerfile": PYTHON + "USER app\n"})
    own, image = runs_as(service, context), image_user(service, context)
    assert own is not UNKNOWN and image is not UNKNOWN
    assert (own.name, own.source, own.place and own.place.text) == ("root", "service", "root")
    assert (image.name, image.source, image.place and image.place.text) == ("app", "dockerfile", "app")


def test_an_entrypoint_script_beside_the_dockerfile_is_read() -> None:
    files = {"app/Dockerfile": PYTHON + 'COPY run.sh /\nENTRYPOINT ["/run.sh"]\n', "app/run.sh": 'exec su-exec app "$@"\n'}
    service, context = read("{build: ./app}", files)
    assert said(runs_as(service, context)) == "steps down"


@pytest.mark.parametrize(
    ("body", "dockerfile", "expected"),
    [
        ("{image: 'nginx:1.27.3'}", None, False),
        ("{image: 'vaultwarden/server:1.32.5'}", None, True),
        ("{image: 'example.org/app:1'}", None, UNKNOWN),
        ("{image: 'nginx:1.27.3', healthcheck: {test: curl -f localhost}}", None, True),
        ("{image: 'nginx:1.27.3', healthcheck: {interval: 5s}}", None, False),
        ("{image: 'vaultwarden/server:1.32.5', healthcheck: {disable: true}}", None, False),
        ("{image: 'vaultwarden/server:1.32.5', healthcheck: {test: [NONE]}}", None, False),
        ("{image: 'vaultwarden/server:1.32.5', healthcheck: {disable: '${OFF}'}}", None, UNKNOWN),
        ("{build: .}", None, UNKNOWN),
        ("{build: .}", PYTHON, False),
        ("{build: .}", PYTHON + "HEALTHCHECK CMD true\n", True),
        ("{build: .}", PYTHON + "HEALTHCHECK CMD true\nHEALTHCHECK NONE\n", False),
        ("{build: .}", "FROM example.org/base:1\n", UNKNOWN),
        ("{build: .}", "FROM scratch\nCMD [\"/app\"]\n", False),
    ],
)  # fmt: skip
def test_has_healthcheck(body: str, dockerfile: str | None, expected: bool | UnknownType) -> None:
    service, context = read(body, {} if dockerfile is None else {"Dockerfile": dockerfile})
    assert has_healthcheck(service, context) is expected
