"""A request as a job: the specification, and what is to happen around the container's life."""

from __future__ import annotations

from hardener.launch import values
from hardener.runtime import job as jobs
from hardener.runtime.job import Job, Restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.request import Request
    from hardener.launch.specification import Draft
    from hardener.runtime.job import Health

JOINED: Final = "container:"


def of(request: Request, made: Draft, *, interactive: bool = False) -> Job:
    """Return the job of a request."""
    named = request.stop_signal or made.root.stop_signal
    stop_signal = values.signal(named, "--stop-signal") if named else jobs.STOP_SIGNAL
    restart = jobs.restart(request.restart) if request.restart is not None else Restart()
    shared = (("network", request.network), ("pid", request.pid))
    return Job(
        name=request.name,
        spec=made.spec,
        rootfs=made.rootfs,
        detach_keys=request.detach_keys or jobs.DETACH_KEYS,
        stop_signal=stop_signal,
        stop_timeout_s=jobs.STOP_TIMEOUT_S if request.stop_timeout_s is None else request.stop_timeout_s,
        restart=restart,
        health=_health(request, made),
        labels={**made.root.labels, **request.labels},  # labels are labels, and never options
        remove=request.remove,
        policy=request.policy,
        looser=made.looser,
        image=request.root,
        image_digest=made.root.image_digest,
        anonymous=made.anonymous,
        joins={kind: word.removeprefix(JOINED) for kind, word in shared if word is not None and word.startswith(JOINED)} or None,
        interactive=interactive,
    )


def _health(request: Request, made: Draft) -> Health | None:
    if made.root.health is None and not request.sets_health():
        return None
    from hardener.launch import health

    return health.of(request, made.root)
