"""The bench: its files are the same every time and are real Dockerfiles; its stop-watch measures."""

import os
import sys
from pathlib import Path

import corpus
import dockerfile
import measure

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
