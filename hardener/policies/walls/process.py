"""The process itself: who it is, and which privileges it has."""

from __future__ import annotations

from hardener.oci.runtime import Capabilities, Rlimit, User
from hardener.policies.runtime import NOT_ROOT
from hardener.policies.walls.gap import Gap, Wall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from hardener.oci.runtime import Spec
    from hardener.policies.runtime import Runtime, Ulimit

NOBODY: Final = 65534
SETS: Final = ("bounding", "effective", "permitted", "inheritable", "ambient")
UNLIMITED: Final = (1 << 64) - 1


def user_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield who it is; a name is looked up in the container's own /etc/passwd, which may say anything, so it does not count."""
    wanted, process = runtime.user, spec.process
    if wanted is None or process is None:
        return
    user = process.user or User()
    uid, gid = user.uid or 0, user.gid or 0
    if user.username:
        yield Gap(f"user {user.username}, whose id the container decides", "a numeric id")
    elif wanted == NOT_ROOT:
        if uid == 0:
            yield Gap("user root", "a user that is not root")
    elif wanted != f"{uid}:{gid}":
        yield Gap(f"user {uid}:{gid}", f"user {wanted}")


def settle_user(runtime: Runtime, spec: Spec) -> None:
    """Make it nobody, or who the policy says."""
    if spec.process is None or not any(user_gaps(runtime, spec)):
        return
    uid, gid = NOBODY, NOBODY
    if runtime.user not in (None, NOT_ROOT):
        uid, gid = (int(part) for part in str(runtime.user).split(":"))
    old = spec.process.user
    spec.process.user = User(uid=uid, gid=gid, umask=None if old is None else old.umask)


def capability_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield each capability, in whichever of the five sets, that is too much."""
    wanted, process = runtime.capabilities, spec.process
    if wanted is None or process is None:
        return
    allowed = wanted.ceiling
    wants = "no capabilities" if not allowed else f"at most {', '.join(sorted(allowed))}"
    held = process.capabilities
    if held is None:
        yield Gap("capabilities are left open", wants)
        return
    names = dict.fromkeys(name for kind in SETS for name in getattr(held, kind))
    for name in names:
        short = name.removeprefix("CAP_")
        if short not in allowed or not name.startswith("CAP_"):
            yield Gap(f"cap_add {short}", wants)


def settle_capabilities(runtime: Runtime, spec: Spec) -> None:
    """Take what is too much out of every set; without any set it gets what the policy gives."""
    wanted, process = runtime.capabilities, spec.process
    if wanted is None or process is None:
        return
    if process.capabilities is None:
        given = tuple(f"CAP_{name}" for name in wanted.given)
        process.capabilities = Capabilities(bounding=given, effective=given, permitted=given)
        return
    allowed = {f"CAP_{name}" for name in wanted.ceiling}
    for kind in SETS:
        held: tuple[str, ...] = getattr(process.capabilities, kind)
        setattr(process.capabilities, kind, tuple(name for name in held if name in allowed))


def no_new_privileges_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield the missing flag."""
    if runtime.no_new_privileges and spec.process is not None and spec.process.no_new_privileges is not True:
        yield Gap("no-new-privileges off", "no-new-privileges")


def settle_no_new_privileges(runtime: Runtime, spec: Spec) -> None:
    """Set the flag."""
    if runtime.no_new_privileges and spec.process is not None:
        spec.process.no_new_privileges = True


def limit_text(value: int) -> str:
    """Return a resource limit for a reader."""
    return "unlimited" if value < 0 or value >= UNLIMITED else str(value)


def _value(limit: int) -> int:
    """Return a resource limit as the specification writes it; below zero is unlimited, too."""
    return UNLIMITED if limit < 0 else limit


def _exceeds(limit: Rlimit, most: Ulimit) -> bool:
    return _value(limit.soft) > _value(most.soft) or _value(limit.hard) > _value(most.hard)


def ulimit_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield each limit that is too high, and each that is not set: it would be whatever the launcher has."""
    if not runtime.ulimits or spec.process is None:
        return
    for name, most in runtime.ulimits.items():
        wants = f"ulimit {name} of at most {limit_text(most.soft)}:{limit_text(most.hard)}"
        own = [limit for limit in spec.process.rlimits if limit.type == f"RLIMIT_{name.upper()}"]
        if not own:
            yield Gap(f"ulimit {name} is not set", wants, f"ulimits.{name}")
        for limit in own:
            if _exceeds(limit, most):
                yield Gap(f"ulimit {name}={limit_text(limit.soft)}:{limit_text(limit.hard)}", wants, f"ulimits.{name}")


def settle_ulimits(runtime: Runtime, spec: Spec) -> None:
    """Lower what is too high, and set what is not set."""
    if not runtime.ulimits or spec.process is None:
        return
    limits = {f"RLIMIT_{name.upper()}": most for name, most in runtime.ulimits.items()}
    for limit in spec.process.rlimits:
        most = limits.get(limit.type)
        if most is not None and _exceeds(limit, most):
            limit.hard = min(_value(limit.hard), _value(most.hard))
            limit.soft = min(_value(limit.soft), _value(most.soft), limit.hard)
    present = {limit.type for limit in spec.process.rlimits}
    missing = [Rlimit(type=kind, soft=_value(most.soft), hard=_value(most.hard)) for kind, most in limits.items() if kind not in present]
    spec.process.rlimits = (*spec.process.rlimits, *missing)


def apparmor_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield another profile."""
    if runtime.apparmor is not None and spec.process is not None and spec.process.apparmor_profile != runtime.apparmor:
        yield Gap(f"apparmor {spec.process.apparmor_profile or 'is not set'}", f"the profile {runtime.apparmor}")


def settle_apparmor(runtime: Runtime, spec: Spec) -> None:
    """Set the profile."""
    if runtime.apparmor is not None and spec.process is not None:
        spec.process.apparmor_profile = runtime.apparmor


def selinux_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield another label."""
    if runtime.selinux is not None and spec.process is not None and spec.process.selinux_label != runtime.selinux:
        yield Gap(f"selinux {spec.process.selinux_label or 'is not set'}", f"the label {runtime.selinux}")


def settle_selinux(runtime: Runtime, spec: Spec) -> None:
    """Set the label."""
    if runtime.selinux is not None and spec.process is not None:
        spec.process.selinux_label = runtime.selinux


WALLS: Final = (
    Wall("user", user_gaps, settle_user),
    Wall("capabilities", capability_gaps, settle_capabilities),
    Wall("no-new-privileges", no_new_privileges_gaps, settle_no_new_privileges),
    Wall("ulimits", ulimit_gaps, settle_ulimits),
    Wall("apparmor", apparmor_gaps, settle_apparmor),
    Wall("selinux", selinux_gaps, settle_selinux),
)
