"""`harden convert` as a user calls it: what is written, what is named as lost, and what is an error."""

from pathlib import Path

import pytest
from cli_runner import Harden

COMPOSE = """\
name: shop
services:
  web:
    image: nginx:${TAG:-1.27.3}
    depends_on: [db]
    ports: ["8080:80"]
    environment: {GREETING: "it's $$5"}
  db:
    image: postgres:17
    volumes: [data:/var/lib/postgresql/data]
volumes: {data: }
"""


def test_run_line_to_compose(harden: Harden) -> None:
    code, out, err = harden("convert", "--to", "compose", "--", "docker", "run", "-d", "--rm", "-p", "80:80", "-e", "A=$B", "nginx:1.27.3")
    assert code == 0
    assert out == (
        'services:\n  nginx:\n    image: nginx:1.27.3\n    environment:\n      A: "$$B"\n    ports:\n      - "80:80"\n'
    )  # fmt: skip
    assert err == "harden: not said: --rm: compose keeps a container until `down`, or `run --rm`\n"


def test_strict_makes_a_loss_an_exit_code(harden: Harden) -> None:
    line = ("--", "docker", "run", "--rm", "nginx:1.27.3")
    assert harden("convert", "--to", "compose", "--strict", *line).code == 1
    assert harden("convert", "--to", "run", "--strict", *line).code == 0


def test_project_to_run_lines(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    code, out, err = harden("convert", "--to", "run")
    assert code == 0
    assert out == (
        "docker run \\\n  -d \\\n  -v data:/var/lib/postgresql/data \\\n  postgres:17\n\n"
        "docker run \\\n  -d \\\n  -p 8080:80 \\\n  -e 'GREETING=it'\"'\"'s $5' \\\n  nginx:1.27.3\n"
    )
    assert err.splitlines() == [
        "harden: not said: db: volume data: compose calls it shop_data; here it is a volume of its own",
        "harden: not said: web: depends_on: a run line starts one container and waits for none",
    ]


def test_one_service_of_several_files(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(COMPOSE)
    (tmp_path / "b.yaml").write_text("services: {db: {read_only: true}}\n")
    assert harden("convert", "--to", "harden", "-f", "a.yaml", "-f", "b.yaml", "--service", "db").out == (
        "harden run \\\n  -d \\\n  --read-only \\\n  -v data:/var/lib/postgresql/data \\\n  postgres:17\n"
    )


def test_script_to_compose(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "deploy.sh").write_text('docker run -d --name web "nginx:$TAG"\ndocker create -v ./a:/b:ro redis:8\n')
    assert harden("convert", "--to", "compose", "deploy.sh").out == (
        "services:\n  web:\n    image: \"nginx:${TAG}\"\n    container_name: web\n"
        "  redis:\n    image: redis:8\n    volumes:\n      - ./a:/b:ro\n"
    )  # fmt: skip


def test_ci_files_and_compose_files_are_told_apart(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("x: {script: docker run alpine:3.22}\n")
    assert harden("convert", "--to", "run", ".gitlab-ci.yml").out == "docker run \\\n  alpine:3.22\n"
    (tmp_path / "my.yml").write_text("services: {a: {image: b}}\n")
    assert harden("convert", "--to", "run", "my.yml").out == "docker run \\\n  -d \\\n  b\n"


def test_what_is_wrong_with_a_line_is_told(harden: Harden) -> None:
    code, out, err = harden("convert", "--to", "run", "--", "docker", "run", "--privilaged", "nginx:1.27.3")
    assert (code, out) == (0, "docker run \\\n  nginx:1.27.3\n")
    assert "docker run has no flag --privilaged; did you mean --privileged?" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--to", "run"], "there is no compose file"),
        (["--to", "run", "missing.yaml"], "No such file or directory"),
        (["--to", "run", "-f", "compose.yaml", "--", "docker", "run", "x"], "more than one thing to convert"),
        (["--to", "run", "--", "docker", "ps", "-a"], "there is no service to convert"),
        (["--to", "nowhere"], "invalid choice: 'nowhere'"),
        (["."], "the following arguments are required: --to"),
    ],
)
def test_errors(harden: Harden, args: list[str], message: str) -> None:
    code, out, err = harden("convert", *args)
    assert (code, out) == (2, "")
    assert message in err


def test_an_unknown_service_is_suggested(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    code, _, err = harden("convert", "--to", "run", "--service", "wbe")
    assert code == 2
    assert "did you mean 'web'?" in err


def test_a_project_s_own_file_stands_for_the_project(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: nginx:1.27.3\n", encoding="utf-8")
    (tmp_path / "compose.override.yaml").write_text("services:\n  web:\n    read_only: true\n", encoding="utf-8")
    assert "--read-only" in harden("convert", "--to", "run", "compose.yaml").out
    assert "--read-only" not in harden("convert", "--to", "run", "-f", "compose.yaml").out
