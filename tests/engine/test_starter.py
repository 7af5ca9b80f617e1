import re

import pytest
from sample_rules import RULES

from hardener.engine import starter
from hardener.engine.config import Config
from hardener.engine.keys import KEYS, Source, apply
from hardener.engine.selection import Selector
from hardener.errors import HardenError
from hardener.sources import yaml_nodes
from hardener.text import SourceFile


def config(text: str) -> Config:
    file = SourceFile(".harden.yaml", text)
    node = yaml_nodes.parse(file)
    found = Config()
    if isinstance(node, yaml_nodes.Mapping):
        apply(found, node, Source(file, "/x"))
    return found


def translated(text: str) -> list[str]:
    """Return the lines of the translation after its header, having read them as a configuration."""
    result = starter.from_hadolint(SourceFile(".hadolint.yaml", text), Selector(RULES))
    assert result.startswith("# Made from .hadolint.yaml by `harden init --from-hadolint`.\n")
    config(result)
    return result.splitlines()[1:]


def test_the_template_changes_nothing() -> None:
    assert [(setting.key, setting.value) for setting in config(starter.template()).settings] == [("profile", "default")]


def test_the_template_shows_every_key() -> None:
    shown = re.findall(r"^(?:# )?([a-z-]+): ", starter.template(), re.MULTILINE)
    assert [name for name in shown if name in {key.name for key in KEYS}] == [key.name for key in KEYS]


DEFAULT = "fail-on: low  # hadolint's own default: everything but style"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [DEFAULT]),
        ("ignored: [DL3006, SC2086]\n", ["ignore: [DL3006, SC2086]", DEFAULT]),
        ("ignored:\n  - DL3006\n  - DL9999\n", ["ignore: [DL3006]", DEFAULT, "# not carried over: DL9999: there is no such rule here"]),
        ("ignored:\n", [DEFAULT]),
        (
            "override:\n  error: [DL3006]\n  warning: [SC2086]\n  info: [DL3007]\n  style: [DL3025]\n",
            ["severity:", "  DL3006: high", "  SC2086: medium", "  DL3007: low", "  DL3025: info", DEFAULT],
        ),
        ("override:\n  error: [DL1111]\n", [DEFAULT, "# not carried over: DL1111: there is no such rule here"]),
        (
            "trustedRegistries:\n  - docker.io\n  - '*.example.com'\n  - host:5000\n",
            ['trusted-registries: [docker.io, "*.example.com", "host:5000"]', DEFAULT],
        ),
        ("trusted-registries: [quay.io]\n", ["trusted-registries: [quay.io]", DEFAULT]),
        (
            "label-schema:\n  author: text\n  raw: rawtext\n  contact: email\n  'true': url\n",
            ["required-labels:", "  author: text", "  raw: text", "  contact: email", '  "true": url', DEFAULT],
        ),
        ("strict-labels: true\n", ["strict-labels: true", DEFAULT]),
        ("disable-ignore-pragma: true\n", ["forbid-ignores: true", DEFAULT]),
        ("failure-threshold: error\n", ["fail-on: high"]),
        ("failure-threshold: warning\nno-fail: false\n", ["fail-on: medium"]),
        ("failure-threshold: none\n", ["fail-on: never"]),
        ("no-fail: true\n", ["fail-on: never"]),
        ("no-fail: false\n", [DEFAULT]),
        (
            "failure-threshold: info\nno-fail: true\n",
            ["fail-on: never", "# not carried over: failure-threshold (line 1): no-fail outranks it"],
        ),
        (
            "format: tty\nno-color: true\nnovel: 1\n",
            [
                DEFAULT,
                "# not carried over: format (line 1): `harden lint --format` chooses the report",
                "# not carried over: no-color (line 2): colour is for terminals only, and NO_COLOR switches it off",
                "# not carried over: novel (line 3): there is no such key here",
            ],
        ),
    ],
)
def test_from_hadolint(text: str, lines: list[str]) -> None:
    assert translated(text) == lines


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("- x\n", "a .hadolint.yaml is a mapping of keys", "1:1"),
        ("ignored: DL3006\n", "a list of texts is expected here", "1:10"),
        ("ignored: [[x]]\n", "a list of texts is expected here", "1:10"),
        ("override: [x]\n", "override is a mapping of severities to rules", "1:11"),
        ("override: {fatal: [x]}\n", "one of error, warning, info, style is expected here", "1:12"),
        ("label-schema: [x]\n", "label-schema is a mapping of labels to types", "1:15"),
        ("label-schema: {a: date}\n", "one of rawtext, text, url, semver, rfc3339, spdx, hash, email is expected here", "1:19"),
        ("strict-labels: 1\n", "true or false is expected here", "1:16"),
        ("no-fail: maybe\n", "true or false is expected here", "1:10"),
        ("failure-threshold: high\n", "one of error, warning, info, style, ignore, none is expected here", "1:20"),
    ],
)
def test_mistakes_have_a_place(text: str, what: str, place: str) -> None:
    with pytest.raises(HardenError) as caught:
        translated(text)
    assert (caught.value.what, caught.value.where) == (what, f".hadolint.yaml:{place}")


def test_without_rules_every_id_is_carried_over() -> None:
    assert "ignore: [DL9999]\n" in starter.from_hadolint(SourceFile(".hadolint.yaml", "ignored: [DL9999]\n"))
