"""The part of the bench that is about compose files."""

import re
from collections.abc import Iterator
from pathlib import Path

import compose_corpus
import peers
from contest import QUICK, Contest, Workload, own_files, single

TITLE = "harden lint beside its peers, on compose files"
TOOLS = peers.COMPOSE_TOOLS
COUNT = 310


def run(contest: Contest, results: dict[str, object]) -> Iterator[str]:
    """Yield the sections of the report, and put the numbers into `results`; nothing when there are no files."""
    folder = contest.scratch / "files"
    files = own_files(folder, _is_compose_file)
    if files is None:
        files = compose_corpus.write(folder, 20 if QUICK else COUNT)
    if files:
        yield contest.one_file(files, results)
        yield contest.all_files(folder, files, results)
        yield contest.growth(scaling(contest.scratch / "scaling"), results)


def _is_compose_file(name: str) -> bool:
    return re.fullmatch(r"(?:docker-)?compose\.ya?ml", name) is not None


def scaling(folder: Path) -> Iterator[tuple[str, list[Workload]]]:
    """Yield families of workloads that grow tenfold: the cost of a linear tool grows so too."""
    shrink = 10 if QUICK else 1
    services = []
    for count in (10 // shrink, 100 // shrink, 1_000 // shrink):
        body = ["services:\n"]
        for number in range(count):
            body.append(f"  web{number}:\n    image: registry.example.org/web:{number}.1\n    environment:\n      MODE: production\n")
            body.append(f"    ports:\n      - {number + 1024}:80\n    volumes:\n      - ./data{number}:/data\n    depends_on: [db]\n")
        body.append("  db:\n    image: postgres:17\n")
        services.append(single(folder, f"services-{count}/compose.yaml", "".join(body), f"{count:,} services"))
    yield "services of one file", services
    many = []
    for count in (100 // shrink, 1_000 // shrink, 10_000 // shrink):
        below = folder / f"files-{count}"
        many.append((f"{count:,} files", below, compose_corpus.write(below, count, seed=2)))
    yield "files", many
