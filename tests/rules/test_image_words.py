"""What builders write into histories, and what it is in the words of a Dockerfile; and where the base image ends."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import Layout, tar

from hardener.images.find import find
from hardener.rules import image_document
from hardener.rules.image_words import words
from hardener.sources.dockerfile import parse
from hardener.text import SourceFile


@pytest.mark.parametrize(
    ("created_by", "text"),
    [
        # the classic builder
        ('/bin/sh -c #(nop)  CMD ["nginx" "-g" "daemon off;"]', 'CMD ["nginx", "-g", "daemon off;"]'),
        ('/bin/sh -c #(nop) ENTRYPOINT ["/a b" "\\"q\\""]', 'ENTRYPOINT ["/a b", "\\"q\\""]'),
        ("/bin/sh -c #(nop) ADD file:" + "ab" * 32 + " in / ", "ADD file:abababababab /"),
        ("/bin/sh -c #(nop) COPY --chown=1:1 dir:" + "ab" * 32 + " in /app ", "COPY --chown=1:1 dir:abababababab /app"),
        ("/bin/sh -c #(nop)  EXPOSE 80/tcp 443", "EXPOSE 80/tcp 443"),
        ("/bin/sh -c #(nop)  VOLUME [/data /a]", 'VOLUME ["/data", "/a"]'),
        ("/bin/sh -c #(nop)  MAINTAINER A B <a@b>", "MAINTAINER A B <a@b>"),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("|1 V=1 2 /bin/sh -c make $V", "RUN make $V"),
        ("/bin/bash -o pipefail -c a | b", "RUN a | b"),
        ("/bin/sh -ex -c a", "RUN a"),
        # BuildKit
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("RUN |2 A=b C=d e /bin/sh -c make # buildkit", "RUN make"),
        ("RUN /bin/sh -c a\nb\n # buildkit", "RUN <<'EOF'\na\nb\nEOF"),
        ("RUN /bin/sh -c a \\\n  b # buildkit", "RUN a \\\n  b"),
        ("COPY a b /c/ # buildkit", "COPY a b /c/"),
        ("ENV A=b c D=e", 'ENV A="b c" D=e'),
        ("ENV KNOWN=a B=c D=e", 'ENV KNOWN="a B=c" D=e'),
        ("ENV A=$x", 'ENV A="\\$x"'),
        ("ENV PLAIN some words", 'ENV PLAIN="some words"'),
        ("LABEL a.b/c=d e.f=g h", 'LABEL a.b/c=d e.f="g h"'),
        ("EXPOSE map[80/tcp:{} 53/udp:{}]", "EXPOSE 80/tcp 53/udp"),
        ("EXPOSE [80/tcp]", "EXPOSE 80/tcp"),
        ("VOLUME [/data]", 'VOLUME ["/data"]'),
        ('CMD ["/bin/sh" "-c" "a && b"]', 'CMD ["/bin/sh", "-c", "a && b"]'),
        ("SHELL [/bin/bash -o pipefail -c]", 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]'),
        ('HEALTHCHECK &{["CMD-SHELL" "curl -f x || exit 1"] "30s" "3s" "0s" \'\\x03\'}', "HEALTHCHECK CMD curl -f x || exit 1"),
        ('HEALTHCHECK &{["CMD" "/app" "-h"] "1m0s" "3s" "0s" \'\\x00\'}', 'HEALTHCHECK CMD ["/app", "-h"]'),
        ('HEALTHCHECK &{["NONE"] "0s" "0s" "0s" \'\\x00\'}', "HEALTHCHECK NONE"),
        # buildah, and what is no instruction
        ("/bin/sh -c #(nop) LABEL a=\"b c\" d='e'", 'LABEL a="b c" d=e'),
        ("bazel build //x:y", "# bazel build //x:y"),
        ("# debian.sh --arch 'amd64' out/", "# debian.sh --arch 'amd64' out/"),
        ("", "# a layer of unknown making"),
        ("FROM scratch", "# FROM scratch"),
        ("a\nb", "# a b"),
    ],
)
def test_words(created_by: str, text: str) -> None:
    assert words(created_by, env={"KNOWN": "a B=c"}, labels={}).text == text


@pytest.mark.parametrize(
    ("created_by", "arguments"),
    [
        ("RUN |2 A=b C=d e=f /bin/sh -c make # buildkit", (("A", "b"), ("C", "d"), ("e", "f"))),
        ("RUN |1 A=b c /bin/sh -c make # buildkit", (("A", "b c"),)),
        ("|0 /bin/sh -c make", ()),
        ("RUN /bin/sh -c a |1 b=c", ()),
    ],
)
def test_build_arguments(created_by: str, arguments: tuple[tuple[str, str], ...]) -> None:
    assert words(created_by, env={}, labels={}).arguments == arguments


@given(
    st.text(max_size=80),
    st.sampled_from(["", "RUN /bin/sh -c ", "ENV A=", "/bin/sh -c #(nop) CMD [", "HEALTHCHECK &{", "|2 ", "EXPOSE map["]),
)
def test_whatever_a_history_says_it_is_lines_of_a_dockerfile(text: str, start: str) -> None:
    made = words(start + text, env={"A": text}, labels={}).text
    assert "\0" not in made
    parsed = parse(SourceFile("Dockerfile", f"FROM scratch\n{made}\nUSER 12345\n"))
    if not start:
        return
    # Nothing in a history swallows the line that follows.
    assert made.endswith("\\") or [each.text for each in parsed.all_instructions() if each.name == "USER"][-1:] in (["12345"], [])


def document(folder: Path, history: list[dict[str, Any]], config: dict[str, Any] | None = None) -> image_document.ImageDocument:
    layout = Layout(folder)
    layers = [tar() for entry in history if not entry.get("empty_layer")]
    layout.add(layout.image(*layers, config=config, described={"history": history}), "x")
    return image_document.read(find(f"oci:{folder}:x"))


def step(created_by: str, *, empty: bool = False, comment: str = "") -> dict[str, Any]:
    return {"created_by": created_by, "empty_layer": empty, "comment": comment}


BASE = [step("ADD rootfs.tar / # buildkit"), step('CMD ["bash"]', empty=True)]
OTHER = [step("RUN /bin/sh -c make # buildkit"), step("ENV A=b", empty=True)]


@pytest.mark.parametrize(
    ("history", "own"),
    [
        ([*BASE, *OTHER, step('CMD ["app"]', empty=True)], [2, 3, 4]),
        ([*BASE, *OTHER], [2, 3]),
        (OTHER, [0, 1]),
        (BASE, [0, 1]),
        ([*BASE, *OTHER, step('ENTRYPOINT ["x"]', empty=True), step('CMD ["y"]', empty=True)], [2, 3, 4, 5]),
        ([*BASE, *OTHER, step('CMD ["y"]', empty=True), *OTHER], [5, 6]),
        # buildah: with layers each step has a comment, the first of a build a name
        (
            [*BASE, step("/bin/sh -c make", comment="FROM docker.io/library/debian:12"), step("/bin/sh -c x", comment="FROM 0123456789ab")],
            [2, 3],
        ),
        # and without layers the last one alone has layer and name
        ([*BASE, step("/bin/sh -c make", empty=True), step("/bin/sh -c x", comment="FROM localhost/base:1")], [2, 3]),
    ],
)
def test_where_the_base_ends(history: list[dict[str, Any]], own: list[int], tmp_path: Path) -> None:
    assert [each.index for each in document(tmp_path / "image", history).steps if each.own] == own


def test_the_configuration_that_no_line_shows_comes_behind(tmp_path: Path) -> None:
    config = {
        "Env": ["A=b", "C=d e"], "User": "app", "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}, "22/tcp": {}}, "Cmd": ["x"],
        "Healthcheck": {"Test": ["CMD", "y"]}, "Labels": {"l": "m"}, "StopSignal": "SIGINT", "Entrypoint": ["z"], "Volumes": {"/v": {}},
    }  # fmt: skip
    found = document(
        tmp_path / "image",
        [*BASE, step("ENV A=b", empty=True), step("EXPOSE map[80/tcp:{}]", empty=True), step("USER root", empty=True)],
        config,
    )
    assert [each.text for each in found.steps if each.index < 0] == [
        'ENV C="d e"', "LABEL l=m", "EXPOSE 22/tcp", 'VOLUME ["/v"]', "WORKDIR /srv", "USER app", "STOPSIGNAL SIGINT",
        'HEALTHCHECK CMD ["y"]',
        'ENTRYPOINT ["z"]',
    ]  # fmt: skip
    for each in found.steps:
        assert found.file.slice(each.span) == each.text
    assert found.file.slice(found.place("env:C")) == 'C="d e"'
    assert found.file.slice(found.place("port:80/tcp")) == "80/tcp"
    assert found.file.slice(found.place("nothing", "user")) == "USER app"


def test_a_pair_is_found_where_it_was_set_last(tmp_path: Path) -> None:
    history = [step("ENV A=b", empty=True), step("ENV A=c D=e", empty=True)]
    found = document(tmp_path / "image", [*BASE, *history], {"Env": ["A=c", "D=e"]})
    assert [found.file.line_of(found.place(key).start) for key in ("env:A", "env:D")] == [4, 4]
    assert json.dumps(found.file.slice(found.place("env:A"))) == '"A=c"'


@pytest.mark.parametrize(
    "created_by",
    [
        "ENV " + "A=b " * 1_000_000,
        "ENV " + 'A="\\" ' * 500_000,
        "CMD [" + '"\\' * 1_000_000,
        "CMD [" + '"\\"' * 500_000,
        "HEALTHCHECK &{[" + '"a" ' * 500_000,
        "LABEL " + "a " * 1_000_000,
        "|3 " + "A=/bin/sh " * 200_000,
        "RUN |1 " + "/bin/sh -a " * 200_000,
        "EXPOSE map[" + "1/tcp:{} " * 200_000,
        "RUN " + "\n" * 1_000_000,
    ],
    ids=range(10),
)
def test_a_long_entry_costs_little(created_by: str) -> None:
    start = time.process_time()
    made = words(created_by, env={}, labels={})
    assert len(made.text) < 400_000
    assert time.process_time() - start < 2
