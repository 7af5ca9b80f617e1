"""The `match:` language: operators, three truth values, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.rules.facts import DOCKERFILE_KINDS
from hardener.rules.match import MatchError, Truth, compile_match
from hardener.rules.vocabulary import FactValue
from hardener.sources.dockerfile import parse
from hardener.sources.instructions import Problem
from hardener.sources.stages import Stage
from hardener.sources.unknown import UNKNOWN
from hardener.text import SourceFile, Span


def stage(text: str) -> Stage:
    return parse(SourceFile("Dockerfile", text)).stages[-1]


@pytest.mark.parametrize(
    ("text", "match", "expected"),
    [
        ("FROM debian", {"image.tag": "absent"}, True),
        ("FROM debian:12", {"image.tag": "absent"}, False),
        ("ARG V\nFROM debian:$V", {"image.tag": "absent"}, None),
        ("FROM debian:12", {"image.tag": "present"}, True),
        ("FROM debian:12", {"image.tag": "12"}, True),
        ("FROM debian:12", {"image.tag": ["11", "12"]}, True),
        ("FROM debian:12", {"image.tag": {"not-in": ["11"]}}, True),
        ("ARG V\nFROM debian:$V", {"image.tag": {"not-in": ["11"]}}, None),
        ("FROM debian:12", {"image.name": {"matches": "^deb"}, "image.tag": "11"}, False),
        ("ARG V\nFROM debian:$V", {"image.name": {"matches": "^x"}, "image.tag": "11"}, False),  # false beats unknown
        ("ARG V\nFROM debian:$V", {"image.name": {"matches": "^deb"}, "image.tag": "11"}, None),
        ("FROM debian:12", {"image.name": {"not-matches": "^deb"}}, False),
        ("FROM debian:12", {"image.name": {"starts-with": ["x", "deb"]}}, True),
        ("FROM debian:12", {"image.name": {"ends-with": "an"}}, True),
        ("FROM debian:12", {"image.name": {"contains": "bia"}}, True),
        ("FROM debian:12", {"image.name": {"lacks": ["bia", "x"]}}, False),
        ("FROM debian:12", {"image.name": {"starts-with": "d", "lacks": "x"}}, True),
        ("FROM debian:12", {"stage.final": True}, True),
        ("FROM debian:12", [{"image.tag": "11"}, {"image.tag": "12"}], True),
        ("ARG V\nFROM debian:$V", [{"image.tag": "11"}, {"image.name": "debian"}], True),  # true beats unknown
        ("ARG V\nFROM debian:$V", [{"image.tag": "11"}, {"image.name": "x"}], None),
        ("FROM debian:12", {"any": [{"image.tag": "11"}, {"image.tag": "12"}], "image.name": "debian"}, True),
        ("FROM debian:12", {"none": {"image.tag": "12"}}, False),
        ("ARG V\nFROM debian:$V", {"none": {"image.tag": "12"}}, None),
    ],
)
def test_conditions(text: str, match: object, expected: Truth) -> None:
    assert compile_match("dockerfile.stage", match)(stage(text)) is expected


@pytest.mark.parametrize(
    ("match", "path"),
    [
        ({"image.tagg": "absent"}, ("match", "image.tagg")),
        ({"image.tag": {"inn": ["x"]}}, ("match", "image.tag", "inn")),
        ({"image.tag": {"matches": "("}}, ("match", "image.tag", "matches")),
        ({"image.tag": {"above": "x"}}, ("match", "image.tag", "above")),
        ({"image.tag": {}}, ("match", "image.tag")),
        ({"image.tag": None}, ("match", "image.tag")),
        ({"image.tag": {"in": []}}, ("match", "image.tag", "in")),
        ({"image.tag": {"contains": [1]}}, ("match", "image.tag", "contains")),
        ([], ("match",)),
        ({}, ("match",)),
        ("absent", ("match",)),
        ([{"image.tag": {"x": 1}}], ("match", 0, "image.tag", "x")),
    ],
)
def test_what_cannot_be_compiled_names_the_place(match: object, path: tuple[str | int, ...]) -> None:
    with pytest.raises(MatchError) as caught:
        compile_match("dockerfile.stage", match)
    assert caught.value.path == path


values = st.one_of(st.none(), st.just(UNKNOWN), st.text(max_size=3), st.lists(st.one_of(st.text(max_size=2), st.just(UNKNOWN))).map(tuple))
words = st.lists(st.text(min_size=1, max_size=2), min_size=1, max_size=3)


@given(values, words)
def test_an_operator_and_its_negation_are_never_both_true(value: FactValue, items: list[str]) -> None:
    """Unknown is not false: where one is silent for want of knowledge, so is the other."""
    subject = Problem("x", Span(0, 0), "")
    table = DOCKERFILE_KINDS["dockerfile.problem"].facts
    for positive, negative in (("in", "not-in"), ("contains", "lacks")):
        probe = {**table, "probe": lambda _: value}
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(DOCKERFILE_KINDS, "dockerfile.problem", DOCKERFILE_KINDS["dockerfile.problem"]._replace(facts=probe))
            yes = compile_match("dockerfile.problem", {"probe": {positive: items}})(subject)
            no = compile_match("dockerfile.problem", {"probe": {negative: items}})(subject)
        assert (yes is None) == (no is None)
        assert yes is None or yes is not no
        if value is UNKNOWN:
            assert yes is None
