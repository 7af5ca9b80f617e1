"""The dispatcher: every rule meets the subjects it asked for, once, and a crash stays one rule's crash."""

from collections.abc import Iterator

import pytest

from hardener.engine.dispatch import Dispatch
from hardener.engine.ready import Crash, Judged
from hardener.finding import Confidence, Match, Rule, Severity
from hardener.rules.context import Context
from hardener.rules.load import RuleSource
from hardener.sources.dockerfile import parse
from hardener.text import SourceFile, Span

TEXT = """\
# syntax=docker/dockerfile:1
FROM debian:12 AS base
ENV A=1 B=2
LABEL c=3
RUN apt-get update && sh -c "curl x | sh"
ONBUILD RUN curl y
FROM base
COPY --from=busybox:1 /a /b
BAD x
HEALTHCHECK CMD curl z
"""


def rule(
    on: str,
    rule_id: str = "HD999",
    message: str = "m",
    *,
    match: object = None,
    instructions: tuple[str, ...] = (),
    commands: tuple[str, ...] = (),
    at: str = "",
) -> RuleSource:
    made = Rule(rule_id, "n", on, Severity.LOW, Confidence.HIGH, "t", message, "w", "h", (), (), (), ("all",))
    return RuleSource(made, "f", instructions, commands, match, at)


def found(source: RuleSource, text: str = TEXT) -> list[str]:
    """Return what a rule that fires on every subject covers."""
    file = SourceFile("Dockerfile", text)
    results = list(Dispatch([source]).judge(Context(parse(file))))
    assert not any(isinstance(result, Crash) for result in results)
    return [file.slice(result.match.span) for result in results if isinstance(result, Judged)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (rule("dockerfile.stage", match={"image.scratch": False}), ["debian:12", "base"]),
        (rule("dockerfile.image", match={"image": "present"}), ["docker/dockerfile:1", "debian:12", "base", "busybox:1"]),
        (rule("dockerfile.problem", match={"problem.code": "present"}), ["BAD"]),
        (rule("dockerfile.instruction", match={"instruction.name": ["LABEL", "BAD"]}), ["LABEL c=3", "BAD x"]),
        (rule("dockerfile.instruction", match={"stage.final": True}, instructions=("COPY",)), ["COPY --from=busybox:1 /a /b"]),
        (rule("dockerfile.instruction", match={"instruction.trigger": True}, at="instruction.keyword"), ["RUN"]),
        (rule("dockerfile.instruction", match={"flag.from": "present"}, at="flag.from"), ["--from=busybox:1"]),
        (rule("dockerfile.pair", match={"pair.key": "present"}), ["A=1", "B=2", "c=3"]),
        (rule("dockerfile.pair", match={"pair.value": "2"}, instructions=("ENV",), at="pair.value"), ["2"]),
        (rule("dockerfile.command", match={"command.name": "present"}, commands=("curl",)), ["curl x", "curl y", "curl z"]),
        (rule("dockerfile.command", match={"command.name": "sh"}, at="command.name"), ["sh", "sh"]),
        (rule("dockerfile.command", match={"command.name": "curl"}, instructions=("HEALTHCHECK",)), ["curl z"]),
    ],
)
def test_subjects(source: RuleSource, expected: list[str]) -> None:
    assert found(source) == expected


def test_messages_are_filled_from_values_then_from_facts() -> None:
    def check(*_: object) -> Iterator[Match]:
        yield Match(Span(0, 1), {"given": "G"})

    source = rule("dockerfile.stage", message="{given} {image.tag} {image.digest} {nothing}", rule_id="HD998")
    file = SourceFile("Dockerfile", "FROM debian:12")
    (result,) = Dispatch([source], {"HD998": check}).judge(Context(parse(file)))
    assert isinstance(result, Judged)
    assert result.message == "G 12 ? ?"


def test_a_match_narrows_what_a_check_sees() -> None:
    def check(*_: object) -> Iterator[Match]:
        yield Match(Span(0, 1))

    source = rule("dockerfile.stage", match={"image.name": "debian"}, rule_id="HD998")
    text = "FROM debian\nFROM alpine\n"
    assert len(list(Dispatch([source], {"HD998": check}).judge(Context(parse(SourceFile("f", text)))))) == 1


def test_a_crash_costs_one_rule_and_names_it() -> None:
    def crash(*_: object) -> Iterator[Match]:
        yield Match(Span(0, 1))
        raise KeyError("x")

    sources = [rule("dockerfile.stage", rule_id="HD998"), rule("dockerfile.stage", match={"image": "present"}, rule_id="HD997")]
    results = list(Dispatch(sources, {"HD998": crash}).judge(Context(parse(SourceFile("f", "FROM a")))))
    assert [type(result).__name__ for result in results] == ["Judged", "Crash", "Judged"]
    assert isinstance(results[1], Crash)
    assert (results[1].rule.id, results[1].error) == ("HD998", "KeyError: 'x'")


def test_a_rule_that_nothing_decides_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        Dispatch([rule("dockerfile.stage")], {})
