import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_rules import LATEST, QUOTING, ROOT, RULES, UNTAGGED, rule

from hardener.engine.config import Config
from hardener.engine.configs import Configs
from hardener.engine.keys import KEYS
from hardener.engine.selection import Selector
from hardener.errors import HardenError
from hardener.finding import Severity

SELECTOR = Selector(RULES)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes files by name; a name that ends in `/` is a folder."""

    def make(files: dict[str, str] | None = None, *folders: str) -> Path:
        for name, text in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for folder in folders:
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        return tmp_path

    return make


def config(root: Path, path: str = "Dockerfile", **overlay: object) -> Config:
    return Configs(str(root), overlay={name.replace("_", "-"): value for name, value in overlay.items()}).for_file(str(root / path))


def settings(found: Config) -> list[tuple[str, str, str]]:
    return [(setting.key, setting.value, setting.where) for setting in found.settings]


def failure(root: Path, path: str = "Dockerfile") -> tuple[str, str, str]:
    with pytest.raises(HardenError) as caught:
        config(root, path)
    return caught.value.what, caught.value.where, caught.value.how


@pytest.mark.parametrize(
    ("files", "path", "nearest"),
    [
        ({".harden.yaml": ""}, "Dockerfile", ".harden.yaml"),
        ({".harden.yml": ""}, "a/b/Dockerfile", ".harden.yml"),
        ({".harden.yaml": "", "a/.harden.yaml": ""}, "a/b/Dockerfile", "a/.harden.yaml"),
        ({".harden.yaml": "", "a/.harden.yaml": ""}, "b/Dockerfile", ".harden.yaml"),
        ({".harden.yaml": "", ".harden.yml": ""}, "Dockerfile", ".harden.yaml"),
        ({"pyproject.toml": "[tool.hardener]\n"}, "Dockerfile", "pyproject.toml"),
        ({".harden.yaml": "", "pyproject.toml": "[tool.hardener]\n"}, "Dockerfile", ".harden.yaml"),
        ({".harden.yaml": "", "a/pyproject.toml": "[project]\nname = 'x'\n"}, "a/Dockerfile", ".harden.yaml"),
        ({".harden.yaml": "", "a/pyproject.toml": "[project]\ndependencies = ['hardener']\n"}, "a/Dockerfile", ".harden.yaml"),
        ({".harden.yaml": "", "a/pyproject.toml": "[tool\n"}, "a/Dockerfile", ".harden.yaml"),
        ({".harden.yaml": "", "a/.git/HEAD": ""}, "a/b/Dockerfile", None),
        ({".harden.yaml": "", "a/.git": "gitdir: x"}, "a/Dockerfile", None),
        ({".git/HEAD": "", ".harden.yaml": ""}, "a/Dockerfile", ".harden.yaml"),
        ({".git/HEAD": ""}, "a/Dockerfile", None),
    ],
)
def test_the_nearest_configuration_wins(write: Write, files: dict[str, str], path: str, nearest: str | None) -> None:
    root = write(files, os.path.dirname(path))
    assert config(root, path).source == (None if nearest is None else str(root / nearest))


def test_a_file_named_on_the_command_line_is_for_all(write: Write) -> None:
    root = write({".harden.yaml": "profile: all\n", "other.yaml": "profile: strict\n"})
    assert Configs(str(root), explicit="other.yaml").for_file(str(root / "a/Dockerfile")).profile == "strict"
    assert Configs(str(root), isolated=True).for_file(str(root / "a/Dockerfile")).profile == "default"


EVERYTHING = """\
profile: strict
extend-select: [HD901]
ignore: [DL3006, 'HD2']
severity:
  HD102: high
