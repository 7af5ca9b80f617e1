"""`harden gate`: which keys of a policy a text violates, where they stand, and what that is called in exit codes."""

import json
import re
from pathlib import Path

import pytest
from cli_runner import Harden

from hardener.policies.load import load, names
from hardener.policies.model import GATE_KEYS

UNTAGGED = "FROM debian\nUSER 1000\n"  # HD101, medium
CLEAN = 'FROM scratch\nCOPY app /app\nUSER 1000\nCMD ["/app"]\n'
DIGEST = "FROM debian:12.8\nUSER 1000\n"  # HD104, low, profile strict
IGNORED = "# harden: ignore[HD101] pinned elsewhere\nFROM debian\nUSER 1000\n"
REASONLESS = "# harden: ignore[HD101]\nFROM debian\nUSER 1000\n"

Violations = list[tuple[str, list[str]]]


@pytest.fixture
def gate(harden: Harden, tmp_path: Path) -> "Gate":
    return Gate(harden, tmp_path)


class Gate:
    """Runs `harden gate` on a Dockerfile and a policy."""

    def __init__(self, harden: Harden, folder: Path) -> None:
        self.harden = harden
        self.folder = folder

    def __call__(self, keys: str, dockerfile: str, *args: str, **files: str) -> tuple[int, Violations]:
        (self.folder / "p.yaml").write_text(f"name: p\ngate: {{{keys}}}\n", encoding="utf-8")
        (self.folder / "Dockerfile").write_text(dockerfile, encoding="utf-8")
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        result = self.harden("gate", "--no-shellcheck", "--policy", "p.yaml", "--format", "json", *args)
        assert result.err == ""
        document = json.loads(result.out)
        assert document["passed"] is (result.code == 0)
        assert document["exit_code"] == result.code
        return result.code, [
            (violation["key"], [f"{finding['line']}:{finding['column']} {finding['rule']}" for finding in violation["findings"]])
            for violation in document["violations"]
        ]


