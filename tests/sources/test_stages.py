"""Stages and variables: inheritance, scopes, three-valued expansion, image references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.sources.dockerfile import Dockerfile, parse
from hardener.sources.expansion import Known, trim
from hardener.sources.stages import Stage, expand, images
from hardener.sources.unknown import UNKNOWN
from hardener.text import SourceFile


def read(text: str, **build_args: str) -> Dockerfile:
    return parse(SourceFile("Dockerfile", text), build_args)


def value(text: str, **build_args: str) -> str | None:
    """Return what the argument of the last instruction expands to; None when it is unknown."""
    document = read(text, **build_args)
    last = document.instructions[-1]
    found = expand(last.words[0], last)
    return found.text if isinstance(found, Known) else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM scratch\nENV A=x\nUSER $A", "x"),
        ("FROM scratch\nENV A=x\nUSER ${A}y", "xy"),
        ('FROM scratch\nENV A=x\nUSER "$A"', "x"),
        ("FROM scratch\nENV A=x\nUSER '$A'", "$A"),
        ("FROM scratch\nENV A=x\nUSER \\$A", "$A"),
        ("FROM debian\nUSER $A", None),  # the base image may set it
        ("FROM scratch\nUSER a$A", "a"),  # nothing sets it
        ("FROM debian\nARG A\nUSER $A", None),
        ("FROM debian\nARG A\nUSER ${A:-0}", "0"),
        ("FROM debian\nARG A\nUSER ${A-0}", "0"),
        ("FROM debian\nARG A=\nUSER ${A:-0}", "0"),
        ("FROM debian\nARG A=\nUSER ${A-0}", ""),
        ("FROM debian\nARG A=1\nUSER ${A:+r}", "r"),
        ("FROM debian\nARG A\nUSER ${A:+r}", ""),
        ("FROM debian\nUSER ${A:-0}", None),  # unknown whether the base sets A
        ("FROM debian\nARG A=1\nUSER ${A:?no}", "1"),
        ("FROM debian\nARG A=a.b.c\nUSER ${A#*.}", "b.c"),
        ("FROM debian\nARG A=a.b.c\nUSER ${A##*.}", "c"),
        ("FROM debian\nARG A=a.b.c\nUSER ${A%.*}", "a.b"),
        ("FROM debian\nARG A=a.b.c\nUSER ${A%%.*}", "a"),
        ("FROM debian\nARG A=a.b.c\nUSER ${A/./-}", "a-b.c"),
        ("FROM debian\nARG A=a.b.c\nUSER ${A//./-}", "a-b-c"),
        ("FROM debian\nARG A=1\nARG B=${A}2\nUSER $B", "12"),
        ("FROM debian\nARG A=1 B=${A}2\nUSER $B", "12"),  # an ARG sees the ones before it on its line
        ("FROM scratch\nENV A=1\nENV A=2 B=$A\nUSER $B", "1"),  # an ENV does not
        ("FROM debian\nARG A=1\nENV A=2\nUSER $A", "2"),  # ENV wins over ARG
        ("FROM debian\nENV A=2\nARG A=1\nUSER $A", "2"),
        ("ARG A=1\nFROM debian\nUSER $A", None),  # a global ARG is out of scope until it is declared again
        ("ARG A=1\nFROM debian\nARG A\nUSER $A", "1"),
        ("ARG A=1\nFROM debian\nARG A=2\nUSER $A", "2"),
        ("FROM scratch AS a\nENV X=1\nFROM a\nUSER $X", "1"),
        ("FROM scratch AS a\nARG X=1\nFROM a\nUSER x$X", "x"),  # ARGs end with their stage
        ("FROM debian\nUSER $TARGETARCH", None),
        ("FROM debian\nUSER $HTTP_PROXY", None),
        ("FROM scratch\nENV A=x\nUSER ${A", None),  # broken: nobody knows
        ("FROM scratch\nENV A=x\nUSER ${A!}", None),
        ("FROM scratch\nENV A=$$\nUSER $A", ""),
        ("# escape=`\nFROM scratch\nENV A=x\nUSER `$A", "$A"),
        ("FROM scratch\nENV A=x\nONBUILD USER $A", None),
    ],
)
def test_expansion(text: str, expected: str | None) -> None:
    if "ONBUILD" in text:
        trigger = read(text).instructions[-1].trigger
        assert trigger is not None
        assert isinstance(expand(trigger.words[0], trigger), Known)
    else:
        assert value(text) == expected


def test_build_args_replace_defaults_but_declare_nothing() -> None:
    assert value("FROM debian\nARG A=1\nUSER $A", A="2") == "2"
    assert value("FROM debian\nARG A\nUSER $A", A="2") == "2"
    assert value("FROM scratch\nUSER x$A", A="2") == "x"
    assert value("ARG B=debian\nFROM $B", B="alpine:3") == "alpine:3"


def test_values_that_double_are_given_up_not_computed() -> None:
    text = "FROM scratch\nENV A=xxxxxxxx\n" + "ENV A=$A$A\n" * 60 + "USER $A"
    assert value(text) is None


def test_long_chains_need_no_deep_recursion() -> None:
    text = "FROM scratch AS s0\nENV X=1\n" + "".join(f"FROM s{i} AS s{i + 1}\n" for i in range(3000)) + "USER $X"
    assert value(text) == "1"
    text = "FROM scratch\nENV A=1\n" + "ENV A=$A\n" * 3000 + "USER $A"
    assert value(text) == "1"


@given(st.text(alphabet="ab*?.\\", max_size=12), st.text(alphabet="ab.", max_size=12), st.booleans(), st.booleans())
def test_trim_gives_back_a_part(pattern: str, text: str, prefix: bool, greedy: bool) -> None:
    rest = trim(text, pattern, prefix=prefix, greedy=greedy)
    assert text.endswith(rest) if prefix else text.startswith(rest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM debian", ("debian", None, None)),
        ("FROM debian:12", ("debian", "12", None)),
        ("FROM docker.io/library/debian:12", ("debian", "12", None)),
        ("FROM host:5000/x/y", ("host:5000/x/y", None, None)),
        ("FROM host:5000/x/y:1@sha256:00", ("host:5000/x/y", "1", "sha256:00")),
        ("ARG B=ubuntu T=latest\nFROM ${B}:${T}", ("ubuntu", "latest", None)),
        ("ARG B\nFROM $B", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("ARG B\nFROM ${B:-ubuntu}", ("ubuntu", None, None)),
        ("FROM ${B:-ubuntu}", ("ubuntu", None, None)),
        ("ARG T\nFROM debian:$T", ("debian", UNKNOWN, UNKNOWN)),
        ("ARG R\nFROM $R/debian", (UNKNOWN, None, None)),
        ("ARG V\nFROM debian$V", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("ARG V\nFROM debian:$V@sha256:00", ("debian", UNKNOWN, "sha256:00")),
        ("FROM debian-$TARGETARCH", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ('FROM "debian:12"', ("debian", "12", None)),
    ],
)
def test_base_image(text: str, expected: tuple[object, ...]) -> None:
    image = read(text).stages[0].image
    assert (image.name, image.tag, image.digest) == expected


def labels(stages: tuple[Stage, ...]) -> list[str]:
    return [f"{stage.label}<{stage.base.label if stage.base else ''}" for stage in stages]


def test_stages_resolve_names_case_insensitively_and_backwards_only() -> None:
    document = read("FROM a AS Build\nFROM BUILD AS two\nFROM three\nFROM x AS three\nFROM $N")
    assert labels(document.stages) == ["build<", "two<build", "stage 2<", "three<", "stage 4<"]
    assert [stage.is_final for stage in document.stages] == [False, False, False, False, True]


def test_a_later_stage_of_the_same_name_wins() -> None:
    document = read("FROM a AS x\nUSER one\nFROM b AS x\nUSER two\nFROM x")
    assert document.stages[2].effective["USER"].text == "two"


def test_effective_instructions_are_inherited() -> None:
    document = read('FROM a AS x\nUSER one\nWORKDIR /w\nCMD ["c"]\nFROM x\nUSER two\nENTRYPOINT ["e"]')
    effective = document.stages[1].effective
    assert {name: item.text for name, item in effective.items()} == {"USER": "two", "WORKDIR": "/w", "ENTRYPOINT": '["e"]'}


def test_every_image_reference_is_found() -> None:
    text = (
        "# syntax=docker/dockerfile:1 extra\nARG V=3\nFROM golang:1 AS build\nFROM alpine:$V\nCOPY --from=build /a /b\n"
        "COPY --from=0 /a /b\nCOPY --from=nginx:latest /a /b\nRUN --mount=type=bind,from=busybox,target=/x true\n"
        "ONBUILD COPY --from=img /a /b\n"
    )
    document = read(text)
    found = [(image.role, document.file.slice(image.span), image.stage.label if image.stage else None) for image in images(document)]
    assert found == [
        ("syntax", "docker/dockerfile:1", None),
        ("from", "golang:1", None),
        ("from", "alpine:$V", None),
        ("copy", "build", "build"),
        ("copy", "0", "build"),
        ("copy", "nginx:latest", None),
        ("mount", "busybox", None),
        ("copy", "img", None),
    ]
