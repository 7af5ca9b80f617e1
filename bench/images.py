"""The part of the bench that is about images: fetching, unpacking and judging one, beside the tools that do the same.

Each row of PARTS is one piece of work that several programs do on the same image, which lies in an image layout and in a registry of this
machine. To add one: a function that yields who takes part, and its row.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import image_corpus
import measure
import peers
from contest import QUICK, TIMEOUT_S, Contest, seconds

TITLE = "harden on images, beside its peers"
TOOLS = (peers.HARDEN, peers.HARDEN_FAST, peers.TRIVY, peers.SYFT, peers.GITLEAKS)
ROUNDS = 1 if QUICK else 3


class Entrant(NamedTuple):
    """A program that takes part: what is run; `clean` is removed before each run; `rounds` is how often it is worth it."""

    name: str
    command: Sequence[str]
    clean: Path | None = None
    environment: dict[str, str] | None = None
    rounds: int = ROUNDS


class Bench(NamedTuple):
    """The image: `layout` is the folder of an OCI layout, in which it is called v1; `reference` is where it is in the registry."""

    contest: Contest
    layout: Path
    reference: str

    @property
    def harden(self) -> str:
        """The program `harden`."""
        return f"{self.contest.programs['harden']}/harden"

    def both(self, *words: str) -> Iterator[Entrant]:
        """Yield `harden image` as it is installed, and with its extra `fast`."""
        for name in ("harden", "harden+fast"):
            yield Entrant(name, (f"{self.contest.programs[name]}/harden", "image", *words))

    def program(self, name: str) -> str:
        """Return a peer's program."""
        return f"{self.contest.programs[name]}/{name}"

    def trivy(self, *words: str) -> Entrant:
        """Return trivy on the image, offline, and without what it remembers of layers that it has seen."""
        offline = ("--offline-scan", "--skip-version-check", "--quiet", "--cache-dir", str(self.folder("trivy")))
        return Entrant("trivy", (self.program("trivy"), "image", "--input", str(self.layout), *offline, *words), self.folder("trivy"))

    def folder(self, name: str) -> Path:
        """Return a folder for somebody's results, which need not be there."""
        return self.contest.scratch / name


class Part(NamedTuple):
    """A piece of work, and who takes part in it."""

    title: str
    entrants: Callable[[Bench], Iterator[Entrant]]
    remark: Callable[[Bench], str] = lambda _: ""  # what came of it, said below the table


def _pull(bench: Bench) -> Iterator[Entrant]:
    """Yield who fetches the image into an OCI layout, with all digests checked."""
    ours, theirs = bench.folder("pulled"), bench.folder("copied")
    yield Entrant("harden", (bench.harden, "pull", "--quiet", bench.reference), ours, {"HARDENER_ROOT": str(ours)})
    if shutil.which("skopeo"):
        command = ("skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{bench.reference}", f"oci:{theirs}:v1")
        yield Entrant("skopeo copy", command, theirs)


def _unpack(bench: Bench) -> Iterator[Entrant]:
    """Yield who unpacks all layers, with all digests checked."""
    ours, theirs = bench.folder("layers"), bench.folder("bundle")
    code = "import sys; from hardener.images import layout, unpack; unpack.layers(layout.read(sys.argv[1], 'v1'), sys.argv[2])"
    for name in ("harden", "harden+fast"):
        yield Entrant(name, (f"{bench.contest.programs[name]}/python", "-c", code, str(bench.layout), str(ours)), ours)
    if shutil.which("umoci"):
        yield Entrant("umoci unpack", ("umoci", "unpack", "--image", f"{bench.layout}:v1", str(theirs)), theirs)


def _sbom(bench: Bench) -> Iterator[Entrant]:
    """Yield who writes what is installed in the image as CycloneDX."""
    harden, trivy, syft = (str(bench.folder(f"{name}.cdx.json")) for name in ("harden", "trivy", "syft"))
    yield from bench.both("sbom", f"oci:{bench.layout}:v1", "--output", harden)
    yield bench.trivy("--format", "cyclonedx", "--output", trivy)
    command = (bench.program("syft"), "scan", f"oci-dir:{bench.layout}", "--quiet", "--output", f"cyclonedx-json={syft}")
    yield Entrant("syft", command, environment={"SYFT_CHECK_FOR_APP_UPDATE": "false"}, rounds=min(ROUNDS, peers.SYFT.rounds))