@pytest.mark.parametrize(
    ("keys", "dockerfile", "violations"),
    [
        ("", UNTAGGED, []),  # a policy that asks for nothing is satisfied by anything
        ("fail-on: medium", UNTAGGED, [("gate.fail-on", ["1:6 HD101"])]),
        ("fail-on: high", UNTAGGED, []),
        # a required rule finds nothing at all, or nothing from a severity on
        ("require: [HD101]", UNTAGGED, [("gate.require[0]", ["1:6 HD101"])]),
        ("require: [{HD101: high}]", UNTAGGED, []),
        ("require: [{HD101: medium}]", UNTAGGED, [("gate.require[0]", ["1:6 HD101"])]),
        ("fail-on: high, require: [HD101]", UNTAGGED, []),
        ("fail-on: low, require: [{HD101: high}]", UNTAGGED, [("gate.require[0]", ["1:6 HD101"])]),
        ("require: [HD104]", DIGEST, [("gate.require[0]", ["1:6 HD104"])]),  # though the profile leaves it out
        ("require: [DL3006]", UNTAGGED, [("gate.require[0]", ["1:6 HD101"])]),
        # one finding, one key: the one that says more
        ("fail-on: low, require: [HD1, HD101]", UNTAGGED, [("gate.require[1]", ["1:6 HD101"])]),
        ("fail-on: low, require: [HD2]", UNTAGGED, [("gate.fail-on", ["1:6 HD101"])]),
        # thresholds count everything
        ("thresholds: {medium: 0}", UNTAGGED, [("gate.thresholds.medium", ["1:6 HD101"])]),
        ("thresholds: {medium: 1, HD101: 1}", UNTAGGED, []),
        ("thresholds: {high: 0}", UNTAGGED, []),
        ("thresholds: {low: 0}", UNTAGGED, [("gate.thresholds.low", ["1:6 HD101"])]),  # or worse
        ("thresholds: {HD101: 0}", UNTAGGED, [("gate.thresholds.HD101", ["1:6 HD101"])]),
        # comments
        ("fail-on: low", IGNORED, []),
        ("forbid-ignores: [HD2]", IGNORED, []),
        ("forbid-ignores: [HD2, HD1]", IGNORED, [("gate.forbid-ignores[1]", ["2:6 HD101"])]),
        ("forbid-ignores: true", IGNORED, [("gate.forbid-ignores", ["2:6 HD101"])]),
        ("forbid-ignores: false", IGNORED, []),
        ("require-reason: true", IGNORED, []),
        ("require-reason: true", REASONLESS, [("gate.require-reason", ["2:6 HD101"])]),
        ("require-reason: true, forbid-ignores: true", REASONLESS, [("gate.forbid-ignores", ["2:6 HD101"])]),
        # registries
        ("allowed-registries: [docker.io]", UNTAGGED, []),
        ("allowed-registries: [quay.io], fail-on: high", DIGEST, [("gate.allowed-registries", ["1:6 HD106"])]),
        # checks of a standard: by reference, or by the rules that the policy names
        ("checks: {CIS-Docker-1.6.0-4.2: {title: t}}", UNTAGGED, [("gate.checks.CIS-Docker-1.6.0-4.2", ["1:6 HD101"])]),
        ("checks: {CIS-Docker-1.6.0-4.9: {title: t}}", UNTAGGED, []),
        ("checks: {A-1: {title: t, rules: [HD101]}}, fail-on: low", UNTAGGED, [("gate.checks.A-1", ["1:6 HD101"])]),
        ("checks: {A-1: {title: t, not-checkable: r}}", UNTAGGED, []),
    ],
)
def test_each_key_is_asked_about_its_own(gate: Gate, keys: str, dockerfile: str, violations: Violations) -> None:
    assert gate(keys, dockerfile) == (1 if violations else 0, violations)


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ("ignore: [all]\n", 1),
        ("severity: {HD101: info}\n", 1),
        ("fail-on: never\nshow: critical\n", 1),
        ("baseline: accepted.json\n", 1),
        ("exclude: [Dockerfile]\n", 2),  # nothing to judge is no reason to pass
    ],
)
def test_a_configuration_opens_no_gate(harden: Harden, tmp_path: Path, config: str, code: int) -> None:
    (tmp_path / "Dockerfile").write_text(UNTAGGED, encoding="utf-8")
    harden("lint", "--no-shellcheck", "--isolated", "--write-baseline", "accepted.json")
    (tmp_path / ".harden.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "p.yaml").write_text("name: p\ngate: {require: [HD101]}\n", encoding="utf-8")
    assert harden("gate", "--no-shellcheck", "--policy", "p.yaml").code == code


UNSEEN = "services:\n  web:\n    image: nginx:1.27.3\n    env_file: missing.env\n"


@pytest.mark.parametrize(
    ("keys", "violations", "unseen"),
    [
        ("coverage: allow, fail-on: low", [], 0),
        ("coverage: warn, fail-on: low", [], 1),
        ("coverage: warn, thresholds: {low: 0}, require: [HS811]", [], 1),  # coverage alone speaks for it
        ("coverage: fail", [("gate.coverage", "HS811")], 0),
        ("fail-on: low", [("gate.fail-on", "HS811")], 0),  # nothing said: a finding like any other
    ],
)
def test_coverage(harden: Harden, tmp_path: Path, keys: str, violations: list[tuple[str, str]], unseen: int) -> None:
    (tmp_path / "compose.yaml").write_text(UNSEEN, encoding="utf-8")
    (tmp_path / ".harden.yaml").write_text("select: [HS811]\n", encoding="utf-8")
    (tmp_path / "p.yaml").write_text(f"name: p\ngate: {{{keys}}}\n", encoding="utf-8")
    document = json.loads(harden("gate", "--policy", "p.yaml", "--format", "json").out)
    assert [(violation["key"], violation["findings"][0]["rule"]) for violation in document["violations"]] == violations
    assert len(document["unseen"]) == unseen
    line = harden("gate", "--policy", "p.yaml").out.splitlines()[-1]
    assert ("1 part could not be seen" in line) is (unseen == 1)


def test_the_gate_judges_what_lint_judges(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: nginx:1.27.3, privileged: true}}\n", encoding="utf-8")
    found = []
    for what in (["."], ["-f", "compose.yaml"], ["--", "docker", "run", "--privileged", "nginx:1.27.3"]):
        document = json.loads(harden("gate", "--format", "json", *what).out)
        found += [(violation["key"], violation["findings"][0]["rule"]) for violation in document["violations"]]
    assert found == [("gate.require[3]", "HS101")] * 3


def test_environments(gate: Gate) -> None:
    keys = "fail-on: high, environments: {production: {fail-on: low}, test: {}}"
    assert gate(keys, UNTAGGED) == (0, [])
    assert gate(keys, UNTAGGED, "--environment", "test") == (0, [])
    assert gate(keys, UNTAGGED, "--environment", "production") == (1, [("gate.environments.production.fail-on", ["1:6 HD101"])])


