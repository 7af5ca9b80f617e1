"""What capabilities a service has, and that every message about privileges and isolation is filled in."""

import os

import pytest
from rule_examples import cases
from test_service_examples import FOLDER, read, wrapped

from hardener.engine.dispatch_services import ServiceDispatch
from hardener.engine.ready import Judged
from hardener.linux.names import CAPABILITIES as NUMBERED
from hardener.rules.capabilities import CAPABILITIES, DOCKER_DEFAULT, PODMAN_DEFAULT, canonical, granted
from hardener.rules.checks.service.capabilities import split_option
from hardener.rules.context import ServiceContext
from hardener.rules.load import Example, RuleSource
from hardener.sources.unknown import UNKNOWN

EVERY = frozenset(CAPABILITIES)


def test_table_is_complete() -> None:
    # CAP_LAST_CAP of Linux 5.9 and later is CAP_CHECKPOINT_RESTORE, number 40.
    assert len(CAPABILITIES) == 41
    assert len(DOCKER_DEFAULT) == 14
    assert len(PODMAN_DEFAULT) == 11


@pytest.mark.parametrize(
    ("written", "name"),
    [("net_admin", "NET_ADMIN"), ("CAP_CHOWN", "CHOWN"), ("Cap_Bpf", "BPF"), ("all", "ALL"), ("cap_all", "CAP_ALL"), ("", "")],
)
def test_canonical(written: str, name: str) -> None:
    assert canonical(written) == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tty: true", DOCKER_DEFAULT),
        ("cap_drop: [ALL]", frozenset()),
        ("cap_drop: [all]\ncap_add: [cap_chown]", {"CHOWN"}),
        ("cap_drop: [NET_RAW]\ncap_add: [NET_ADMIN]", DOCKER_DEFAULT - {"NET_RAW"} | {"NET_ADMIN"}),
        ("cap_drop: [NET_RAW]\ncap_add: [NET_RAW]", DOCKER_DEFAULT),
        ("cap_add: [ALL]", EVERY),
        ("cap_add: [ALL]\ncap_drop: [SYS_MODULE]", EVERY - {"SYS_MODULE"}),
        ("cap_add: [ALL]\ncap_drop: [ALL]", EVERY),
        ("privileged: true\ncap_drop: [ALL]", EVERY),
        ("privileged: ${P}", UNKNOWN),
        ("cap_drop: ['${C}']", UNKNOWN),
        ("docker run -d web:1", DOCKER_DEFAULT),
        ("docker run --cap-drop=ALL --cap-add chown -d web:1", {"CHOWN"}),
        ("docker run $OPTIONS -d web:1", UNKNOWN),
    ],
)
def test_granted(text: str, expected: object) -> None:
    example = Example(text, 0, {}, {}, {}, False)
    assert granted(read(example, wrapped(text)).services[0]) == expected


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("seccomp=a:b", "seccomp", "a:b"),
        ("seccomp:a", "seccomp", "a"),
        ("label:type:spc_t", "label", "type:spc_t"),
        ("label:type=spc_t", "label:type", "spc_t"),
        ("no-new-privileges", "no-new-privileges", None),
        ("seccomp=", "seccomp", ""),
    ],
)
def test_split_option(text: str, name: str, value: str | None) -> None:
    assert split_option(text) == (name, value)


@pytest.mark.parametrize(
    ("source", "example"),
    [
        pytest.param(source, example, id=f"{source.rule.id}-{index}")
        for index, (source, key, example) in enumerate(cases("service"))
        if key == "fires" and source.rule.id < "HS3"
    ],
)
def test_messages_have_no_gaps(source: RuleSource, example: Example) -> None:
    text = wrapped(example.text).replace("«", "").replace("»", "")
    context = ServiceContext(read(example, text), file=lambda path: example.files.get(os.path.relpath(path, FOLDER)))
    for result in ServiceDispatch([source]).judge(context):
        assert isinstance(result, Judged)
        assert not result.message.startswith("?")
        assert " ? " not in result.message


def test_every_capability_of_the_kernel_has_a_grade() -> None:
    assert sorted(CAPABILITIES) == sorted(NUMBERED)
