import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_rules import LATEST, ROOT, UNTAGGED, finding

from hardener.engine import baseline
from hardener.engine.baseline import Baseline
from hardener.errors import HardenError
from hardener.finding import Finding, Rule
from hardener.text import SourceFile, Span


def findings(text: str, path: str = "Dockerfile", of: Rule = UNTAGGED) -> list[Finding]:
    """Return a finding for each «marked» part of the text."""
    spans = []
    while "«" in text:
        start, end = text.index("«"), text.index("»") - 1
        text = text.replace("«", "", 1).replace("»", "", 1)
        spans.append(Span(start, end))
    file = SourceFile(path, text)
    return [finding(file, span, of) for span in spans]


def split(
    tmp_path: Path, known: list[Finding], now: list[Finding], *, files: list[str] | None = None, rules: list[Rule] | None = None
) -> baseline.Split:
    baseline.write(known, "base.json", cwd=str(tmp_path))
    read = Baseline.read("base.json", cwd=str(tmp_path))
    return read.split(now, files=["Dockerfile"] if files is None else files, rules=[UNTAGGED, LATEST] if rules is None else rules)


def test_what_is_known_is_hidden(tmp_path: Path) -> None:
    known = findings("FROM «a»\nFROM «b»\n")
    assert split(tmp_path, known, known) == ((), tuple(known), ())


@pytest.mark.parametrize(
    "now",
    [
        pytest.param("# words\n\n\nFROM x\nRUN y\nFROM «a» AS z\n", id="lines moved"),
        pytest.param("FROM «a»\r\n", id="line ends"),
        pytest.param("  FROM   «a»", id="indentation"),
    ],
)
def test_moved_lines_stay_hidden(tmp_path: Path, now: str) -> None:
    result = split(tmp_path, findings("FROM «a»\n"), findings(now))
    assert (result.new, result.notices) == ((), ())


def test_blanks_within_the_text_do_not_count(tmp_path: Path) -> None:
    result = split(tmp_path, findings("RUN «a \\\n    b»\n"), findings("RUN «a \\\n\tb»\n"))
    assert result.new == ()


def test_one_entry_hides_one_finding(tmp_path: Path) -> None:
    now = findings("FROM «a»\nFROM «a»\nFROM «a»\n")
    result = split(tmp_path, now[:2], now)
    assert result == (tuple(now[2:]), tuple(now[:2]), ())


def test_an_entry_hides_nothing_in_another_file(tmp_path: Path) -> None:
    known = findings("FROM «a»\n", "api/Dockerfile")
    other = findings("FROM «a»\n", "web/Dockerfile")
    result = split(tmp_path, known, known + other, files=["api/Dockerfile", "web/Dockerfile"])
    assert result == (tuple(other), tuple(known), ())


def test_an_entry_hides_no_other_rule(tmp_path: Path) -> None:
    other = findings("FROM «a»\n", of=LATEST)
    assert split(tmp_path, findings("FROM «a»\n"), other).new == tuple(other)


def test_other_text_is_new(tmp_path: Path) -> None:
    now = findings("FROM «b»\n")
    result = split(tmp_path, findings("FROM «a»\n"), now)
    assert result.new == tuple(now)
    assert result.notices == ("base.json: 1 entry has nothing to hide any more: HD101 in Dockerfile",)


def test_stale_entries_are_counted(tmp_path: Path) -> None:
    known = findings("FROM «a»\nFROM «a»\nFROM «b»\n") + findings("FROM «a»", of=LATEST)
    assert split(tmp_path, known, []).notices == (
        "base.json: 3 entries have nothing to hide any more: HD101 in Dockerfile",
        "base.json: 1 entry has nothing to hide any more: HD102 in Dockerfile",
    )


def test_what_was_not_judged_is_not_stale(tmp_path: Path) -> None:
    known = findings("FROM «a»\n") + findings("FROM «a»\n", "other/Dockerfile") + findings("USER «root»\n", of=ROOT)
    assert split(tmp_path, known, [], files=[]).notices == ()
    assert len(split(tmp_path, known, [], rules=[UNTAGGED]).notices) == 1


