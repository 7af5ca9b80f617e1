"""Rule files: what is accepted, what is refused and where, and the compiled form."""

import json
import os
from pathlib import Path

import pytest

from hardener import data_folder
from hardener.errors import HardenError
from hardener.rules import load
from hardener.text import SourceFile

RULE = """\
id: ACME001
name: sudo-used
on: dockerfile.command
commands: [ls]
severity: high
confidence: high
title: sudo in a RUN
message: "{command} uses sudo"
why: why
how: how
same-as: {hadolint: [DL3004], trivy: DS-0010}
match: {command.prefixes: {contains: sudo}}
fires:
  - RUN «sudo ls»
silent:
  - RUN ls
  - {text: RUN ls, build-args: {A: b}, files: {.dockerignore: x}}
"""


def test_a_rule_is_read_whole() -> None:
    source, (fires, silent) = load.parse_rule(SourceFile("r.yaml", RULE))
    assert (source.rule.id, source.rule.severity.label, source.commands) == ("ACME001", "high", ("ls",))
    assert source.rule.aliases == ("hadolint:DL3004", "trivy:DS-0010")
    assert [example.text for example in fires] == ["RUN «sudo ls»"]
    assert silent[1].build_args == {"A": "b"}
    assert source.rule.profiles == ("default", "strict", "all")


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "how"),
    [
        ("severity: high", "severty: high", "unknown key 'severty'", "r.yaml:5:1", "severity"),
        ("severity: high", "severity: hgih", "severity cannot be 'hgih'", "r.yaml:5:11", "high"),
        ("why: why\n", "", "the key 'why' is missing", "r.yaml:1:1", "every rule needs"),
        ("on: dockerfile.command", "on: dockerfile.comand", "on cannot be 'dockerfile.comand'", "r.yaml:3:5", "dockerfile.command"),
        ("command.prefixes: {contains", "command.prefix: {contains", "no fact 'command.prefix'", "r.yaml:12:9", "command.prefixes"),
        ("contains: sudo", "contain: sudo", "unknown operator 'contain'", "r.yaml:12:28", "contains"),
        ("id: ACME001", "id: acme", "'acme' is not a rule id", "r.yaml:1:5", "ACME001"),
        ("name: sudo-used", "name: Sudo Used", "not a rule name", "r.yaml:2:7", "hyphens"),
        ("title: sudo in a RUN", "title: [a]", "title must be a text", "r.yaml:7:8", "quote"),
        ("{command} uses", "{comand} uses", "names 'comand'", "r.yaml:8:10", "fact"),
        ("commands: [ls]", "at: nowhere", "no place 'nowhere'", "r.yaml:4:5", "custom-rules"),
        ("commands: [ls]", "profiles: [default, x]", "unknown profile 'x'", "r.yaml:4:11", "strict"),
        ("fires:\n  - RUN «sudo ls»", "fires: x", "fires is a list", "r.yaml:13:8", "Dockerfile"),
        ("same-as: {hadolint: [DL3004], trivy: DS-0010}", "same-as: DL3004", "same-as maps", "r.yaml:11:10", "hadolint"),
    ],
)
def test_an_error_names_file_line_and_key(old: str, new: str, what: str, where: str, how: str) -> None:
    text = RULE.replace(old, new)
    assert text != RULE
    with pytest.raises(HardenError) as caught:
        load.parse_rule(SourceFile("r.yaml", text))
    assert what in caught.value.what
    assert caught.value.where == where
    assert how in caught.value.how


def test_custom_rules_come_from_folders_and_files(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(RULE, encoding="utf-8")
    assert [source.rule.id for source in load.custom([str(tmp_path)], ())] == ["ACME001"]
    assert [source.rule.id for source in load.custom([str(tmp_path / "one.yaml")], ())] == ["ACME001"]
    (tmp_path / "two.yaml").write_text(RULE, encoding="utf-8")
    with pytest.raises(HardenError, match="the rule id ACME001 is taken"):
        load.custom([str(tmp_path)], ())


def test_custom_rules_may_not_take_a_builtin_id_nor_lack_a_match(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(RULE, encoding="utf-8")
    taken = load.custom([str(path)], ())
    with pytest.raises(HardenError, match="taken by a built-in rule"):
        load.custom([str(path)], taken)
    path.write_text(RULE.replace("match: {command.prefixes: {contains: sudo}}\n", ""), encoding="utf-8")
    with pytest.raises(HardenError, match="needs `match:`"):
        load.custom([str(path)], ())


@pytest.mark.parametrize("make", [lambda path: path / "missing", lambda path: path])
def test_a_folder_without_rules_is_an_error(tmp_path: Path, make: object) -> None:
    assert callable(make)
    with pytest.raises(HardenError):
        load.custom([str(make(tmp_path))], ())


def test_the_compiled_form_says_the_same() -> None:
    sources = load.read(load.rule_files(data_folder("rules")))
    rows = json.loads(load.dump(sources))["rules"]
    assert tuple(load._restore(row) for row in rows) == sources


def test_the_cache_is_used_and_follows_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yaml").write_text(RULE, encoding="utf-8")
    monkeypatch.setattr(load, "data_folder", lambda _: str(folder))
    cache = tmp_path / "cache"
    first = load.builtin(str(cache))
    (kept,) = cache.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(load, "read", lambda _: pytest.fail("the cache was not used"))
        assert load.builtin(str(cache)) == first
    kept.write_text("{broken", encoding="utf-8")
    assert load.builtin(str(cache)) == first
    (folder / "one.yaml").write_text(RULE.replace("severity: high", "severity: low"), encoding="utf-8")
    os.utime(folder / "one.yaml", ns=(1, 1))
    assert load.builtin(str(cache))[0].rule.severity.label == "low"
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.yaml").write_text(RULE, encoding="utf-8")
    monkeypatch.setattr(load, "data_folder", lambda _: str(tmp_path))
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert [source.rule.id for source in load.builtin(str(blocked))] == ["ACME001"]


def test_only_messages_have_placeholders() -> None:
    """`why` and `how` are printed as they stand, also by `harden explain`, where there is no finding to fill them from."""
    for source in load.read(load.rule_files(data_folder("rules"))):
        for text in (source.rule.title, source.rule.why, source.rule.how):
            assert load.placeholders(text.replace("${", "$(")) == (), source.rule.id


def test_nobody_matches_credentials_in_files_by_facts(tmp_path: Path) -> None:
    keys = {"id": "ACME001", "name": "x", "severity": "low", "confidence": "low", **dict.fromkeys(("title", "message", "why", "how"), "x")}
    text = "".join(f"{key}: {value}\n" for key, value in keys.items()) + "on: file.secret\nmatch: {a: absent}\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(HardenError, match=r"file\.secret has no facts to match"):
        load.custom([str(tmp_path)], ())
