"""The part of the bench that is about Dockerfiles."""

from collections.abc import Iterator
from pathlib import Path

import corpus
import peers
from contest import QUICK, Contest, Workload, own_files, single

TITLE = "harden lint beside its peers"
TOOLS = peers.DOCKERFILE_TOOLS
COUNT = 600


def run(contest: Contest, results: dict[str, object]) -> Iterator[str]:
    """Yield the sections of the report, and put the numbers into `results`; nothing when there are no files."""
    folder = contest.scratch / "files"
    files = own_files(folder, _is_dockerfile)
    if files is None:
        files = corpus.write(folder, 30 if QUICK else COUNT)
    if files:
        yield contest.one_file(files, results)
        yield contest.all_files(folder, files, results)
        yield contest.growth(scaling(contest.scratch / "scaling"), results)


def _is_dockerfile(name: str) -> bool:
    lower = name.lower()
    return lower.startswith(("dockerfile", "containerfile")) or lower.endswith(".dockerfile")


def scaling(folder: Path) -> Iterator[tuple[str, list[Workload]]]:
    """Yield families of workloads that grow tenfold: the cost of a linear tool grows so too."""
    shrink = 10 if QUICK else 1
    lines = []
    for count in (1_000 // shrink, 10_000 // shrink, 100_000 // shrink):
        body = ["FROM debian:12\n"]
        for number in range((count - 2) // 4):
            body.append(f"ENV NAME_{number}=value\nCOPY --chown=1000 file{number} /srv/\n")
            body.append(f"RUN apt-get install -y package{number}=1.0 && \\\n    rm -rf /var/lib/apt/lists/*\n")
        lines.append(single(folder, f"lines-{count}/Dockerfile", "".join(body) + "USER 1000\n", f"{count:,} lines"))
    yield "lines of one file", lines
    wide = []
    for size in (100_000 // shrink, 1_000_000 // shrink, 10_000_000 // shrink):
        text = "FROM debian:12\nRUN true" + " && echo $HOME" * (size // 14) + "\nUSER 1000\n"
        wide.append(single(folder, f"wide-{size}/Dockerfile", text, f"{size / 1e6:g} MB"))
    yield "bytes of one line", wide
    many = []
    for count in (100 // shrink, 1_000 // shrink, 10_000 // shrink):
        below = folder / f"files-{count}"
        many.append((f"{count:,} files", below, corpus.write(below, count, seed=2)))
    yield "files", many
