"""Ordinary programs under the default policy: with the flags that the README names they serve, and without any one of them they do not."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import debian_roots
import pytest
from ordinary import RANGE, User

HARDEN = str(Path(sys.executable).with_name("harden"))
README = Path(__file__).parents[2] / "README.md"
# The server in the background, the client until it has an answer; the end of the first process is the end of all.
SERVE = """\
{server} >&2 &
tries=0
until {client}; do
    tries=$((tries + 1))
    if [ $tries = 60 ] || ! kill -0 $! 2>/dev/null; then echo 'nobody answers'; exit 9; fi
    busybox sleep 0.2
done
"""
FETCH = "busybox wget -q -O - http://127.0.0.1:{}/"
NODE = """\
const { Worker, isMainThread } = require("worker_threads"), { execFileSync } = require("child_process"), crypto = require("crypto");
require("http").createServer(async (request, response) => {
  const hash = crypto.scryptSync("secret", "salt", 16).toString("hex"), child = execFileSync("/bin/sh", ["-c", "echo child"]);
  new Worker("require(\\"worker_threads\\").parentPort.postMessage(6 * 7)", { eval: true }).once("message", (number) => {
    let sum = 0;
    for (let i = 0; i < 1e7; i++) sum += i;
    response.end([hash.length, child, number, sum].join(" "));
  });
}).listen(8080);
"""
PSQL = 'psql -h localhost -At postgres -c "create table t as select generate_series(1, 100000) x" -c "set jit_above_cost = 0" -c "{}"'


class Program:
    """A program: the packages it is in, the flags it needs, what the shell of its container does, and what comes of it."""

    def __init__(
        self, *packages: str, flags: tuple[str, ...] = (), script: str = "", server: str = "", client: str = "", said: str
    ) -> None:
        self.packages = packages
        self.flags = flags
        self.script = script or SERVE.format(server=server, client=client)
        self.said = said

    def words(self, flags: tuple[str, ...]) -> list[str]:
        """Return what follows `harden run`."""
        words = [word for flag in flags for word in flag.split()]
        return [*words, "--rootfs", str(debian_roots.build(*self.packages)), "--", "/bin/sh", "-c", self.script]

    def run(self, flags: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """Run it, with these flags and no others."""
        command = [HARDEN, "run", *self.words(flags)]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


PROGRAMS = {
    "busybox sh": Program(
        script="""\
file=$(busybox mktemp); trap 'busybox rm $file; echo the end' EXIT
busybox seq 1000 | busybox sort -r >$file & wait $!
while read -r number; do sum=$((sum + number)); done <$file
echo $sum $(busybox httpd -p 127.0.0.1:8080 -h /etc && busybox wget -q -O - http://127.0.0.1:8080/hosts | busybox head -n 1)
""",
        said=r"500500 127\.0\.0\.1 localhost\nthe end\n",
    ),
    "python3 -m http.server": Program(
        "python3", server="python3 -m http.server", client=FETCH.format(8000) + "etc/group", said="root:x:0:\n"
    ),
    "nginx": Program(
        "nginx",
        flags=("--user www-data", "--tmpfs /run:uid=33", "--tmpfs /var/lib/nginx", "--tmpfs /var/log/nginx"),
        server="nginx -g 'daemon off;'",
        client=FETCH.format(80),
        said="Welcome to nginx!",
    ),
    "redis-server": Program(
        "redis-server",
        flags=("--workdir /tmp",),
        server="redis-server",
        client="redis-cli set key value && redis-cli bgsave && busybox sleep 0.5 && redis-cli save && redis-cli get key",
        said="OK\nBackground saving started\nOK\nvalue\n",
    ),
    "postgres": Program(
        "postgresql-15",
        flags=("--user postgres", "--tmpfs /run/postgresql", "--tmpfs /var/lib/postgresql"),
        script="PATH=$PATH:/usr/lib/postgresql/15/bin; export PGDATA=/var/lib/postgresql/data; initdb >&2 || exit\n"
        + SERVE.format(server="postgres", client=PSQL.format("select sum(x) from t")),
        said="SELECT 100000\nSET\n5000050000\n",
    ),
    "node": Program("nodejs", server=f"node -e '{NODE}'", client=FETCH.format(8080), said="32 child\n 42 49999995000000"),
}
NEEDED = [(name, flag) for name, program in PROGRAMS.items() for flag in program.flags]


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_serves(name: str) -> None:
    program = PROGRAMS[name]
    done = program.run(program.flags)
    assert re.search(program.said, done.stdout), done
    assert "nobody answers" not in done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_serves_for_an_ordinary_user(name: str) -> None:
    program = PROGRAMS[name]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        done = User(Path(folder), ranges=f"{RANGE}\n").run(*program.words(program.flags))
    assert re.search(program.said, done.stdout), done


@pytest.mark.parametrize(("name", "flag"), NEEDED)
def test_each_flag_is_needed(name: str, flag: str) -> None:
    program = PROGRAMS[name]
    done = program.run(tuple(other for other in program.flags if other != flag))
    assert not re.search(program.said, done.stdout), done
    assert done.returncode != 125, done.stderr  # it is the program that cannot do without


def test_the_readme_names_the_flags() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (none|`[^|]+`) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == {name: " ".join(f"`{flag}`" for flag in program.flags) or "none" for name, program in PROGRAMS.items()}
