"""Policies: what they may say, how they add up, and that they only ever tighten."""

from pathlib import Path

import pytest
from cli_runner import Harden
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import HardenError
from hardener.finding import Severity
from hardener.policies.load import load, names, tighter
from hardener.policies.model import Gate, Word

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
        ("name: x\nruntime: {}", "unknown key 'runtime'", "2:1"),
        ("name: x\ngate: {fail-onn: low}", "unknown key 'fail-onn'", "2:8"),
        ("name: x\ngate: {fail-on: never}", "fail-on cannot be 'never'", "2:17"),
        ("name: x\ngate: [a]", "gate is a mapping", "2:7"),
        ("name: x\ngate: {require-reason: 1}", "require-reason is true or false", "2:24"),
        ("name: x\ngate: {require: [[a]]}", "require takes a list of words", "2:18"),
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


gates = st.builds(
    Gate,
    st.one_of(st.none(), st.sampled_from(Severity)),
    st.lists(st.builds(Word, st.sampled_from(["HD1", "HD2"]), st.just("x")), max_size=2).map(tuple),
    st.just(()),
    st.booleans(),
    st.just(()),
)


@given(gates, gates)
def test_extending_never_loosens(base: Gate, own: Gate) -> None:
    found = tighter(base, own)
    for part in (base, own):
        if part.fail_on is not None:
            assert found.fail_on is not None
            assert found.fail_on <= part.fail_on
        assert set(part.require) <= set(found.require)
        assert found.require_reason or not part.require_reason