fail-on: never
show: low
trusted-registries: [docker.io, "*.example.com"]
required-labels: {org.example.url: url}
strict-labels: yes-no
"""


def test_every_key(write: Write) -> None:
    text = EVERYTHING.replace("yes-no", "true")
    text += "build-args: {V: 1.10, E: ''}\nforbid-ignores: [HD301]\nrequire-reason: true\nrules: [ours]\nbaseline: b.json\n"
    root = write({".harden.yaml": text}, "ours")
    found = config(root)
    assert found.profile == "strict"
    assert [(choice.word, choice.on) for choice in found.choices[0]] == [("HD901", True), ("DL3006", False), ("HD2", False)]
    assert [(override.word, override.severity) for override in found.severities[0]] == [("HD102", Severity.HIGH)]
    assert (found.fail_on, found.show) == (None, Severity.LOW)
    assert found.rule_settings == (("docker.io", "*.example.com"), {"org.example.url": "url"}, True)
    assert found.build_args == {"V": "1.10", "E": ""}
    assert (found.forbidden_ignores, found.require_reason) == (["HD301"], True)
    assert (found.rules, found.baseline) == ([str(root / "ours")], str(root / "b.json"))


def test_defaults(write: Write) -> None:
    found = config(write())
    assert (found.source, found.profile, found.fail_on, found.show, found.settings) == (None, "default", Severity.MEDIUM, Severity.INFO, [])
    assert found.rule_settings == ((), {}, False)


def test_every_key_of_the_table_has_a_working_example(write: Write) -> None:
    for key in KEYS:
        root = write({"sub/.harden.yaml": key.example + "\n", ".harden.yaml": "", "sub/our-rules/x": ""})
        found = config(root, "sub/Dockerfile")
        assert {setting.key.partition(".")[0] for setting in found.settings} == ({key.name} - {"extends", "overrides"})


def test_where_everything_was_set(write: Write) -> None:
    root = write(
        {
            "base.yaml": "fail-on: low\nignore: [HD1,\n  DL3025]\n",
            "a/.harden.yaml": "extends: ../base.yaml\nfail-on: high\nseverity: {HD101: low}\n",
        }
    )
    assert settings(config(root, "a/Dockerfile", select=["HD9"])) == [
        ("fail-on", "low", "base.yaml:1:10"),
        ("ignore", "HD1", "base.yaml:2:10"),
        ("ignore", "DL3025", "base.yaml:3:3"),
        ("fail-on", "high", "a/.harden.yaml:2:10"),
        ("severity.HD101", "low", "a/.harden.yaml:3:12"),
        ("select", "HD9", "command line"),
    ]


def test_extends_a_list_and_a_pyproject(write: Write) -> None:
    root = write(
        {
            "x.yaml": "profile: all\nshow: low\nbuild-args: {A: x, B: x}\n",
            "p/pyproject.toml": "[tool.hardener]\nshow = 'high'\nrules = ['r']\nbuild-args = {B = 'p'}\n",
            ".harden.yaml": "extends: [x.yaml, p/pyproject.toml]\nbuild-args: {C: c}\n",
        },
        "p/r",
    )
    found = config(root)
    assert (found.profile, found.show, found.build_args) == ("all", Severity.HIGH, {"A": "x", "B": "p", "C": "c"})
    assert found.rules == [str(root / "p/r")]


def test_a_circle_is_an_error(write: Write) -> None:
    root = write({".harden.yaml": "extends: a.yaml\n", "a.yaml": "\nextends: [./b.yaml]\n", "b.yaml": "extends: a.yaml\n"})
    what = "configurations extend each other in a circle: a.yaml -> b.yaml -> a.yaml"
    assert failure(root) == (what, "b.yaml:1:10", "remove one of the `extends`")


def test_the_same_base_twice_is_no_circle(write: Write) -> None:
    root = write(
        {
            ".harden.yaml": "extends: [a.yaml, b.yaml]\n",
            "a.yaml": "extends: c.yaml\n",
            "b.yaml": "extends: c.yaml\n",
            "c.yaml": "show: high\n",
        }
    )
    assert config(root).show == Severity.HIGH


def test_overrides_are_for_their_paths(write: Write) -> None:
    text = "ignore: [HD1]\noverrides:\n  - paths: [legacy/, '*.dev']\n    profile: all\n"
    text += "  - paths: [/legacy/x/**]\n    extend-select: [HD101]\n"
    root = write({".harden.yaml": text})
    configs = Configs(str(root))

    def found(path: str) -> tuple[str, Severity | None]:
        config = configs.for_file(str(root / path))
        return config.profile, config.severity(UNTAGGED, SELECTOR)

    assert found("Dockerfile") == ("default", None)
    assert found("a/Dockerfile.dev") == ("all", None)
    assert found("a/legacy/Dockerfile") == ("all", None)
    assert found("legacy/x/Dockerfile") == ("all", Severity.MEDIUM)
    assert configs.for_file(str(root / "a/Dockerfile")) is configs.for_file(str(root / "b/Dockerfile"))


def test_overrides_of_a_base_are_relative_to_it(write: Write) -> None:
    root = write({"org/base.yaml": "overrides: [{paths: [/api/], show: high}]\n", ".harden.yaml": "extends: org/base.yaml\n"})
    assert config(root, "Dockerfile").show == Severity.INFO
    assert config(root, "org/api/Dockerfile").show == Severity.HIGH


def test_a_shared_configuration_may_lie_elsewhere(write: Write) -> None:
    text = "exclude: [vendor/, /org]\noverrides: [{paths: ['*.dev'], show: high}]\n"
    root = write({"org/shared/base.yaml": text, "vendor/.harden.yaml": "extends: ../org/shared/base.yaml\n"})
    assert config(root, "vendor/Dockerfile.dev").show == Severity.HIGH
    configs = Configs(str(root))
    paths = ["vendor/vendor", "vendor/org", "vendor/x/vendor"]
    assert [configs.excludes(str(root / path), True) for path in paths] == [True, False, True]


@pytest.mark.parametrize(
    ("files", "excluded", "kept"),
    [
        ({".harden.yaml": "exclude: [vendor/, '*.old']\n"}, ["a/vendor/", "Dockerfile.old"], ["vendor", "Dockerfile"]),
        ({".harden.yaml": "exclude: [/x, '!y']\n"}, ["x"], ["a/x", "y"]),
        ({".harden.yaml": "extends: base.yaml\nexclude: ['!b.old']\n", "base.yaml": "exclude: ['*.old']\n"}, ["a.old"], ["b.old"]),
        ({".harden.yaml": "exclude: ['*']\n", "a/.harden.yaml": ""}, ["b", "a/"], ["a/b"]),
        ({}, [], ["a"]),
    ],
)
def test_excludes(write: Write, files: dict[str, str], excluded: list[str], kept: list[str]) -> None:
    root = write(files)
    configs = Configs(str(root))
    for path in excluded + kept:
        assert configs.excludes(str(root / path.rstrip("/")), path.endswith("/")) is (path in excluded), path


def test_the_command_line_excludes_too(write: Write) -> None:
    root = write({"a/.harden.yaml": "exclude: ['!x', y]\n"})
    configs = Configs(str(root), overlay={"exclude": ["/a/x", "z"]})
    assert [configs.excludes(str(root / path), False) for path in ("a/x", "a/y", "b/z", "b/x")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "severities"),
    [
        pytest.param("", [2, 2, 3, None], id="the profile"),
        pytest.param("profile: strict", [2, 2, 3, 2], id="a wider profile"),
        pytest.param("extend-select: [SC2086]", [2, 2, 3, 2], id="one more"),
        pytest.param("select: [SC2086]", [None, None, None, 2], id="one and no other"),
        pytest.param("select: [all]", [2, 2, 3, 2], id="all of them"),
        pytest.param("ignore: [HD1]", [None, None, 3, None], id="a prefix off"),
        pytest.param("ignore: [HD1]\nextend-select: [HD101]", [2, None, 3, None], id="the more specific word decides"),
        pytest.param("ignore: [all]\nextend-select: [HD2]", [None, None, 3, None], id="only some"),
        pytest.param("ignore: [HD101]\nextend-select: [DL3006]", [None, 2, 3, None], id="ignore wins between equals"),
        pytest.param("severity: {all: info, HD1: low, HD101: critical}", [4, 1, 0, None], id="severities, the more specific first"),
    ],
)
def test_which_rules_run(write: Write, text: str, severities: list[int | None]) -> None:
    found = config(write({".harden.yaml": text + "\n"}))
    assert [found.severity(rule, SELECTOR) for rule in (UNTAGGED, LATEST, ROOT, QUOTING)] == severities


def test_the_nearer_source_decides(write: Write) -> None:
    root = write(
        {
            "base.yaml": "select: [HD901]\nignore: [HD101]\nseverity: {HD102: low}\n",
            ".harden.yaml": "extends: base.yaml\nselect: [HD1]\nignore: [HD9]\n",
        }
    )
    found = config(root, severity={"HD": "high"})
    assert [found.severity(rule, SELECTOR) for rule in (UNTAGGED, LATEST, QUOTING)] == [Severity.HIGH, Severity.HIGH, None]


def test_a_rule_without_profiles_runs_with_all() -> None:
    found = Config()
    found.profile = "all"
    assert found.severity(rule("X1", profiles=()), SELECTOR) == Severity.MEDIUM


@pytest.mark.parametrize(
    ("text", "what", "place", "how"),
    [
        ("fail_on: high", "unknown key 'fail_on'", "1:1", "did you mean 'fail-on'?"),
        ("show: low\nIgnored: [x]", "unknown key 'Ignored'", "2:1", "did you mean 'ignore'?"),
        ("§: 1", "unknown key '§'", "1:1", "`harden config` lists the keys"),
        ("profile: stict", "profile is one of default, strict, all, not 'stict'", "1:10", "did you mean 'strict'?"),
        ("profile: [strict]", "profile is one of default, strict, all", "1:10", "`harden config` shows an example of every key"),
        (
            "fail-on: error",
            "fail-on is one of info, low, medium, high, critical, never, not 'error'",
            "1:10",
            "`harden config` shows an example of every key",
        ),
        (
            "show: never",
            "show is one of info, low, medium, high, critical, not 'never'",
            "1:7",
            "`harden config` shows an example of every key",
        ),
        ("severity: {HD101: hihg}", "a severity is one of info, low, medium, high, critical, not 'hihg'", "1:19", "did you mean 'high'?"),
        ("severity: high", "severity takes a mapping of rules to severities", "1:11", "`harden config` shows an example of every key"),
        ("ignore: {HD101: x}", "ignore takes a list of texts", "1:9", "`harden config` shows an example of every key"),
        ("ignore: [HD101, 5]", "an item of ignore takes a text", "1:17", "`harden config` shows an example of every key"),
        ("ignore:", "ignore takes a list of texts", "1:8", "`harden config` shows an example of every key"),
        ("strict-labels: 'true'", "strict-labels is true or false", "1:16", "`harden config` shows an example of every key"),
        (
            "required-labels: {a: date}",
            "the type of a label is one of text, url, semver, rfc3339, spdx, hash, email, not 'date'",
            "1:22",
            "`harden config` shows an example of every key",
        ),
        ("build-args: {A: [x]}", "the build argument A takes one value", "1:17", 'write "" for an empty one'),
        ("build-args: {A: }", "the build argument A takes one value", "1:17", 'write "" for an empty one'),
        ("rules: [nowhere]", "there is no 'nowhere' to take rules from", "1:9", "paths are relative to the configuration file"),
        ("baseline: [x]", "baseline takes a text", "1:11", "`harden config` shows an example of every key"),
        (
            "overrides: {paths: [x]}",
            "overrides takes a list of mappings, each with `paths`",
            "1:12",
            "`harden config` shows an example of every key",
        ),
        ("overrides: [x]", "an item of overrides is a mapping with `paths`", "1:13", "`harden config` shows an example of every key"),
        (
            "overrides: [{show: low}]",
            "an item of overrides is a mapping with `paths`",
            "1:13",
            "`harden config` shows an example of every key",
        ),
        (
            "overrides: [{paths: [x], exclude: [y]}]",
            "'exclude' cannot be set for some paths only",
            "1:26",
            "move it to the top level of the file",
        ),
        ("overrides: [{paths: [x], ignroe: [y]}]", "unknown key 'ignroe'", "1:26", "did you mean 'ignore'?"),
        (
            "overrides: [{paths: [x], show: y}]",
            "show is one of info, low, medium, high, critical, not 'y'",
            "1:32",
            "`harden config` shows an example of every key",
        ),
        (
            "extends: missing.yaml",
            "the configuration missing.yaml cannot be read: no such file or directory",
            "1:10",
            "correct the path, or its permissions",
        ),
        ("- x", "a configuration is a mapping of keys", "1:1", "`harden config` shows an example of every key"),
        ("extends: pyproject.toml", "has no table [tool.hardener]", None, "add one, or name another file"),
    ],
)
def test_mistakes_are_errors_with_a_place(write: Write, text: str, what: str, place: str | None, how: str) -> None:
    root = write({".harden.yaml": text + "\n", "pyproject.toml": "[project]\n"})
    assert failure(root) == (what, f".harden.yaml:{place}" if place else "pyproject.toml", how)


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("ignore: [HD1, HDD101]", ".harden.yaml:1:15", "HDD101"),
        ("severity: {HD999: low}", ".harden.yaml:1:12", "HD999"),
        ("forbid-ignores: [nope]", ".harden.yaml:1:18", "nope"),
        ("overrides: [{paths: [nowhere], select: [nope]}]", ".harden.yaml:1:41", "nope"),
    ],
)
def test_unknown_rules_are_errors_with_a_place(write: Write, text: str, where: str, word: str) -> None:
    root = write({".harden.yaml": text + "\n"})
    configs = Configs(str(root))
    configs.for_file(str(root / "Dockerfile"))
    with pytest.raises(HardenError) as caught:
        configs.check(SELECTOR)
    assert (caught.value.what, caught.value.where) == (f"unknown rule {word!r}", where)


def test_words_of_the_command_line_are_checked_too(write: Write) -> None:
    with pytest.raises(HardenError, match="unknown rule 'nope'"):
        Configs(str(write()), overlay={"ignore": ["nope"]}).check(SELECTOR)
    with pytest.raises(HardenError) as caught:
        config(write(), fail_on="hihg")
    assert (caught.value.where, caught.value.how) == ("command line", "did you mean 'high'?")


def test_known_words_pass(write: Write) -> None:
    configs = Configs(str(write({".harden.yaml": "ignore: [HD1, DL3006, SC1234]\nforbid-ignores: true\n"})))
    configs.for_folder(str(write()))
    configs.check(SELECTOR)


@pytest.mark.parametrize(("text", "forbidden"), [("true", ["all"]), ("false", []), ("[HD3]", ["all", "HD3"]), ("HD3", ["all", "HD3"])])
def test_forbid_ignores(write: Write, text: str, forbidden: list[str]) -> None:
    root = write({"base.yaml": "forbid-ignores: true\n", ".harden.yaml": f"extends: base.yaml\nforbid-ignores: {text}\n"})
    assert config(root).forbidden_ignores == forbidden


TOML = """\
[project]
name = "x"

