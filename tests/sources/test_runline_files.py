"""Run lines in the files of other tools: each is found with its exact place, and nothing that is none."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.sources import runline
from hardener.sources.service import Service
from hardener.sources.unknown import UNKNOWN
from hardener.text import SourceFile


def services(path: str, text: str) -> tuple[Service, ...]:
    kind = runline.kind_of(path)
    assert kind is not None
    project = runline.find(SourceFile(path, text), kind, "/project")
    assert [problem.message for problem in project.problems] == []
    return project.services


def images(path: str, text: str) -> list[tuple[str, int, int]]:
    """Return what stands at each image's place, with its line and column."""
    found = []
    for service in services(path, text):
        assert service.image is not None
        line, column = service.image.place.file.position(service.image.place.span.start)
        found.append((service.image.place.text, line, column))
    return found


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("deploy.sh", "shell"),
        ("a/b.bash", "shell"),
        ("x.zsh", "shell"),
        ("x.ksh", "shell"),
        ("Makefile", "makefile"),
        ("sub/GNUmakefile", "makefile"),
        ("makefile", "makefile"),
        ("rules.mk", "makefile"),
        (".github/workflows/ci.yml", "yaml"),
        ("sub/.github/workflows/ci.yaml", "yaml"),
        (".gitlab-ci.yml", "yaml"),
        (".circleci/config.yml", "yaml"),
        ("azure-pipelines.yml", "yaml"),
        (".travis.yml", "yaml"),
        ("bitbucket-pipelines.yml", "yaml"),
        ("app.service", "systemd"),
        ("README.md", "markdown"),
        ("docs/x.markdown", "markdown"),
        ("compose.yaml", None),
        ("config.yml", None),
        (".github/dependabot.yml", None),
        ("workflows/ci.yml", None),
        ("main.py", None),
        ("Dockerfile", None),
        ("sh", None),
        (".sh", None),
        ("", None),
    ],
)
def test_kind_of(path: str, kind: str | None) -> None:
    assert runline.kind_of(path) == kind


MAKEFILE = """\
DOCKER ?= sudo podman
IMAGE := web:1
X = echo docker run not-a-recipe \\
\tdocker run continued
# docker run comment
run: build
\t@echo docker run no
\t-@docker run --rm -e A=$$HOME -e B='$$C' -v $(PWD):/src -v $(HOME)/.ssh:/k \\
\t  -p $(PORT):80 $(FLAGS) first:1 sh -c 'x $$y'
\t$(DOCKER) run --name two -w /$(DIR)/x second:$(TAG)
\t+cd x && docker run $(IMAGE)
\t# docker run silent
shell:
\tdocker run -it third
"""


def test_makefile() -> None:
    assert images("Makefile", MAKEFILE) == [("first:1", 9, 27), ("second:$(TAG)", 10, 40), ("$(IMAGE)", 11, 22), ("third", 14, 17)]
    first, second, third, _ = services("Makefile", MAKEFILE)
    assert [place.text for place in (first.place, second.place)] == ["docker run", "$(DOCKER) run"]
    assert first.open_ended and not second.open_ended and not third.open_ended
    variables = {variable.name: variable.value for variable in first.environment}
    home, plain = variables["A"], variables["B"]
    assert home is not None and plain is not None
    assert (home.place.text, plain.value) == ("$HOME", "$C")
    assert [mount.source_place.text for mount in first.mounts] == ["$(PWD)", "$(HOME)/.ssh"]
    assert [mount.source for mount in first.mounts][1] == "~/.ssh"
    assert [mount.type for mount in first.mounts] == ["bind", "bind"]
    assert first.ports[0].place.text == "$(PORT):80"
    assert second.working_dir is not None and second.working_dir.place.text == "/$(DIR)/x"


