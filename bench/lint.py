"""Compares `harden lint` with its peers: same files, same run, one table.

`make bench` generates the Dockerfiles; `BENCH_DIR=folder make bench` copies those below a folder instead. Every tool gets exactly
the same files, each called `Dockerfile` in a folder of its own; the rounds of the tools are interleaved, so that a busy moment of
the machine hits all of them. `BENCH_QUICK=1` runs each once; `BENCH_FULL=1` puts the peers through the scaling part too.
"""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import corpus
import measure
import peers

FILES = 600
TIMEOUT_S = 300.0
RESULTS = Path(__file__).parent / "results"
QUICK = os.environ.get("BENCH_QUICK") == "1"
FULL = os.environ.get("BENCH_FULL") == "1"


class Row(NamedTuple):
    """One tool on one workload; `cost` is None when it was stopped at the time limit, `findings` None when it gave no report."""

    tool: str
    cost: measure.Summary | None
    findings: int | None


class Bench:
    """The tools, where they are installed, and a scratch folder."""

    def __init__(self, scratch: Path) -> None:
        environments = peers.ROOT / ".venv-bench"
        environments.mkdir(exist_ok=True)
        self.scratch = scratch
        self.programs = {tool.name: peers.install(tool, environments) for tool in peers.TOOLS}
        self.versions = {tool.name: peers.version(tool, self.programs[tool.name]) for tool in peers.TOOLS}
        home = scratch / "home"
        home.mkdir()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "LOG_LEVEL": "ERROR"}

    def command(self, tool: peers.Tool, folder: Path, files: Sequence[Path]) -> list[str]:
        """Return the command that lints `files`, which are all that is in `folder`."""
        return tool.command(self.programs[tool.name], folder, files)

    def compare(
        self, tools: Sequence[peers.Tool], folder: Path, files: Sequence[Path], rounds: int, timeout_s: float = TIMEOUT_S
    ) -> list[Row]:
        """Run the tools on the same files, interleaved, after one round that is not counted (it fills caches)."""
        costs: dict[str, list[measure.Cost]] = {tool.name: [] for tool in tools}
        reports: dict[str, object] = {}
        lost: set[str] = set()
        for turn in range(-1 if not QUICK else 0, rounds):
            for tool in tools:
                if tool.name in lost or turn >= tool.rounds:
                    continue
                output = self.scratch / "report.json"
                cost = measure.run(
                    self.command(tool, folder, files), cwd=folder, output=output, environment=self.environment, timeout_s=timeout_s
                )
                if cost is None:
                    lost.add(tool.name)
                    continue
                reports[tool.name] = measure.load(output)
                if turn >= 0:
                    costs[tool.name].append(cost)
        return [
            Row(
                tool.name,
                measure.summarize(costs[tool.name]) if costs[tool.name] and tool.name not in lost else None,
                tool.findings(reports.get(tool.name)),
            )
            for tool in tools
        ]

    def first_run(self, tool: peers.Tool, folder: Path, files: Sequence[Path]) -> measure.Cost | None:
        """Run a tool with a home that it has never seen: whatever it caches is not there yet."""
        home = Path(tempfile.mkdtemp(dir=self.scratch))
        environment = self.environment | {"HOME": str(home)}
        return measure.run(
            self.command(tool, folder, files), cwd=folder, output=self.scratch / "first", environment=environment, timeout_s=TIMEOUT_S
        )


def dockerfiles(folder: Path) -> list[Path]:
    """Return the generated files, or copies of those below BENCH_DIR; each alone in a folder, called `Dockerfile`."""
    source = os.environ.get("BENCH_DIR")
    if not source:
        return corpus.write(folder, 30 if QUICK else FILES)
    copies = []
    for number, path in enumerate(sorted(path for path in Path(source).rglob("*") if _is_dockerfile(path))):
        copy = folder / f"{number:05d}" / "Dockerfile"
        copy.parent.mkdir(parents=True)
        shutil.copyfile(path, copy)
        copies.append(copy)
    if not copies:
        sys.exit(f"bench: no Dockerfile below {source}")
    return copies


def _is_dockerfile(path: Path) -> bool:
    name = path.name.lower()
    return path.is_file() and (name.startswith(("dockerfile", "containerfile")) or name.endswith(".dockerfile"))


