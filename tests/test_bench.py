"""The bench: its files are the same every time and are real Dockerfiles and compose files; its stop-watch measures."""

import os
import sys
from pathlib import Path

import compose_corpus
import corpus
import dockerfile
import measure
import peers
import pytest
from contest import own_files

from hardener.sources import compose
from hardener.text import SourceFile

COUNT = 200


def test_the_corpus_is_the_same_every_time(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in corpus.write(tmp_path / "a", 20)]
    assert [path.read_bytes() for path in corpus.write(tmp_path / "b", 20)] == first


def test_the_corpus_is_varied_and_of_a_usual_size() -> None:
    texts = [corpus.dockerfile(seed) for seed in range(COUNT)]
    assert len(set(texts)) == COUNT
    assert 18 <= sum(text.count("\n") for text in texts) / COUNT <= 26


def test_buildkit_reads_every_file_of_the_corpus() -> None:
    unread = []
    for seed in range(COUNT):
        try:
            dockerfile.parse_string(corpus.dockerfile(seed))
        except dockerfile.GoParseError:
            unread.append(seed)
    assert unread == []


def test_the_compose_files_are_the_same_every_time(tmp_path: Path) -> None:
    first = [(path.name, path.read_bytes()) for path in compose_corpus.write(tmp_path / "a", 20)]
    assert [(path.name, path.read_bytes()) for path in compose_corpus.write(tmp_path / "b", 20)] == first


def test_the_compose_files_are_varied_and_of_a_usual_size() -> None:
    texts = [compose_corpus.compose_file(seed) for seed in range(COUNT)]
    assert len(set(texts)) > COUNT * 0.97
    assert 13 <= sum(text.count("\n") for text in texts) / COUNT <= 30


def test_compose_would_start_every_compose_file(tmp_path: Path) -> None:
    problems = {
        problem.code
        for path in compose_corpus.write(tmp_path, COUNT)
        for problem in compose.load([SourceFile.decode(path.name, path.read_bytes())], str(path.parent), lambda name: None).problems
    }
    assert problems <= {"obsolete-version"}


def test_own_files_are_copied_each_into_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_files(tmp_path / "none", str.islower) is None
    for path in ("a/compose.yaml", "b/compose.yaml", "b/README"):
        (tmp_path / "own" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / path).write_text(path)
    monkeypatch.setenv("BENCH_DIR", str(tmp_path / "own"))
    copies = own_files(tmp_path / "copies", str.islower)
    assert copies is not None
    assert [copy.read_text() for copy in copies] == ["a/compose.yaml", "b/compose.yaml"]
    assert len({copy.parent for copy in copies}) == 2


def test_a_peer_for_node_is_left_out_where_there_is_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    assert {tool.name for tool in peers.COMPOSE_TOOLS if peers.obstacle(tool)} == {"dclint"}


def test_a_run_is_measured(tmp_path: Path) -> None:
    code = "import sys; data = bytearray(60_000_000); print(len(data)); sys.exit(3)"
    cost = measure.run([sys.executable, "-c", code], cwd=tmp_path, output=tmp_path / "out", environment=os.environ, timeout_s=30)
    assert cost is not None
    assert cost.exit_code == 3
    assert measure.load(cost.output) == 60_000_000
    assert 58_000 < cost.peak_kb < 120_000
    assert 0 < cost.cpu_s <= cost.wall_s * 2


def test_the_peak_of_another_process_does_not_count(tmp_path: Path) -> None:
    ballast = bytearray(b"x") * 60_000_000
    cost = measure.run(["true"], cwd=tmp_path, output=tmp_path / "out", environment=os.environ, timeout_s=30)
    assert cost is not None
    assert cost.peak_kb < len(ballast) // 1024 // 2


def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    assert measure.run(["sleep", "60"], cwd=tmp_path, output=tmp_path / "out", environment=os.environ, timeout_s=0.3) is None