@pytest.mark.parametrize(
    ("cwd", "path"), [(".", "api/Dockerfile"), ("api", "Dockerfile"), ("web", "../api/Dockerfile"), ("web", "{root}/api/Dockerfile")]
)
def test_it_does_not_matter_from_where(tmp_path: Path, cwd: str, path: str) -> None:
    for folder in ("api", "web"):
        (tmp_path / folder).mkdir()
    baseline.write(findings("FROM «a»\n", "api/Dockerfile"), "base.json", cwd=str(tmp_path))
    now = findings("FROM «a»\n", path.format(root=tmp_path))
    read = Baseline.read(str(tmp_path / "base.json"), cwd=str(tmp_path / cwd))
    assert read.split(now, files=[], rules=[]).known == tuple(now)


def test_paths_on_another_drive_stay_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, start: str = "") -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    text = baseline.render(findings("FROM «a»\n", "api/Dockerfile"), "base.json", cwd=str(tmp_path))
    assert list(json.loads(text)["findings"]) == [str(tmp_path / "api/Dockerfile")]


def test_the_text_is_small_and_holds_no_secret() -> None:
    known = findings("ENV «PASSWORD=hunter2hunter2»\nENV «PASSWORD=hunter2hunter2»\n", "b") + findings("FROM «a»\n", "a")
    text = baseline.render(known, "base.json", cwd="/x")
    assert "hunter2" not in text
    entries = json.loads(text)["findings"]
    assert {path: {rule: len(digests) for rule, digests in rules.items()} for path, rules in entries.items()} == {
        "a": {"HD101": 1},
        "b": {"HD101": 2},
    }
    assert text == baseline.render(reversed(known), "base.json", cwd="/x")


def test_writing_replaces_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text("old")
    baseline.write([], "base.json", cwd=str(tmp_path))
    assert (tmp_path / "base.json").read_text() == '{\n "findings": {},\n "version": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["base.json"]


def test_a_baseline_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    reasons = {
        "missing/base.json": "cannot write the baseline: No such file or directory",
        "folder": "a baseline is a file, which this is not",
    }
    for path, reason in reasons.items():
        with pytest.raises(HardenError, match=reason):
            baseline.write([], path, cwd=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "cannot read the baseline: No such file or directory"),
        ("{", "the baseline is not valid JSON"),
        ("[" * 100_000, "the baseline is not valid JSON"),
        ("[]", "this is not a baseline"),
        ("{}", "this is not a baseline"),
        ('{"version": 2}', "the baseline has version 2, not 1"),
        ('{"version": 1}', "the findings of the baseline are damaged"),
        ('{"version": 1, "findings": {"a": []}}', "the findings of the baseline are damaged"),
        ('{"version": 1, "findings": {"a": {"HD101": "x"}}}', "the findings of the baseline are damaged"),
        ('{"version": 1, "findings": {"a": {"HD101": [1]}}}', "the findings of the baseline are damaged"),
    ],
)
def test_a_baseline_that_cannot_be_read(tmp_path: Path, text: str | None, what: str) -> None:
    if text is not None:
        (tmp_path / "base.json").write_text(text)
    with pytest.raises(HardenError) as caught:
        Baseline.read("base.json", cwd=str(tmp_path))
    assert (caught.value.what, caught.value.where) == (what, "base.json")


def test_fingerprints_tell_rules_files_texts_and_occurrences_apart() -> None:
    all_of_them = findings("FROM «a»\nFROM «a»\nFROM «b»\n") + findings("FROM «a»\n", "x/Dockerfile") + findings("FROM «a»\n", of=LATEST)
    prints = baseline.fingerprints(all_of_them)
    assert len(set(prints)) == len(prints)
    assert all(len(text) == 64 for text in prints)


def test_fingerprints_survive_moved_lines_and_other_findings() -> None:
    before = findings("FROM «a»\nFROM «a»\n")
    after = findings("# x\nFROM «b»\n\nFROM «a»  \n\tFROM «a»\n")
    assert baseline.fingerprints(before) == baseline.fingerprints(after)[1:]


LINES = st.lists(st.sampled_from(["FROM «a»", "FROM «b»", "FROM «a b»", "RUN x", "# words"]), max_size=8)


@given(LINES, LINES)
def test_as_many_are_hidden_as_were_known(known: list[str], added: list[str]) -> None:
    before = findings("\n".join(known))
    text = json.loads(baseline.render(before, "base.json", cwd="/x"))
    read = Baseline(text["findings"], "base.json", cwd="/x")
    now = findings("\n".join(added + known))
    result = read.split(now, files=["Dockerfile"], rules=[UNTAGGED])
    assert len(result.known) == len(before)
    assert len(result.new) == len(now) - len(before)
    assert result.notices == ()
