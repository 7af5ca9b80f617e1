"""What every part of the bench shares: tools on the same files, in interleaved rounds, and the table of what they cost."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import measure
import peers

TIMEOUT_S = 300.0
QUICK = os.environ.get("BENCH_QUICK") == "1"
FULL = os.environ.get("BENCH_FULL") == "1"

Workload = tuple[str, Path, list[Path]]
"""What it is called, a folder, and the files that are all there is in the folder."""


class Row(NamedTuple):
    """One tool on one workload; `cost` is None when it was stopped at the time limit, `findings` None when it gave no report."""

    tool: str
    cost: measure.Summary | None
    findings: int | None


class Contest:
    """The tools that could be installed, where they are, and a scratch folder."""

    def __init__(self, tools: Sequence[peers.Tool], scratch: Path) -> None:
        environments = peers.ROOT / ".venv-bench"
        environments.mkdir(exist_ok=True)
        self.scratch = scratch
        self.tools = tuple(tool for tool in tools if _can_be_installed(tool))
        self.ours = next(tool for tool in self.tools if tool.name == "harden")
        self.programs = {tool.name: peers.install(tool, environments) for tool in self.tools}
        self.versions = {tool.name: peers.version(tool, self.programs[tool.name]) for tool in self.tools}
        home = scratch / "home"
        home.mkdir(exist_ok=True)
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

    def one_file(self, files: Sequence[Path], results: dict[str, object]) -> str:
        """Return the section about one file, a new process each time: a large one among the first fifty."""
        print("bench: one file", file=sys.stderr)
        file = max(files[:50], key=lambda file: file.stat().st_size)
        rows = self.compare(self.tools, file.parent, [file], 1 if QUICK else 15)
        first = self.first_run(file)
        results["one file"] = rows
        results["first run"] = first and first.wall_s
        section = table(f"One file, {file.read_bytes().count(10)} lines, a new process each time", rows)
        return section + ("" if first is None else f"\nThe very first run of harden, with nothing cached: {seconds(first.wall_s)}.\n")

    def all_files(self, folder: Path, files: Sequence[Path], results: dict[str, object]) -> str:
        """Return the section about all files in one process."""
        print(f"bench: {len(files)} files", file=sys.stderr)
        lines = sum(file.read_bytes().count(b"\n") for file in files)
        rows = self.compare(self.tools, folder, files, 1 if QUICK else 5)
        results |= {"files": len(files), "lines": lines, "all files": rows}
        return table(f"{len(files)} files, {lines:,} lines, one process", rows)

    def growth(self, families: Iterable[tuple[str, list[Workload]]], results: dict[str, object]) -> str:
        """Return the section about workloads that grow tenfold; the peers take part when everything is asked for."""
        growth = ["### Growth", "", "| workload | tool | wall | CPU | largest process | all processes |", "|---|---|--:|--:|--:|--:|"]
        for family, workloads in families:
            print(f"bench: {family}", file=sys.stderr)
            kept = {}
            for label, below, paths in workloads:
                rows = self.compare(self.tools if FULL else (self.ours,), below, paths, 1 if QUICK else 3, timeout_s=120)
                memory = measure.total_memory_kb(self.command(self.ours, below, paths), cwd=below, environment=self.environment)
                for tool, cost, _ in rows:
                    total = f"{memory / 1024:.0f} MB" if tool == self.ours.name else ""
                    growth.append(
                        f"| {label} | {tool} | {seconds(cost.wall_s)} | {seconds(cost.cpu_s)} | {cost.peak_kb / 1024:.0f} MB | {total} |"
                        if cost is not None
                        else f"| {label} | {tool} | over 120 s | | | |"
                    )
                kept[label] = {"rows": rows, "all processes, kB": memory}
            results[family] = kept
        return "\n".join([*growth, ""])

    def first_run(self, file: Path) -> measure.Cost | None:
        """Run ours with a home that it has never seen: whatever it caches is not there yet."""
        home = Path(tempfile.mkdtemp(dir=self.scratch))
        environment = self.environment | {"HOME": str(home)}
        command = self.command(self.ours, file.parent, [file])
        return measure.run(command, cwd=file.parent, output=self.scratch / "first", environment=environment, timeout_s=TIMEOUT_S)


def _can_be_installed(tool: peers.Tool) -> bool:
    reason = peers.obstacle(tool)
    if reason:
        print(f"bench: without {tool.name}: {reason}", file=sys.stderr)
    return not reason


def own_files(folder: Path, is_wanted: Callable[[str], bool]) -> list[Path] | None:
    """Return copies of the files below BENCH_DIR whose names are wanted, each alone in a folder of `folder`; None: it is not set."""
    source = os.environ.get("BENCH_DIR")
    if not source:
        return None
    copies = []
    for number, path in enumerate(sorted(path for path in Path(source).rglob("*") if is_wanted(path.name) and path.is_file())):
        copy = folder / f"{number:05d}" / path.name
        copy.parent.mkdir(parents=True)
        shutil.copyfile(path, copy)
        copies.append(copy)
    return copies


def single(folder: Path, name: str, text: str, label: str) -> Workload:
    """Return a workload of one file, written into a folder of its own."""
    path = folder / name
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
        times = " | ".join(map(seconds, (cost.wall_s, cost.wall_min_s, cost.cpu_s)))
        lines.append(f"| {tool} | {times} | {cost.peak_kb / 1024:.0f} MB | {shown} | {ratio} |")
    return "\n".join([*lines, ""])


def seconds(time_s: float) -> str:
    """Return a time as people write it."""
    return f"{time_s * 1000:.0f} ms" if time_s < 1 else f"{time_s:.2f} s"


def plain(value: object) -> object:
    """Return named tuples as objects, for JSON."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: plain(item) for key, item in value._asdict().items()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