def scaling(folder: Path) -> Iterator[tuple[str, list[tuple[str, Path, list[Path]]]]]:
    """Yield families of workloads that grow tenfold: the cost of a linear tool grows so too."""
    shrink = 10 if QUICK else 1
    lines = []
    for count in (1_000 // shrink, 10_000 // shrink, 100_000 // shrink):
        body = ["FROM debian:12\n"]
        for number in range((count - 2) // 4):
            body.append(f"ENV NAME_{number}=value\nCOPY --chown=1000 file{number} /srv/\n")
            body.append(f"RUN apt-get install -y package{number}=1.0 && \\\n    rm -rf /var/lib/apt/lists/*\n")
        lines.append(_single(folder, f"lines-{count}", "".join(body) + "USER 1000\n", f"{count:,} lines"))
    yield "lines of one file", lines
    wide = []
    for size in (100_000 // shrink, 1_000_000 // shrink, 10_000_000 // shrink):
        text = "FROM debian:12\nRUN true" + " && echo $HOME" * (size // 14) + "\nUSER 1000\n"
        wide.append(_single(folder, f"wide-{size}", text, f"{size / 1e6:g} MB"))
    yield "bytes of one line", wide
    many = []
    for count in (100 // shrink, 1_000 // shrink, 10_000 // shrink):
        below = folder / f"files-{count}"
        many.append((f"{count:,} files", below, corpus.write(below, count, seed=2)))
    yield "files", many


def _single(folder: Path, name: str, text: str, label: str) -> tuple[str, Path, list[Path]]:
    path = folder / name / "Dockerfile"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return label, path.parent, [path]


def table(title: str, rows: Sequence[Row]) -> str:
    """Return a Markdown table; the ratio is how many times as long as harden a tool takes."""
    ours = next((row.cost for row in rows if row.tool == "harden" and row.cost is not None and row.findings is not None), None)
    lines = [f"### {title}", "", "| tool | wall | min | CPU | peak memory | findings | time, harden = 1 |", "|---|--:|--:|--:|--:|--:|--:|"]
    for tool, cost, findings in rows:
        if cost is None:
            lines.append(f"| {tool} | stopped at the time limit | | | | | |")
            continue
        ratio = f"{cost.wall_s / ours.wall_s:.1f}" if ours is not None else ""
        shown = "no report" if findings is None else f"{findings:,}"
        times = " | ".join(map(_time, (cost.wall_s, cost.wall_min_s, cost.cpu_s)))
        lines.append(f"| {tool} | {times} | {cost.peak_kb / 1024:.0f} MB | {shown} | {ratio} |")
    return "\n".join([*lines, ""])


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def main() -> None:
    """Run everything, print the tables, keep them in bench/results."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        scratch = Path(name)
        bench = Bench(scratch)
        ours = next(tool for tool in peers.TOOLS if tool.name == "harden")
        folder = scratch / "files"
        files = dockerfiles(folder)
        lines = sum(file.read_bytes().count(b"\n") for file in files)
        one = [max(files[:50], key=lambda file: file.stat().st_size)]

        machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
        versions = ", ".join(f"{tool} {version}" for tool, version in bench.versions.items())
        parts = [f"# harden lint beside its peers\n\n{machine}. {versions}. Medians; interleaved rounds; warm file cache.\n"]
        results: dict[str, object] = {"machine": machine, "versions": bench.versions, "files": len(files), "lines": lines}

        print("bench: one file", file=sys.stderr)
        rows = bench.compare(peers.TOOLS, one[0].parent, one, 1 if QUICK else 15)
        first = bench.first_run(ours, one[0].parent, one)
        parts.append(table(f"One file, {one[0].read_bytes().count(10)} lines, a new process each time", rows))
        if first is not None:
            parts.append(f"The very first run of harden, with nothing cached: {_time(first.wall_s)}.\n")
        results["one file"] = rows
        results["first run"] = first and first.wall_s

        print(f"bench: {len(files)} files", file=sys.stderr)
        rows = bench.compare(peers.TOOLS, folder, files, 1 if QUICK else 5)
        parts.append(table(f"{len(files)} files, {lines:,} lines, one process", rows))
        results["all files"] = rows

        growth = ["### Growth", "", "| workload | tool | wall | CPU | largest process | all processes |", "|---|---|--:|--:|--:|--:|"]
        for family, workloads in scaling(scratch / "scaling"):
            print(f"bench: {family}", file=sys.stderr)
            kept = {}
            for label, below, paths in workloads:
                tools = peers.TOOLS if FULL else (ours,)
                rows = bench.compare(tools, below, paths, 1 if QUICK else 3, timeout_s=120)
                memory = measure.total_memory_kb(bench.command(ours, below, paths), cwd=below, environment=bench.environment)
                for tool, cost, _ in rows:
                    total = f"{memory / 1024:.0f} MB" if tool == ours.name else ""
                    growth.append(
                        f"| {label} | {tool} | {_time(cost.wall_s)} | {_time(cost.cpu_s)} | {cost.peak_kb / 1024:.0f} MB | {total} |"
                        if cost is not None
                        else f"| {label} | {tool} | over 120 s | | | |"
                    )
                kept[label] = {"rows": rows, "all processes, kB": memory}
            results[family] = kept
        parts.append("\n".join([*growth, ""]))

    text = "\n".join(parts)
    print(text)
    if not QUICK:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "lint.md").write_text(text, encoding="utf-8")
        (RESULTS / "lint.json").write_text(json.dumps(_plain(results), indent=1) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    """Return named tuples as objects, for JSON."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    main()