GITHUB = """\
on: push
jobs:
  build:
    services: {db: {image: docker run no}}
    steps:
      - uses: docker://run
      - run: docker run one:1
      - name: docker run no
        run: |
          # docker run comment
          set -e
          docker run --rm \\
            -e "A=${{ secrets.A }}" --name ${{ matrix.name }} two:${{ github.sha }}
      - run: >-
          docker run
          --privileged
          three:3
      - run: "docker run -e \\"A=b\\" \\\\\\n  four:4"
      - run: 'docker run -e ''A=b'' five:5'
      - run: docker run
          --init six:6
      - {run: 'docker run ${{ env.IMAGE }} ls'}
      - shell: pwsh
        run: docker run no:1
      - shell: bash -e {0}
        run: docker run eight:8
"""


def test_github() -> None:
    assert images(".github/workflows/ci.yml", GITHUB) == [
        ("one:1", 7, 25),
        ("two:${{ github.sha }}", 13, 63),
        ("three:3", 17, 11),
        ("four:4", 18, 43),
        ("five:5", 19, 37),
        ("six:6", 21, 18),
        ("${{ env.IMAGE }}", 22, 27),
        ("eight:8", 26, 25),
    ]
    found = services(".github/workflows/ci.yml", GITHUB)
    value = found[1].environment[0].value
    assert value is not None and value.place.text == "${{ secrets.A }}"
    assert found[1].container_name is not None and found[1].container_name.place.text == "${{ matrix.name }}"
    assert found[2].privileged is not None and found[2].privileged.place.text == "--privileged"
    assert [variable.key.text for service in found[3:5] for variable in service.environment] == ["A", "A"]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            ".gitlab-ci.yml",
            "x:\n  before_script: docker run a\n  script:\n    - docker run b\n    - |\n      docker run c\n    - [docker run d]\n",
            [("a", 2, 29), ("b", 4, 18), ("c", 6, 18), ("d", 7, 19)],
        ),
        (
            ".gitlab-ci.yml",
            ".x: &x\n  - docker run a\ny:\n  script: *x\nz:\n  after_script: *x\n  image: docker run no\n",
            [("a", 2, 16)],
        ),
        (
            ".circleci/config.yml",
            "jobs: {a: {steps: [{run: docker run a}, {run: {name: docker run no, command: docker run << parameters.image >> b}}]}}",
            [("a", 1, 37), ("<< parameters.image >>", 1, 89)],
        ),
        (".travis.yml", "script: docker run a\ninstall:\n  - docker run b\nenv: docker run no\n", [("a", 1, 20), ("b", 3, 16)]),
        (
            "azure-pipelines.yml",
            "steps:\n- script: docker run a\n- bash: docker run b\n- task: docker run no\n",
            [("a", 2, 22), ("b", 3, 20)],
        ),
        ("bitbucket-pipelines.yml", "pipelines: {default: [{step: {script: [docker run a, {pipe: docker run no}]}}]}\n", [("a", 1, 51)]),
        (".travis.yml", "script: [docker run a\n", []),
        (".travis.yml", "script: docker run a\n---\nscript: docker run b\n", [("a", 1, 20), ("b", 3, 20)]),
    ],
)
def test_other_ci(path: str, text: str, expected: list[tuple[str, int, int]]) -> None:
    assert images(path, text) == expected


UNIT = """\
[Unit]
Description=docker run no
Documentation=x \\
ExecStart=docker run no
[Service]
Environment="X=docker run no"
# ExecStart=docker run no
ExecStartPre=-/usr/bin/docker rm -f %n
ExecStartPre=+@/usr/bin/docker docker pull x
ExecStart=/usr/bin/docker run --rm --name %n \\
# docker run comment
  ; docker run comment
  -e "A=b c" -e B=\\x41%%\\s -v ${DIR}:/x $OPTS \\
  one:%i --cost $$5
ExecStartPost=/bin/sh -c 'docker run $$X -e "A=1" two'
ExecReload=/usr/bin/env podman run three ; /usr/bin/docker run four
ExecStop=!docker run "five"
"""


