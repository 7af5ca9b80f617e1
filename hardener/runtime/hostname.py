"""The container's names for itself."""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.linux import calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.oci.runtime import Spec


class Names:
    """Host name and NIS domain name; None leaves one as it is."""

    __slots__ = ("domainname", "hostname")

    def __init__(self, hostname: str | None, domainname: str | None) -> None:
        self.hostname = hostname
        self.domainname = domainname

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [f"{key} {value}" for key, value in (("hostname", self.hostname), ("domainname", self.domainname)) if value]


def plan(spec: Spec) -> Names | None:
    """Return the names to set; they need a UTS namespace of the container's own, or this machine would be renamed."""
    if not spec.hostname and not spec.domainname:
        return None
    for key, name in (("hostname", spec.hostname), ("domainname", spec.domainname)):
        if name and len(name.encode()) > 64:
            raise HardenError(f"{key} {name!r} is longer than 64 bytes", where=key, how="choose a shorter one")
    if not any(namespace.type == "uts" for namespace in (spec.linux.namespaces if spec.linux else ())):
        raise HardenError(
            "a host name needs a UTS namespace of the container's own", where="hostname", how="add {type: uts} to linux.namespaces"
        )
    return Names(spec.hostname or None, spec.domainname or None)


def apply(plan: Names) -> None:
    """Set them."""
    if plan.hostname:
        calls.sethostname(plan.hostname)
    if plan.domainname:
        calls.setdomainname(plan.domainname)