def _listed(bench: Bench) -> str:
    """Say how many packages of each kind each of them has found."""
    found = []
    for name in ("harden", "trivy", "syft"):
        path = bench.folder(f"{name}.cdx.json")
        if not path.exists() or not path.stat().st_size:
            continue
        document = json.loads(path.read_text(encoding="utf-8"))
        purls = {component["purl"] for component in document["components"] if "purl" in component}
        kinds = Counter(purl.removeprefix("pkg:").partition("/")[0] for purl in purls)
        found.append(f"{name} {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}")
    return f"Packages: {'; '.join(found)}.\n"


def _secrets(bench: Bench) -> Iterator[Entrant]:
    """Yield who looks for credentials in all layers, the environment and the history."""
    out = bench.folder("secrets.json")
    yield from bench.both("secrets", f"oci:{bench.layout}:v1", "--output", f"json:{out}")
    scanners = ("--scanners", "secret", "--image-config-scanners", "secret", "--format", "json")
    yield bench.trivy(*scanners, "--output", str(bench.folder("secrets-of-trivy.json")))


def _passwords(bench: Bench) -> str:
    """Say what each has found in the image, and of the passwords that compose files have in clear."""
    ours = json.loads(bench.folder("secrets.json").read_text(encoding="utf-8"))["findings"]
    theirs = json.loads(bench.folder("secrets-of-trivy.json").read_text(encoding="utf-8"))
    found = [secret for result in theirs.get("Results", ()) for secret in result.get("Secrets", ())]
    folder = bench.folder("compose")
    places = image_corpus.passwords(folder)
    cost = {
        "harden": [bench.harden, "lint", "--isolated", "--secrets", "--format", "json", "."],
        "gitleaks": [
            bench.program("gitleaks"),
            "dir",
            "--no-banner",
            "--exit-code",
            "0",
            "--report-format",
            "json",
            "--report-path",
            "-",
            ".",
        ],
        "trivy": [bench.program("trivy"), "fs", "--scanners", "secret", "--skip-version-check", "--quiet", "--format", "json", "."],
    }
    counts = []
    for name, command in cost.items():
        environment = bench.contest.environment
        made = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seen = {(str(path), line) for path, line in _placed(name, json.loads(made.stdout or "{}"))}
        counts.append(f"{name} {len(places & seen)}")
    return (
        f"In the image: harden {len(ours)}, trivy {len(found)}. Of {len(places)} literal passwords in compose files: {', '.join(counts)}.\n"
    )


def _placed(name: str, report: Any) -> Iterator[tuple[str, int]]:
    """Yield the file and the line of each finding."""
    if name == "harden":
        yield from ((finding["path"], finding["line"]) for finding in report["findings"])
    elif name == "gitleaks":
        yield from ((finding["File"].removeprefix("./"), finding["StartLine"]) for finding in report or ())
    else:
        for result in report.get("Results", ()):
            yield from ((result["Target"], secret["StartLine"]) for secret in result.get("Secrets", ()))


def _judge(bench: Bench) -> Iterator[Entrant]:
    """Yield who looks for secrets and bad configuration, and for what is installed, all in one run."""
    out = str(bench.folder("report.json"))
    bom = str(bench.folder("judged.json"))
    yield from bench.both("lint", f"oci:{bench.layout}:v1", "--format", "json", "--sbom", bom)
    scanners = ("--scanners", "secret,misconfig", "--image-config-scanners", "secret,misconfig", "--list-all-pkgs")
    yield bench.trivy(*scanners, "--skip-check-update", "--format", "json", "--output", out)


PARTS = {
    "pull": Part("Fetch the image from a registry on this machine", _pull),
    "unpack": Part("Unpack its layers", _unpack),
    "sbom": Part("Write what is installed as CycloneDX", _sbom, _listed),
    "secrets": Part("Credentials in all layers", _secrets, _passwords),
    "judge": Part("Secrets, configuration, and what is installed", _judge),
}
"""By the key of the results."""


