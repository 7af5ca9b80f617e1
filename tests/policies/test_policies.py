"""Policies: what they may say, how they add up, and that they only ever tighten."""

from pathlib import Path

import pytest
from cli_runner import Harden
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import HardenError
from hardener.finding import Severity
from hardener.policies.load import in_environment, load, names
from hardener.policies.model import COVERAGE, Check, Gate, Limit, Word
from hardener.policies.tighten import narrowed, tighter

ROOT_USER = "FROM debian:12\nUSER root\n"


def policy(folder: Path, text: str, name: str = "p.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", names())
def test_shipped_policies_load_and_name_rules_that_exist(harden: Harden, tmp_path: Path, name: str) -> None:
    assert load(name).name == name
    (tmp_path / "Dockerfile").write_text("FROM scratch\nUSER 1\n", encoding="utf-8")
    assert harden("lint", "--isolated", "--no-shellcheck", "--policy", name, "--format", "concise").code in (0, 1)


def test_a_policy_extends_shipped_ones_and_files_beside_it(tmp_path: Path) -> None:
    policy(tmp_path, "name: base\ngate: {fail-on: high, forbid-ignores: true, allowed-registries: [a, b]}\n", "base.yaml")
    path = policy(tmp_path, "name: own\nextends: base.yaml\ngate: {fail-on: low, require-reason: true, allowed-registries: [b, c]}\n")
    found = load(path)
    assert (found.name, found.gate.fail_on, found.gate.require_reason) == ("own", Severity.LOW, True)
    assert [word.text for word in found.gate.forbid_ignores] == ["all"]
    assert found.gate.allowed_registries == ("b",)
    assert load(policy(tmp_path, "name: mine\nextends: strict\n", "m.yaml")).gate.fail_on == Severity.LOW


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("gate: {}", "the policy has no name", "1:1"),
        ("- x", "a policy is a mapping", "1:1"),
        ("name: x\ngates: {}", "unknown key 'gates'", "2:1"),
        ("name: x\ngate: {fail-onn: low}", "unknown key 'fail-onn'", "2:8"),
        ("name: x\ngate: {fail-on: never}", "fail-on cannot be 'never'", "2:17"),
        ("name: x\ngate: [a]", "gate is a mapping", "2:7"),
        ("name: x\ngate: {require-reason: 1}", "require-reason is true or false", "2:24"),
        ("name: x\ngate: {require: [[a]]}", "require takes a list of words", "2:18"),
        ("name: x\ngate: {require: [{HD1: bad}]}", "require of HD1 cannot be 'bad'", "2:24"),
        ("name: x\ngate: {require: [{HD1: low, HD2: low}]}", "require takes a list of words", "2:18"),
        ("name: x\ngate: {thresholds: [high]}", "thresholds is a mapping", "2:20"),
        ("name: x\ngate: {thresholds: {high: -1}}", "the threshold of high is a number of findings", "2:27"),
        ("name: x\ngate: {thresholds: {high: true}}", "the threshold of high is a number of findings", "2:27"),
        ("name: x\ngate: {coverage: failing}", "coverage cannot be 'failing'", "2:18"),
        ("name: x\ngate: {checks: {A-1: {rules: [HD101]}}}", "A-1 has no title", "2:17"),
        ("name: x\ngate: {checks: {A-1: {title: a, rules: [HD101], not-checkable: b}}}", "A-1 has rules and is not checkable", "2:17"),
        ("name: x\ngate: {checks: {A-1: {titel: a}}}", "unknown key 'titel'", "2:23"),
        ("name: x\ngate: {environments: {prod: {checks: {}}}}", "unknown key 'checks'", "2:30"),
        ("name: x\ngate: {environments: {prod: {environments: {}}}}", "unknown key 'environments'", "2:30"),
        ("name: x\ngate: {fail-on: low, environments: {prod: {fail-on: high}}}", "fail-on of prod asks for less", "2:44"),
        ("name: x\ngate: {coverage: fail, environments: {prod: {coverage: warn}}}", "coverage of prod asks for less", "2:46"),
        ("name: x\ngate: {require-reason: true, environments: {prod: {require-reason: false}}}", "require-reason of prod", "2:52"),
        ("name: x\ngate: {thresholds: {high: 0}, environments: {prod: {thresholds: {high: 1}}}}", "thresholds.high of prod", "2:66"),
        ("name: x\ngate: {forbid-ignores: true, environments: {prod: {forbid-ignores: false}}}", "forbid-ignores of prod", "2:52"),
        ("name: x\ngate: {allowed-registries: [a], environments: {p: {allowed-registries: [a, b]}}}", "allowed-registries of p", "2:52"),
        ("name: x\ngate: {allowed-registries: [a], environments: {p: {allowed-registries: [b]}}}", "no registry would be left", "2:52"),
        ("name: [x]", "name is a text", "1:7"),
        ("name: x\nextends: strct", "unknown policy 'strct'", "2:10"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_place(tmp_path: Path, text: str, what: str, where: str) -> None:
    path = policy(tmp_path, text + "\n")
    with pytest.raises(HardenError) as caught:
        load(path)
    assert what in caught.value.what
    assert caught.value.where == f"{path}:{where}"
    assert caught.value.how


def test_an_environment_adds_to_the_policy_and_to_what_it_extends(tmp_path: Path) -> None:
    policy(tmp_path, "name: base\ngate: {fail-on: high, environments: {prod: {fail-on: medium, coverage: fail}}}\n", "base.yaml")
    path = policy(
        tmp_path,
        "name: own\nextends: base.yaml\ngate:\n  thresholds: {high: 3}\n"
        "  environments:\n    prod: {fail-on: low, thresholds: {high: 0}}\n    test: {}\n",
    )
    plain = load(path)
    assert (plain.gate.fail_on, plain.gate.coverage, plain.environment) == (Severity.HIGH, "", "")
    found = in_environment(plain, "prod")
    assert (found.gate.fail_on, found.gate.coverage, found.environment) == (Severity.LOW, "fail", "prod")
    assert [(limit.word.key, limit.most) for limit in found.gate.limits] == [("gate.environments.prod.thresholds.high", 0)]
    assert found.gate.places["fail-on"].where == f"{path}:6:12"
    assert found.gate.places["coverage"].key == "gate.environments.prod.coverage"
    assert in_environment(plain, "test").gate == plain.gate
    with pytest.raises(HardenError, match="no environment 'prdo'") as caught:
        in_environment(plain, "prdo")
    assert caught.value.how == "did you mean 'prod'?"


def test_each_word_knows_its_key_and_its_place(tmp_path: Path) -> None:
    path = policy(tmp_path, "name: x\ngate:\n  require: [HD101, {HD104: low}]\n  forbid-ignores: true\n  thresholds: {HD201: 3}\n")
    gate = load(path).gate
    assert gate.require == (
        Word("HD101", f"{path}:3:13", "gate.require[0]"),
        Word("HD104", f"{path}:3:21", "gate.require[1]", Severity.LOW),
    )
    assert gate.forbid_ignores == (Word("all", f"{path}:4:19", "gate.forbid-ignores"),)
    assert gate.limits == (Limit(Word("HD201", f"{path}:5:16", "gate.thresholds.HD201"), 3, None),)


def test_a_value_stands_where_the_stricter_policy_says_it(tmp_path: Path) -> None:
    base = policy(tmp_path, "name: base\ngate: {fail-on: low, coverage: warn}\n", "base.yaml")
    path = policy(tmp_path, "name: own\nextends: base.yaml\ngate: {fail-on: high, coverage: fail, require-reason: true}\n")
    places = load(path).gate.places
    assert places["fail-on"].where == f"{base}:2:8"
    assert places["coverage"].where == f"{path}:3:23"
    assert places["require-reason"].where == f"{path}:3:39"


@pytest.mark.parametrize(
    ("base", "own", "both"),
    [
        (("a", "b"), ("b", "c"), ("b",)),
        (("*.example.com",), ("eu.example.com", "docker.io"), ("eu.example.com",)),
        (("eu.example.com", "docker.io"), ("*.example.com",), ("eu.example.com",)),
        (("a",), ("b",), ()),
    ],
)
def test_registries_that_both_allow(base: tuple[str, ...], own: tuple[str, ...], both: tuple[str, ...]) -> None:
    assert narrowed(base, own) == both


def test_no_policy_may_leave_no_registry(tmp_path: Path) -> None:
    policy(tmp_path, "name: base\ngate: {allowed-registries: [a]}\n", "base.yaml")
    path = policy(tmp_path, "name: own\nextends: base.yaml\ngate: {allowed-registries: [b]}\n")
    with pytest.raises(HardenError, match="no registry would be left") as caught:
        load(path)
    assert caught.value.where == f"{path}:3:8"


def check(name: str, *rules: str, reason: str = "") -> Check:
    return Check(Word(name, "x"), "a title", tuple(Word(rule, "x") for rule in rules), reason)


@pytest.mark.parametrize(
    ("base", "own", "words"),
    [
        (check("A"), check("B"), ["A", "B"]),
        (check("A", "HD1"), check("A", "HD2"), ["HD1", "HD2"]),
        (check("A"), check("A", "HD2"), ["A", "HD2"]),
        (check("A", "HD1"), check("A", reason="why"), ["HD1"]),  # saying that it cannot be checked takes nothing away
        (check("A", reason="why"), check("A", "HD1"), ["HD1"]),
    ],
)
def test_checks_add_up(base: Check, own: Check, words: list[str]) -> None:
    both = tighter(Gate(checks=(base,)), Gate(checks=(own,)))
    assert [word.text for check in both.checks for word in check.words] == words
    assert [word.text for word in both.forced] == words


def test_circles_and_missing_files_are_errors(tmp_path: Path) -> None:
    path = policy(tmp_path, "name: a\nextends: b.yaml\n", "a.yaml")
    policy(tmp_path, "name: b\nextends: a.yaml\n", "b.yaml")
    with pytest.raises(HardenError, match="in a circle"):
        load(path)
    with pytest.raises(HardenError, match="cannot read the policy"):
        load(str(tmp_path / "missing.yaml"))


@pytest.mark.parametrize(
    ("gate", "files", "args", "code"),
    [
        ("{fail-on: high}", {}, ["--fail-on", "never"], 1),
        ("{fail-on: critical}", {}, [], 1),  # the configuration is stricter already
        ("{fail-on: high, require: [HD202]}", {}, ["--ignore", "HD202"], 1),
        ("{fail-on: high, require: [HD202]}", {}, ["--severity", "HD202=info"], 1),
        ("{fail-on: high, require: [HD202]}", {".harden.yaml": "ignore: [all]\nfail-on: never\n"}, [], 1),
        ("{fail-on: high}", {}, ["--severity", "HD202=info"], 0),
        ("{fail-on: high, forbid-ignores: [HD202]}", {"Dockerfile": "FROM debian:12\n# harden: ignore[HD202] x\nUSER root\n"}, [], 1),
        ("{fail-on: high, forbid-ignores: true}", {"Dockerfile": "FROM debian:12\n# hadolint ignore=DL3002\nUSER root\n"}, [], 1),
        ("{fail-on: high}", {"Dockerfile": "FROM debian:12\n# harden: ignore[HD202] x\nUSER root\n"}, [], 0),
    ],
)
def test_a_policy_outranks_configuration_options_and_comments(
    harden: Harden, tmp_path: Path, gate: str, files: dict[str, str], args: list[str], code: int
) -> None:
    for name, text in {"Dockerfile": ROOT_USER, **files}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    path = policy(tmp_path, f"name: p\ngate: {gate}\n")
    assert harden("lint", "--no-shellcheck", "--policy", path, *args).code == code


def test_an_unknown_rule_or_policy_is_an_error(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(ROOT_USER, encoding="utf-8")
    path = policy(tmp_path, "name: p\ngate: {require: [HD999]}\n")
    code, _, err = harden("lint", "--policy", path)
    assert code == 2
    assert f"{path}:2:18" in err
    code, _, err = harden("lint", "--policy", "strickt")
    assert code == 2
    assert "did you mean 'strict'?" in err


words = st.builds(Word, st.sampled_from(["HD1", "HD2"]), st.just("x"))
gates = st.builds(
    Gate,
    fail_on=st.one_of(st.none(), st.sampled_from(Severity)),
    require=st.lists(words, max_size=2).map(tuple),
    forbid_ignores=st.lists(words, max_size=2).map(tuple),
    require_reason=st.booleans(),
    allowed_registries=st.just(()),
    limits=st.lists(st.builds(Limit, words, st.integers(0, 3), st.none()), max_size=2, unique_by=lambda limit: limit.word.text).map(tuple),
    coverage=st.sampled_from(("", *COVERAGE)),
    checks=st.lists(st.sampled_from([check("A"), check("B", "HD1"), check("C", "HD2")]), max_size=2, unique=True).map(tuple),
    environments=st.just({}),
    places=st.just({}),
)


@given(gates, gates)
def test_extending_never_loosens(base: Gate, own: Gate) -> None:
    found = tighter(base, own)
    limits = {limit.word.text: limit.most for limit in found.limits}
    for part in (base, own):
        if part.fail_on is not None:
            assert found.fail_on is not None
            assert found.fail_on <= part.fail_on
        assert set(part.require) <= set(found.require)
        assert set(part.forbid_ignores) <= set(found.forbid_ignores)
        assert found.require_reason or not part.require_reason
        assert all(limits[limit.word.text] <= limit.most for limit in part.limits)
        assert ("", *COVERAGE).index(found.coverage) >= ("", *COVERAGE).index(part.coverage)
        assert set(part.forced) <= set(found.forced)