[tool.hardener]
profile = "strict"
ignore = [
    "HD1",  # words
    'DL3006',
]
build-args = { A = "1", "B" = 'HD1' }

[tool.hardener.severity]
HD102 = "high"

[[tool.hardener.overrides]]
paths = ["a/"]
show = "low"

[[tool.hardener.overrides]]
paths = ["b/"]
show = "high"

[tool.hardener.overrides.severity]
HD102 = "low"
"""


def test_pyproject_with_places(write: Write) -> None:
    root = write({"pyproject.toml": TOML})
    assert settings(config(root, "b/Dockerfile")) == [
        ("profile", "strict", "pyproject.toml:5:11"),
        ("ignore", "HD1", "pyproject.toml:7:5"),
        ("ignore", "DL3006", "pyproject.toml:8:5"),
        ("build-args.A", "1", "pyproject.toml:10:16"),
        ("build-args.B", "HD1", "pyproject.toml:10:25"),
        ("severity.HD102", "high", "pyproject.toml:13:1"),
        ("show", "high", "pyproject.toml:21:8"),
        ("severity.HD102", "low", "pyproject.toml:24:1"),
    ]


def test_a_pyproject_that_goes_away_is_passed_by(write: Write) -> None:
    root = write({".harden.yaml": "", "a/pyproject.toml": ""})
    (root / "a/pyproject.toml").unlink()
    assert Configs(str(root))._is_ours(str(root / "a/pyproject.toml")) is False


def test_paths_on_another_drive_stay_absolute(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, start: str = "") -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    root = write({".harden.yaml": "fail_on: x\n"})
    monkeypatch.setattr(os.path, "relpath", refuse)
    assert failure(root)[1] == f"{root}/.harden.yaml:1:1"


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("[tool.hardener]\nfail-on = high\n", "not valid TOML: Invalid value", "pyproject.toml:2:11"),
        ("[tool]\nhardener = 5\n", "tool.hardener is not a table", "pyproject.toml:2:1"),
        ("[tool.hardener]\nfail_on = 'high'\n", "unknown key 'fail_on'", "pyproject.toml:2:1"),
        ("[tool]\nhardener.fail_on = 'high'\n", "unknown key 'fail_on'", "pyproject.toml:2:1"),
        (
            "[tool.hardener]\nshow = 1979-05-27\n",
            "show is one of info, low, medium, high, critical, not '1979-05-27'",
            "pyproject.toml:2:8",
        ),
        ("[tool.hardener]\nstrict-labels = 1\n", "strict-labels is true or false", "pyproject.toml:2:17"),
        (
            "[[tool.hardener.overrides]]\npaths = ['x']\nshow = true\n",
            "show is one of info, low, medium, high, critical, not 'true'",
            "pyproject.toml:3:8",
        ),
    ],
)
def test_mistakes_in_pyproject(write: Write, text: str, what: str, where: str) -> None:
    assert failure(write({"pyproject.toml": text}))[:2] == (what, where)
