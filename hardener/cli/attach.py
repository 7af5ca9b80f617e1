"""`harden attach`: be the standard streams of a container that runs."""

from argparse import ArgumentParser, Namespace

from hardener.cli import named
from hardener.errors import EXIT_CLEAN
from hardener.runtime import attach, state


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker attach` has them."""
    parser.add_argument("--no-stdin", action="store_true", help="only look and listen")
    parser.add_argument(
        "--detach-keys", default="", metavar="KEYS", help="what leaves it again (default: as it was started, ctrl-p,ctrl-q)"
    )
    parser.add_argument("--sig-proxy", default="true", choices=("true", "false"), help="hand signals on (default true)")
    parser.add_argument("name", metavar="CONTAINER", help="a name, or the beginning of an id")


def run(args: Namespace) -> int:
    """Attach; the exit code is the container's, or 0 when it was left."""
    record = state.find(named.here(), args.name)
    job = record.job() if record.live else None
    keys = args.detach_keys or (job.detach_keys if job else "")
    listening = not args.no_stdin and job is not None and (job.interactive or record.terminal)
    peer = attach.connect(record)
    code = attach.relay(peer, record, keys=keys, listening=listening, closing=False, forwarding=args.sig_proxy == "true")
    return EXIT_CLEAN if code is None else code