def run(contest: Contest, results: dict[str, object]) -> Iterator[str]:
    """Yield the sections of the report, and put the numbers into `results`; nothing where there is no registry."""
    missing = [name for name in ("docker-registry", "skopeo") if shutil.which(name) is None]
    if sys.platform != "linux" or not Path("/var/lib/dpkg/status").exists() or missing:
        print(f"bench: without images: it takes Debian{', and '.join(['', *missing])}", file=sys.stderr)
        return
    print("bench: making an image", file=sys.stderr)
    layout = contest.scratch / "image"
    image_corpus.write(layout, image_corpus.SIZE // (10 if QUICK else 1))
    with _registry(contest.scratch) as host:
        reference = f"{host}/bench:v1"
        push = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{reference}"]
        subprocess.run(push, check=True)
        bench = Bench(contest, layout, reference)
        size = sum(path.stat().st_size for path in layout.rglob("*") if path.is_file())
        results["bytes"] = size
        yield f"The image: packages of Debian in three layers, {size / 1e6:.0f} MB compressed.\n"
        for key, part in PARTS.items():
            print(f"bench: images: {key}", file=sys.stderr)
            yield _section(bench, part, key, results)


def _section(bench: Bench, part: Part, key: str, results: dict[str, object]) -> str:
    """Run all who take part, interleaved, after one round that is not counted."""
    entrants = list(part.entrants(bench))
    costs: dict[str, list[measure.Cost]] = {entrant.name: [] for entrant in entrants}
    for turn in range(0 if QUICK else -1, ROUNDS):
        for entrant in entrants:
            if turn >= entrant.rounds or entrant.name not in costs:
                continue
            cost = _once(bench, entrant)
            if cost is None:
                print(f"bench: {entrant.name} failed: {' '.join(entrant.command)}", file=sys.stderr)
                del costs[entrant.name]
            elif turn >= 0:
                costs[entrant.name].append(cost)
    rows = {name: measure.summarize(found) for name, found in costs.items()}
    results[key] = {name: row._asdict() for name, row in rows.items()}
    ours = rows["harden"].wall_s
    lines = [f"### {part.title}", "", "| program | wall | min | CPU | peak memory | time, harden = 1 |", "|---|--:|--:|--:|--:|--:|"]
    for name, row in rows.items():
        times = " | ".join(map(seconds, (row.wall_s, row.wall_min_s, row.cpu_s)))
        lines.append(f"| {name} | {times} | {row.peak_kb / 1024:.0f} MB | {row.wall_s / ours:.2f} |")
    failed = [f"{entrant.name} failed on this image.\n" for entrant in entrants if entrant.name not in costs]
    return "\n".join([*lines, "", *failed, *filter(None, [part.remark(bench)])])


def _once(bench: Bench, entrant: Entrant) -> measure.Cost | None:
    """Run a program once; None when it failed. Where we fail, there is nothing to compare."""
    if entrant.clean is not None:
        shutil.rmtree(entrant.clean, ignore_errors=True)
    environment = bench.contest.environment | (entrant.environment or {})
    output = bench.contest.scratch / "output"
    cost = measure.run(entrant.command, cwd=bench.contest.scratch, output=output, environment=environment, timeout_s=TIMEOUT_S)
    is_ours = entrant.name.startswith("harden")
    if cost is not None and cost.exit_code in ((0, 1) if is_ours else (0,)):  # 1: findings
        return cost
    if is_ours:
        raise SystemExit(f"bench: {entrant.name} failed: {' '.join(entrant.command)}")
    return None


@contextmanager
def _registry(scratch: Path) -> Iterator[str]:
    """Yield the address of a registry that is empty, on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = scratch / "registry.yml"
    storage = scratch / "registry"
    configuration.write_text(
        f"version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n"
        f'storage: {{filesystem: {{rootdirectory: {storage}}}}}\nhttp: {{addr: "{host}", secret: bench}}\n'
    )
    with (scratch / "registry.log").open("wb") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", str(configuration)], stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}
        )
    try:
        for _ in range(100):
            time.sleep(0.1)
            try:
                with urllib.request.urlopen(f"http://{host}/v2/", timeout=5):
                    break
            except OSError:
                continue
        yield host
    finally:
        server.terminate()
        server.wait()
