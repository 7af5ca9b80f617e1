"""`harden run` with a record, for tests of what happens to a container afterwards: `record_run.py [OPTION …] ROOT PROGRAM …`."""

import argparse
import os
import sys

from hardener.cli import complain
from hardener.errors import HardenError
from hardener.launch.request import Request
from hardener.launch.specification import specification
from hardener.runtime import job, lifecycle, places


def main() -> int:
    """Make the job, start it, and return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="")
    for flag in ("-d", "-t", "-i", "--rm"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--restart", default="no")
    parser.add_argument("--stop-timeout", type=int, default=10)
    parser.add_argument("--stop-signal", type=int, default=15)
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--label", action="append", default=[])
    parser.add_argument("--unlimited", action="store_true")
    parser.add_argument("root")
    parser.add_argument("program", nargs="...")
    args = parser.parse_args()
    request = Request(args.root, args.program)
    request.name = args.name or "unnamed"
    request.terminal = args.t
    request.memory = args.memory or request.memory
    if args.unlimited:
        request.memory = request.pids = 0
        request.cpus = 0
    made = job.Job(
        name=args.name,
        spec=specification(request),
        rootfs=job.Rootfs(layers=("/" if args.root == "host" else args.root,), map_root=args.root != "host"),
        interactive=args.i,
        restart=job.restart(args.restart),
        remove=args.rm,
        image=args.root,
        stop_timeout_s=args.stop_timeout,
        stop_signal=args.stop_signal,
        labels=dict(label.split("=", 1) for label in args.label),
    )
    try:
        launched = lifecycle.launch(made, places.places(os.geteuid(), os.environ), detached=args.d)
    except HardenError as error:
        complain(error)
        return getattr(error, "code", 125)
    for notice in launched.notices:
        print(f"harden: {notice}", file=sys.stderr)
    if args.d:
        print(launched.id)
    return launched.code


if __name__ == "__main__":
    sys.exit(main())