def test_a_block_for_each_key_then_one_line(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(UNTAGGED, encoding="utf-8")
    (tmp_path / "p.yaml").write_text("name: web\ngate:\n  fail-on: low\n  require: [HD202, HD101]\n  thresholds: {low: 0}\n")
    code, out, err = harden("gate", "--no-shellcheck", "--policy", "p.yaml")
    assert (code, err) == (1, "")
    finding = "  Dockerfile:1:6: medium HD101 debian has no tag, so each build may start from a different image [untagged-base-image]"
    assert re.sub(r"\d+ rules", "N rules", out).splitlines() == [
        "p.yaml:4:20: gate.require[1]: no finding of low severity or worse of HD101",
        finding,
        "",
        "p.yaml:5:16: gate.thresholds.low: no finding of low severity or worse",
        finding,
        "",
        "web: violated: 2 of 4 demands, 1 file, N rules",
    ]


def test_a_gate_that_is_passed_says_so_in_one_line(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(CLEAN, encoding="utf-8")
    code, out, err = harden("gate", "--no-shellcheck")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"default: passed: \d+ demands, 1 file, \d+ rules\n", out)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--policy", "strickt"], 2, "did you mean 'strict'?"),
        (["--environment", "production"], 2, "the policy default has no environment 'production'"),
        (["--policy", "bad.yaml"], 2, "unknown rule 'HD1O1'\n  at: bad.yaml:2:18\n"),
        (
            ["--policy", "bad-limit.yaml"],
            2,
            "'hihg' is neither a severity nor a rule\n  at: bad-limit.yaml:2:21\n  fix: did you mean 'high'?",
        ),
        (["--policy", "bad-ignore.yaml"], 2, "unknown rule 'HD1O1'\n  at: bad-ignore.yaml:2:25\n"),
        (["--policy", "bad-check.yaml"], 2, "unknown rule 'ACME-1'\n  at: bad-check.yaml:2:17\n"),
        (["--policy", "shell.yaml", "--no-shellcheck"], 2, "the policy requires SC2086, which is ShellCheck's"),
        (["missing"], 2, ""),
    ],
)
def test_what_cannot_be_judged_is_not_passed(harden: Harden, tmp_path: Path, args: list[str], code: int, message: str) -> None:
    (tmp_path / "Dockerfile").write_text(CLEAN, encoding="utf-8")
    for name, keys in {
        "bad": "require: [HD1O1]",
        "bad-limit": "thresholds: {hihg: 0}",
        "bad-ignore": "forbid-ignores: [HD1O1]",
        "bad-check": "checks: {ACME-1: {title: t}}",
        "shell": "require: [SC2086]",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\ngate: {{{keys}}}\n", encoding="utf-8")
    result = harden("gate", *args)
    assert result.code == code
    assert message in result.err


def test_an_unreadable_file_is_named_and_not_passed(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(CLEAN, encoding="utf-8")
    (tmp_path / "Dockerfile.bad").write_bytes(b"FROM \xff\n")
    code, out, _ = harden("gate", "--no-shellcheck")
    assert code == 2
    assert "Dockerfile.bad:1: error: not valid UTF-8" in out
    assert "default: not passed: 1 error; " in out


@pytest.mark.parametrize("name", names())
def test_a_policy_explains_every_key(harden: Harden, name: str) -> None:
    code, out, _ = harden("gate", "--explain-policy", "--policy", name)
    assert code == 0
    for key, meaning in GATE_KEYS.items():
        assert f"gate.{key}" in out
        assert meaning in out
    assert "no rule answers it" not in out
    document = json.loads(harden("gate", "--explain-policy", "--policy", name, "--format", "json").out)
    assert [entry["key"] for entry in document["keys"]] == [f"gate.{key}" for key in GATE_KEYS]


def test_explaining_names_where_each_demand_comes_from(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("name: base\nwhy: For all.\ngate: {require: [HD101]}\n", encoding="utf-8")
    (tmp_path / "p.yaml").write_text(
        "name: web\nextends: base.yaml\ngate:\n  fail-on: low\n  environments: {prod: {thresholds: {low: 0}}}\n"
        "  checks: {A-1: {title: Tagged, rules: [HD101]}, A-2: {title: Tested, not-checkable: people do it}}\n",
        encoding="utf-8",
    )
    out = harden("gate", "--explain-policy", "--policy", "p.yaml").out
    assert out.startswith("web extends base\n  p.yaml\n  base.yaml: For all.\n")
    assert "    low  p.yaml:4:3\n" in out
    assert "    HD101  base.yaml:3:18\n      HD101 untagged-base-image\n" in out
    assert "    A-1: Tagged  p.yaml:6:12\n      HD101 untagged-base-image\n" in out
    assert "    A-2: Tested  p.yaml:6:50\n      not checkable on text: people do it\n" in out
    assert "    prod  p.yaml:5:25\n      thresholds: low: 0  p.yaml:5:38\n" in out
    assert "\nnot asked for\n  gate.thresholds: " in out


# Sections 4, 5 and 7 of the CIS Docker Benchmark 1.6.0 have twelve, thirty-two and nine checks.
CIS = [f"CIS-Docker-1.6.0-{section}.{number}" for section, last in ((4, 12), (5, 32), (7, 9)) for number in range(1, last + 1)]


def test_every_check_of_cis_has_rules_or_a_reason() -> None:
    assert [check.word.text for check in load("cis-docker-1.6").gate.checks] == CIS


def test_no_rule_answers_what_cannot_be_checked() -> None:
    from hardener.rules.load import builtin

    # The gate judges files of a project: rules on images answer nothing there.
    answered = {reference for source in builtin() if not source.rule.on.startswith("image") for reference in source.rule.references}
    checks = load("cis-docker-1.6").gate.checks
    assert [check.word.text for check in checks if bool(check.reason) == (check.word.text in answered)] == []
    assert {reference for reference in answered if re.match(r"CIS-Docker-1[.]6[.]0-[457][.]", reference)} <= set(CIS)
