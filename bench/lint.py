"""Compares hardener with its peers: same files or containers, same run, one table for each kind.

`make bench` generates the files; `BENCH_DIR=folder make bench` copies those below a folder instead. Every tool gets exactly the same
files, each in a folder of its own; the rounds of the tools are interleaved, so that a busy moment of the machine hits all of them.
`ONLY=compose`, `ONLY=dockerfile`, `ONLY=images` or `ONLY=launch` runs one part; `BENCH_QUICK=1` runs each tool once; `BENCH_FULL=1` puts
the peers through the scaling part too.
"""

import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import dockerfiles
import images
import launch
import services
from contest import QUICK, Contest, plain

RESULTS = Path(__file__).parent / "results"
PARTS = {
    "dockerfile": (dockerfiles, "lint"),
    "compose": (services, "compose"),
    "images": (images, "images"),
    "launch": (launch, "launch"),
}  # by what ONLY says; the names of the results


def main() -> None:
    """Run the parts that are wanted, print their tables, keep them in bench/results."""
    only = os.environ.get("ONLY")
    if only and only not in PARTS:
        sys.exit(f"bench: ONLY={only}: there are {', '.join(PARTS)}")
    ran = [part(module, result) for name, (module, result) in PARTS.items() if only in (None, "", name)]
    if not any(ran):
        sys.exit(f"bench: nothing to measure below {os.environ.get('BENCH_DIR')}")


def part(module: ModuleType, name: str) -> bool:
    """Run one part; False when there are no files for it. The results of a quick run, or of other files, are not kept."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        contest = Contest(module.TOOLS, Path(scratch))
        machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
        results: dict[str, object] = {"machine": machine, "versions": contest.versions}
        sections = list(module.run(contest, results))
    if not sections:
        return False
    versions = ", ".join(f"{tool} {version}" for tool, version in contest.versions.items())
    head = f"# {module.TITLE}\n\n{machine}. {versions}. Medians; interleaved rounds; warm file cache.\n"
    text = "\n".join([head, *sections])
    print(text)
    if not QUICK and not os.environ.get("BENCH_DIR"):
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
        (RESULTS / f"{name}.json").write_text(json.dumps(plain(results), indent=1) + "\n", encoding="utf-8")
    return True


if __name__ == "__main__":
    main()
