"""The verdict as a function of a policy and a report, where a run of the program does not lead."""

import pytest

from hardener.engine.selection import Selector
from hardener.finding import FileError, Finding, Report, Severity, locate
from hardener.policies.gate import verdict, violations
from hardener.policies.model import Gate, Policy, Word
from hardener.rules.load import builtin
from hardener.text import SourceFile, Span

RULES = {source.rule.id: source.rule for source in builtin()}
SELECTOR = Selector(RULES.values())
FILE = SourceFile("Dockerfile", "FROM debian\n")


def finding(rule: str, severity: Severity = Severity.MEDIUM) -> Finding:
    return Finding(RULES[rule], severity, "a message", locate(FILE, Span(0, 4)), "")


def report(*findings: Finding, rules: tuple[str, ...] = (), errors: tuple[FileError, ...] = ()) -> Report:
    ran = tuple(RULES[rule] for rule in rules or RULES)
    return Report(findings, (), ("Dockerfile",), errors, (), ran, None)


def policy(gate: Gate) -> Policy:
    return Policy("p", "", "p.yaml", gate)


@pytest.mark.parametrize(
    ("word", "ran", "message"),
    [
        ("HD101", ("HD101", "HD102"), []),
        ("HD101", ("HD102",), ["HD101 has to run, and did not"]),
        ("HS101", ("HD102",), []),  # there was nothing that it could have judged
        ("HS101", ("HD102", "HS102"), ["HS101 has to run, and did not"]),
    ],
)
def test_a_required_rule_has_to_run(word: str, ran: tuple[str, ...], message: list[str]) -> None:
    gate = Gate(require=(Word(word, "p.yaml:1:1", "gate.require[0]"),))
    assert [violation.message for violation in violations(policy(gate), report(rules=ran), SELECTOR.resolve)] == message


def test_a_code_of_shellcheck_names_its_findings() -> None:
    code = RULES["HD101"]._replace(id="SC9999", on="shell.script")
    found = finding("HD101")._replace(rule=code)
    gate = Gate(require=(Word("shellcheck:SC9999", "p.yaml:1:1", "gate.require[0]"),))
    assert [violation.findings for violation in violations(policy(gate), report(found), SELECTOR.resolve)] == [(found,)]


def test_the_same_demand_twice_is_told_once() -> None:
    gate = Gate(require=(Word("HD101", "a.yaml:1:1"), Word("HD101", "b.yaml:1:1"), Word("HD101", "a.yaml:1:1")))
    result = verdict(policy(gate), report(finding("HD101")), SELECTOR.resolve)
    assert [violation.word.where for violation in result.violations] == ["a.yaml:1:1"]
    assert result.demands == 2


@pytest.mark.parametrize(
    ("kinds", "violated", "code"),
    [
        ([], False, 0),
        ([], True, 1),
        (["unreadable"], False, 2),
        (["unreadable"], True, 2),
        (["unreadable", "internal"], True, 3),
    ],
)
def test_exit_codes(kinds: list[str], violated: bool, code: int) -> None:
    gate = Gate(fail_on=Severity.LOW, places={"fail-on": Word("fail-on", "p.yaml:1:1", "gate.fail-on")})
    errors = tuple(FileError("Dockerfile", 0, "a message", kind) for kind in kinds)
    findings = [finding("HD101")] if violated else []
    assert verdict(policy(gate), report(*findings, errors=errors), SELECTOR.resolve).exit_code == code
