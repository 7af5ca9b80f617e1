"""What the kernel is asked for: namespaces, network, sysctls, the filter of system calls, and further walls."""

from __future__ import annotations

from hardener.oci.runtime import INIT, LANDLOCK, Namespace
from hardener.policies.runtime import NETWORKS, PRIVATE, with_ptrace
from hardener.policies.walls.gap import Gap, Wall, linux_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from hardener.oci.runtime import Spec
    from hardener.policies.runtime import Runtime


def _of_type(spec: Spec, kind: str) -> list[Namespace]:
    return [namespace for namespace in linux_of(spec).namespaces if namespace.type == kind]


def _make_own(spec: Spec, kind: str) -> None:
    """Give the container one new namespace of a type, in the place of what was there."""
    linux = linux_of(spec)
    kept: list[Namespace] = []
    done = False
    for namespace in linux.namespaces:
        if namespace.type != kind:
            kept.append(namespace)
        elif not done:
            done = True
            kept.append(namespace if not namespace.path else Namespace(type=kind))
    linux.namespaces = tuple(kept if done else [*kept, Namespace(type=kind)])


def maps_root(spec: Spec) -> bool:
    """Tell whether root of the host has an id in the container."""
    linux = linux_of(spec)
    return any(mapping.host_id <= 0 < mapping.host_id + mapping.size for mapping in linux.uid_mappings + linux.gid_mappings)


def namespace_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield each namespace that is shared, and ids of the host's root in a user namespace."""
    for kind, wanted in (runtime.namespaces or {}).items():
        if wanted != PRIVATE:
            continue
        wants, key = f"a {kind} namespace of its own", f"namespaces.{kind}"
        own = _of_type(spec, kind)
        if not own:
            yield Gap(f"{kind} host", wants, key)
        for namespace in own:
            if namespace.path:
                yield Gap(f"{kind} {namespace.path}", wants, key)
        if len(own) > 1:
            yield Gap(f"{kind} given {len(own)} times", wants, key)
        if kind == "user" and own and maps_root(spec):
            yield Gap("user namespace with the host's root in it", "ids that are nobody's on the host", key)


def settle_namespaces(runtime: Runtime, spec: Spec) -> None:
    """Make private what has to be; which ids a user namespace gets is then the launcher's to choose."""
    for kind, wanted in (runtime.namespaces or {}).items():
        if wanted == PRIVATE:
            _make_own(spec, kind)
            if kind == "user" and maps_root(spec):
                linux_of(spec).uid_mappings = linux_of(spec).gid_mappings = ()


def network_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield a network that is shared; whether one of its own is connected is not said in a specification."""
    if runtime.network is None:
        return
    level = NETWORKS.index(runtime.network)
    own = _of_type(spec, "network")
    wants = f"network {runtime.network}" + (" or stricter" if level else "")
    if not own and level < NETWORKS.index("host"):
        yield Gap("network host", wants)
    if any(namespace.path for namespace in own) and level < NETWORKS.index("container"):
        yield Gap("network of another container", wants)


def settle_network(runtime: Runtime, spec: Spec) -> None:
    """Give it a network of its own."""
    if any(network_gaps(runtime, spec)):
        _make_own(spec, "network")


def sysctl_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield what may not be set, and what is not set as it has to be."""
    wanted = runtime.sysctls
    if wanted is None:
        return
    given = linux_of(spec).sysctl or {}
    for name, value in given.items():
        if not wanted.permits(name, value):
            yield Gap(f"sysctl {name}={value}", f"only {', '.join([*wanted.allow, *(wanted.fixed or {})]) or 'the kernel’s own values'}")
    for name, value in (wanted.fixed or {}).items():
        if name not in given:
            yield Gap(f"sysctl {name} is not set", f"{name}={value}")


def settle_sysctls(runtime: Runtime, spec: Spec) -> None:
    """Leave out what may not be set, and set the rest."""
    wanted = runtime.sysctls
    if wanted is None:
        return
    given = linux_of(spec).sysctl or {}
    kept = {name: value for name, value in given.items() if wanted.permits(name, value)}
    for name, value in (wanted.fixed or {}).items():
        kept.setdefault(name, value)
    if kept != given:
        linux_of(spec).sysctl = kept


def seccomp_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield another filter than the policy's: which of two is the stricter cannot be said."""
    profile, own = runtime.seccomp, linux_of(spec).seccomp
    if profile is None or own in (profile, with_ptrace(profile)):
        return
    yield Gap("seccomp unconfined" if not own else "seccomp with another profile", f"the profile {runtime.seccomp_name}")


def settle_seccomp(runtime: Runtime, spec: Spec) -> None:
    """Set the policy's profile."""
    if any(seccomp_gaps(runtime, spec)):
        linux_of(spec).seccomp = with_ptrace(runtime.seccomp) if runtime.ptrace else runtime.seccomp


def ptrace_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield debugging where the policy has it off."""
    profile, own = runtime.seccomp, linux_of(spec).seccomp
    if profile is not None and not runtime.ptrace and own != profile and own == with_ptrace(profile):
        yield Gap("ptrace", "no debugging")


def settle_ptrace(runtime: Runtime, spec: Spec) -> None:
    """Close it again."""
    if any(ptrace_gaps(runtime, spec)):
        linux_of(spec).seccomp = runtime.seccomp


def landlock_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield that it is switched off."""
    if runtime.landlock and (spec.annotations or {}).get(LANDLOCK) == "off":
        yield Gap("landlock off", "landlock where the kernel has it")


def settle_landlock(runtime: Runtime, spec: Spec) -> None:
    """Switch it on again."""
    if any(landlock_gaps(runtime, spec)):
        spec.annotations = {key: value for key, value in (spec.annotations or {}).items() if key != LANDLOCK}


def init_gaps(runtime: Runtime, spec: Spec) -> Iterator[Gap]:
    """Yield that there is none."""
    if runtime.init and (spec.annotations or {}).get(INIT) != "true":
        yield Gap("no init", "an init as process 1")


def settle_init(runtime: Runtime, spec: Spec) -> None:
    """Ask for one."""
    if any(init_gaps(runtime, spec)):
        spec.annotations = {**(spec.annotations or {}), INIT: "true"}


WALLS: Final = (
    Wall("network", network_gaps, settle_network),
    Wall("namespaces", namespace_gaps, settle_namespaces),
    Wall("sysctls", sysctl_gaps, settle_sysctls),
    Wall("seccomp", seccomp_gaps, settle_seccomp),
    Wall("ptrace", ptrace_gaps, settle_ptrace),
    Wall("landlock", landlock_gaps, settle_landlock),
    Wall("init", init_gaps, settle_init),
)
