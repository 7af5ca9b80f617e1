"""A container that shares another's network and starts again: numbers of processes are given away, and this machine's may get them."""

import json
import os
import subprocess
import sys
from pathlib import Path

NETWORK = "readlink /proc/self/ns/net"


def test_a_number_that_was_given_away(folder: Path) -> None:
    own = {**os.environ, "HARDENER_ROOT": str(folder / "home")}

    def harden(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hardener", *words]
        return subprocess.run(command, capture_output=True, text=True, env=own, check=False, timeout=60)

    assert harden("run", "-d", "--name", "one", "host", "sleep", "60").returncode == 0
    try:
        first = harden("run", "--name", "two", "--network", "container:one", "host", "sh", "-c", NETWORK)
        assert first.stdout == harden("exec", "one", "sh", "-c", NETWORK).stdout != "", first
        record = folder / "home/data/containers/two/job.json"
        job = json.loads(record.read_text())
        [joined] = [space for space in job["spec"]["linux"]["namespaces"] if space["type"] == "network"]
        joined["path"] = f"/proc/{os.getpid()}/ns/net"  # as if we had been given the number of the container's process
        record.write_text(json.dumps(job))
        harden("restart", "-t", "0", "one")
        again = harden("start", "-a", "two")
        assert again.stdout == harden("exec", "one", "sh", "-c", NETWORK).stdout != "", again
        assert again.stdout.strip() != os.readlink("/proc/self/ns/net")
        harden("stop", "-t", "0", "one")
        gone = harden("start", "-a", "two")
        assert gone.returncode != 0, gone
        assert "the container one is not running" in gone.stderr
    finally:
        assert harden("rm", "-f", "one", "two").returncode == 0