def test_systemd() -> None:
    assert images("app.service", UNIT) == [("one:%i", 14, 3), ("$X", 15, 39), ("three", 16, 36), ("four", 16, 64), ("five", 17, 23)]
    found = services("app.service", UNIT)
    assert [service.place.text for service in found] == [
        "/usr/bin/docker run", "docker run", "podman run", "/usr/bin/docker run", "docker run",
    ]  # fmt: skip
    first = found[0]
    assert first.open_ended
    assert first.container_name is not None and first.container_name.place.text == "%n"
    assert [variable.value.value for variable in first.environment if variable.value is not None] == ["b c", "A% "]
    assert first.mounts[0].source_place.text == "${DIR}"
    assert first.image is not None and first.image.place.text == "one:%i"
    assert first.command is not None and [word.value for word in first.command.words] == ["--cost", "$5"]
    assert [service.image.text for service in found[2:] if service.image is not None] == ["three", "four", "five"]


MARKDOWN = """\
Run `docker run no` like

docker run prose:1

```sh
docker run -d -p 80:80 one:1 # docker run comment
docker run \\
  two:2
```

~~~~console
$ docker run \\
>   --privileged three:3
docker run output
user@host:~$ sudo docker run four:4
# docker run five:5
~~~
~~~~

1. list

   ```bash
   docker run six:6
   ```

```
docker run <your-image> --level={level}
docker run [OPTIONS] IMAGE
```

```yaml
run: docker run no
```

``` {.sh .numberLines}
$ docker run seven:7
output of docker run
```

> ```sh
> docker run eight:8
> ```

    docker run nine:9
    ls

```json
{"a": "docker run no"}
```

    not shell
    docker run no
"""


def test_markdown() -> None:
    assert images("README.md", MARKDOWN) == [
        ("one:1", 6, 24),
        ("two:2", 8, 3),
        ("three:3", 13, 18),
        ("four:4", 15, 30),
        ("five:5", 16, 14),
        ("six:6", 23, 15),
        ("<your-image>", 27, 12),
        ("IMAGE", 28, 22),
        ("seven:7", 36, 14),
        ("eight:8", 41, 14),
        ("nine:9", 44, 16),
    ]


def test_markdown_fragments_are_forgiven() -> None:
    (service,) = services("README.md", "```sh\ndocker run --read-only\n```\n")
    assert service.image is None and service.open_ended
    project = runline.find(SourceFile("README.md", "```sh\ndocker run --read-only \\\n  --rm\n  nginx\n```\n"), "markdown", "/project")
    assert [problem.code for problem in project.problems] == ["run-no-image"]


@pytest.mark.parametrize(
    "text",
    [
        "docker run -p <port>:80 nginx:1.27.3", "docker run [OPTIONS] nginx:1.27.3", "docker run traefik[:version] --help",
        "docker run ... nginx:1.27.3", "docker run nginx:{tag}",
    ],
)  # fmt: skip
def test_markdown_templates_lack_nothing_for_certain(text: str) -> None:
    (service,) = services("README.md", f"```sh\n{text}\n```\n")
    assert service.open_ended


def test_markdown_braces_of_a_variable_are_no_placeholder() -> None:
    (service,) = services("README.md", '```sh\ndocker run -v "${DATA}:${DATA}:rw" nginx:1.27.3\n```\n')
    assert not service.open_ended and service.mounts[0].source is UNKNOWN


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("", "docker run ^\n  --privileged ^\n  nginx:1.27.3"),
        ("cmd", "docker run ^\r\n  --privileged ^ \r\n  -v %cd%:/src nginx:1.27.3"),
        ("powershell", "docker run `\n  --privileged `\n  -v $env:USERPROFILE:/home -v C:\\data:/data nginx:1.27.3"),
        ("console", "PS C:\\work> docker run --privileged nginx:1.27.3\nHello"),
    ],
)
def test_markdown_for_windows(language: str, text: str) -> None:
    file = SourceFile("README.md", f"```{language}\n{text}\n```\n")
    project = runline.find(file, "markdown", "/project")
    (service,) = project.services
    assert project.problems == []
    assert service.privileged is not None and service.privileged.place.text == "--privileged"
    assert service.image is not None and service.image.place.text == "nginx:1.27.3"


