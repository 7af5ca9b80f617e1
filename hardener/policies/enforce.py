"""A policy over a specification: what is looser than it asks for, and the specification that satisfies it.

`violations(policy, apply(policy, spec)) == ()` for every policy and every specification. A launch starts from `apply(policy, spec)` of what
says nothing, lays its flags over it, and asks for `violations`: each is refused unless `may_loosen` lets a flag loosen its key, and then
it is printed.
"""

from __future__ import annotations

from hardener.oci.runtime import Linux, Resources, Spec
from hardener.policies.walls import files, kernel, limits, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from hardener.policies.runtime import Runtime

WALLS: Final = (*process.WALLS, *kernel.WALLS, *limits.WALLS, *files.WALLS)
"""Every key that a specification can be held to, in the order in which they are enforced."""

PRIVILEGED: Final = (
    *("apparmor", "capabilities", "devices", "landlock", "masked-paths", "ptrace", "read-only", "readonly-paths", "seccomp", "selinux"),
)
"""What --privileged takes down."""


class Violation:
    """Where a specification is looser than a policy.

    `key` is a path under `runtime` (`namespaces.pid`), `says` and `wants` are for people, `where` is the place in the policy file, and
    `allowed` tells whether the policy lets a flag loosen this key.
    """

    __slots__ = ("allowed", "key", "policy", "says", "wants", "where")

    def __init__(self, key: str, says: str, wants: str, where: str, policy: str, *, allowed: bool) -> None:
        self.key = key
        self.says = says
        self.wants = wants
        self.where = where
        self.policy = policy
        self.allowed = allowed

    @property
    def line(self) -> str:
        """What is printed when it is allowed: `looser than policy default: cap_add NET_ADMIN`."""
        return f"looser than policy {self.policy}: {self.says}"

    def __repr__(self) -> str:
        return f"Violation({self.key}: {self.says}; wanted: {self.wants}; {self.where})"


def violations(runtime: Runtime, spec: Spec) -> tuple[Violation, ...]:
    """Return everything of a specification that is looser than a policy, by key.

    Where the policy allows --privileged and this is what the specification comes to, it allows what follows from that, and says so first.
    """
    privileged = bool(runtime.privileged) and is_privileged(spec)
    found = []
    for wall in WALLS:
        for gap in wall.gaps(runtime, spec):
            key = gap.key or wall.key
            allowed = runtime.may_loosen(key) or (privileged and key.partition(".")[0] in PRIVILEGED)
            found.append(Violation(key, gap.says, gap.wants, runtime.where(key), runtime.name or "", allowed=allowed))
    if privileged and found:
        found.insert(
            0,
            Violation("privileged", "privileged", "no more than is needed", runtime.where("privileged"), runtime.name or "", allowed=True),
        )
    return tuple(found)


def refused(found: Iterable[Violation]) -> tuple[Violation, ...]:
    """Return the violations that no flag may cause."""
    return tuple(violation for violation in found if not violation.allowed)


def apply(runtime: Runtime, spec: Spec) -> Spec:
    """Return a new specification that satisfies a policy: what it leaves open is set, what is looser is tightened.

    Everything else is kept, what is stricter as well. Applying it again changes nothing.
    """
    made = Spec.parse(spec.dump())
    made.linux = made.linux or Linux()
    made.linux.resources = made.linux.resources or Resources()
    for wall in WALLS:
        wall.settle(runtime, made)
    return made


def is_privileged(spec: Spec) -> bool:
    """Tell whether a specification opens every device, which only --privileged does."""
    return any(files.is_everything(rule) for rule in (spec.linux.resources.devices if spec.linux and spec.linux.resources else ()))