@pytest.mark.parametrize("path", ["a.sh", "Makefile", ".travis.yml", "a.service", "a.md"])
def test_nothing_is_read_of_a_file_without_the_words(path: str) -> None:
    kind = runline.kind_of(path)
    assert kind is not None
    assert runline.find(SourceFile(path, "run create\n" * 10), kind, "/").services == ()
    assert runline.find(SourceFile(path, ""), kind, "/").services == ()


_PIECES = st.sampled_from(
    [
        "docker", " run ", "podman", " create ", "--rm", "-p", "80:80", "$X", "${X", "$(", ")", "`", "'", '"', "\\", "\n", "\t", "  ",
        "```", "~~~", "sh\n", "run: |\n  ", "- ", "script:", "ExecStart=", "ssh h ", "<<EOF\n", "EOF\n", "${{ x }}", "nginx", "--mount",
        "type=bind,src=", "-v", "/a:/b", ":", "=", "#", "%i", "$$", "\r\n", "\0", "é", "--", "-e", "A=", "sudo ", "&&", ";", "|",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["a.sh", "Makefile", ".travis.yml", "a.service", "a.md"]), st.lists(_PIECES, max_size=40))
def test_nothing_raises_and_every_place_is_in_the_file(path: str, pieces: list[str]) -> None:
    text = "docker run " + "".join(pieces)
    kind = runline.kind_of(path)
    assert kind is not None
    project = runline.find(SourceFile(path, text), kind, "/project")
    for service in project.services:
        for place in (service.place, service.whole, *service.keys.values()):
            assert 0 <= place.span.start <= place.span.end <= len(text)
        for setting in (service.image, service.user, service.remove):
            if setting is not None:
                assert 0 <= setting.place.span.start <= setting.place.span.end <= len(text)
    for problem in project.problems:
        assert 0 <= problem.place.span.start <= problem.place.span.end <= len(text)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.sh", "docker run -e A=$B -v /a:/b nginx\n"),
        ("Makefile", "x:\n\tdocker run -e A=$(B) nginx\n"),
        (".travis.yml", "- script: docker run nginx\n"),
        ("a.service", "ExecStart=docker run -e A=${B} nginx\n"),
        ("a.md", "```sh\ndocker run nginx\n```\n"),
        ("a.md", "$ docker run nginx\n" * 2),
    ],
)
def test_time_is_linear(path: str, line: str) -> None:
    kind = runline.kind_of(path)
    assert kind is not None

    def cost(count: int) -> float:
        file = SourceFile(path, line * count)
        best = 1e9
        for _ in range(3):
            start = time.perf_counter()
            runline.find(file, kind or "", "/")
            best = min(best, time.perf_counter() - start)
        return best

    cost(10)
    assert cost(800) < 12 * cost(200) + 0.02


def test_makefile_variables() -> None:
    text = (
        "RUN := docker run --rm --privileged \\\n  -v $(PWD):/src\nID = $(shell docker run --pid=host one:1 id)\n"
        "ALL ?= sudo docker container run two:2 # docker run three\nTOOL = docker\n# R = docker run four\nx:\n\t$(RUN) five:5\n"
    )
    project = runline.find(SourceFile("Makefile", text), "makefile", "/project")
    assert project.problems == []
    begun, shell, whole = project.services
    assert begun.privileged is not None and begun.open_ended and begun.image is None and len(begun.mounts) == 1
    assert shell.image is not None and shell.image.place.text == "one:1" and not shell.open_ended
    assert shell.command is not None and [word.value for word in shell.command.words] == ["id"]
    assert whole.image is not None and whole.image.place.text == "two:2" and whole.open_ended
