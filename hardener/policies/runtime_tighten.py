"""Two `runtime:` made one that asks for what both ask. What is looser than the policy it extends is an error: it would have no effect."""

from collections.abc import Callable, Mapping
from typing import Final

from hardener.errors import HardenError
from hardener.policies.runtime import (
    EVERY,
    NETWORKS,
    NO_SWAP,
    NOT_ROOT,
    PRIVATE,
    Grant,
    Io,
    IoLimit,
    Mounts,
    Proc,
    Runtime,
    Sysctls,
    Tmpfs,
    Ulimit,
    below,
)
from hardener.policies.walls.files import hidepid_of


class _LooserError(Exception):
    """A part that asks for less; `key` is its path."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def tighter(base: Runtime, own: Runtime) -> Runtime:
    """Return what both ask for. Raises `HardenError` for a key of `own` that is looser than the same key of `base`."""
    both = Runtime(name=own.name)
    places = {**(base.places or {}), **(own.places or {})}
    try:
        for key, combine in _COMBINE.items():
            attribute = key.replace("-", "_")
            if not _is_set(base, attribute):
                merged = getattr(own, attribute)
            elif not _is_set(own, attribute):
                merged = getattr(base, attribute)
            else:
                merged = combine(base, own)
            setattr(both, attribute, merged)
    except _LooserError as looser:
        theirs_at = base.where(looser.key)
        raise HardenError(
            f"{looser.key} asks for less than the policy {base.name} does" + (f" ({theirs_at})" if theirs_at else ""),
            where=own.where(looser.key),
            how="a policy only tightens what it extends: ask for more, or leave it out; `loosen:` of the other says what a flag may change",
        ) from None
    both.seccomp_name = base.seccomp_name if own.seccomp is None else own.seccomp_name
    both.loosen = _loosen(base, own)
    both.places = places
    return both


def _is_set(runtime: Runtime, attribute: str) -> bool:
    value = getattr(runtime, attribute)
    if attribute == "ptrace":
        return value is not None or runtime.seccomp is not None  # a profile without the key closes it
    return value is not None and (value != () or attribute == "devices")  # no devices at all is much to ask for


def _loosen(base: Runtime, own: Runtime) -> tuple[str, ...]:
    """Return what may be loosened: what the base lets, unless `own` says less; of keys that only `own` sets, what it says."""
    if "loosen" not in (own.places or {}):
        return base.loosen
    for word in own.loosen:
        head = word.partition(".")[0]
        if _is_set(base, head.replace("-", "_")) and not base.may_loosen(word):
            raise HardenError(
                f"loosen names {word}, which the policy {base.name} does not let a flag loosen",
                where=own.where("loosen"),
                how=f"leave it out; the other is at {base.where('loosen') or base.where(word)}",
            )
    return own.loosen


def _user(base: Runtime, own: Runtime) -> str | None:
    if own.user == NOT_ROOT:
        return base.user if base.user != NOT_ROOT and not str(base.user).startswith("0:") else _no("user", base.user == NOT_ROOT, own.user)
    fine = own.user == base.user or (base.user == NOT_ROOT and not str(own.user).startswith("0:"))
    return _no("user", fine, own.user)


def _no(key: str, fine: bool, value: "str | None") -> str | None:
    """Return the value when it is fine."""
    if not fine:
        raise _LooserError(key)
    return value


def _capabilities(base: Runtime, own: Runtime) -> object:
    if base.capabilities is not None and own.capabilities is not None and not own.capabilities.ceiling <= base.capabilities.ceiling:
        raise _LooserError("capabilities")
    return own.capabilities


def _switch(attribute: str) -> Callable[[Runtime, Runtime], object]:
    """Return how a switch is combined that only tightens when it is on."""

    def combine(base: Runtime, own: Runtime) -> object:
        if getattr(base, attribute) and not getattr(own, attribute):
            raise _LooserError(attribute.replace("_", "-"))
        return getattr(own, attribute)

    return combine


def _ptrace(base: Runtime, own: Runtime) -> bool | None:
    if own.ptrace and not base.ptrace:
        raise _LooserError("ptrace")
    return base.ptrace if own.ptrace is None else own.ptrace


def _permission(attribute: str) -> Callable[[Runtime, Runtime], object]:
    """Return how a switch is combined that only tightens when it is off."""

    def combine(base: Runtime, own: Runtime) -> object:
        if getattr(own, attribute) and not getattr(base, attribute):
            raise _LooserError(attribute)
        return getattr(own, attribute)

    return combine


def _most(attribute: str) -> Callable[[Runtime, Runtime], object]:
    """Return how an upper limit is combined."""

    def combine(base: Runtime, own: Runtime) -> object:
        if getattr(own, attribute) > getattr(base, attribute):
            raise _LooserError(attribute.replace("_", "-"))
        return getattr(own, attribute)

    return combine


def _same(attribute: str) -> Callable[[Runtime, Runtime], object]:
    """Return how a name is combined of which none is stricter than another."""

    def combine(base: Runtime, own: Runtime) -> object:
        if getattr(own, attribute) != getattr(base, attribute):
            raise _LooserError(attribute)
        return getattr(own, attribute)

    return combine


def _union(attribute: str) -> Callable[[Runtime, Runtime], object]:
    return lambda base, own: _joined(getattr(base, attribute), getattr(own, attribute))


def _joined(base: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(base + own))


def _network(base: Runtime, own: Runtime) -> str | None:
    return _no("network", NETWORKS.index(str(own.network)) <= NETWORKS.index(str(base.network)), own.network)


def _namespaces(base: Runtime, own: Runtime) -> dict[str, str]:
    found = dict(base.namespaces or {})
    for name, value in (own.namespaces or {}).items():
        if found.get(name) == PRIVATE and value != PRIVATE:
            raise _LooserError(f"namespaces.{name}")
        found[name] = value
    return found


def _swap(base: Runtime, own: Runtime) -> int | None:
    theirs, ours = base.memory_swap, own.memory_swap
    if ours != NO_SWAP and (theirs == NO_SWAP or (theirs or 0) < (ours or 0)):
        raise _LooserError("memory-swap")
    return ours


def _lower(base: int | None, own: int | None, key: str) -> int | None:
    """Return the lower of two limits that need not be there, where `own` is not above `base`."""
    if own is None:
        return base
    if base is not None and own > base:
        raise _LooserError(key)
    return own


def _io(base: Runtime, own: Runtime) -> Io:
    theirs, ours = base.io or Io(), own.io or Io()
    devices = {limit.device: limit for limit in theirs.devices}
    for limit in ours.devices:
        old = devices.get(limit.device)
        if old is not None:
            merged = IoLimit(device=limit.device)
            for name in ("read_bps", "write_bps", "read_iops", "write_iops"):
                key = f"io.{limit.device}.{name.replace('_', '-')}"
                setattr(merged, name, _lower(getattr(old, name), getattr(limit, name), key))
            limit = merged
        devices[limit.device] = limit
    return Io(weight=_lower(theirs.weight, ours.weight, "io.weight"), devices=tuple(devices.values()))


def _tmpfs(base: Runtime, own: Runtime) -> dict[str, Tmpfs]:
    found = dict(base.tmpfs or {})
    for path, tmpfs in (own.tmpfs or {}).items():
        old = found.get(path) or found.get(EVERY)
        if old is not None:
            tmpfs = Tmpfs(
                size=_lower(old.size, tmpfs.size, f"tmpfs.{path}.size"),
                mode=tmpfs.mode or old.mode,
                options=_joined(old.options, tmpfs.options),
            )
        found[path] = tmpfs
    return found


def _devices(base: Runtime, own: Runtime) -> tuple[Grant, ...] | None:
    for grant in own.devices or ():
        if not any(each.covers(grant.type, grant.major, grant.minor, grant.access) for each in base.devices or ()):
            raise _LooserError("devices")
    return own.devices


def _proc(base: Runtime, own: Runtime) -> Proc:
    theirs, ours = base.proc or Proc(), own.proc or Proc()
    if ours.hidepid is not None and hidepid_of(ours.hidepid) < hidepid_of(theirs.hidepid):
        raise _LooserError("proc.hidepid")
    return Proc(subset=ours.subset or theirs.subset, hidepid=ours.hidepid or theirs.hidepid)


def _sysctls(base: Runtime, own: Runtime) -> Sysctls:
    theirs, ours = base.sysctls or Sysctls(), own.sysctls or Sysctls()
    allowed = Sysctls(allow=theirs.allow)
    for name in ours.allow:
        if name not in theirs.allow and not allowed.permits(name.removesuffix("*"), ""):
            raise _LooserError("sysctls.allow")
    for name, value in (ours.fixed or {}).items():
        if not theirs.permits(name, value):
            raise _LooserError(f"sysctls.set.{name}")
    return Sysctls(allow=ours.allow, fixed={**(theirs.fixed or {}), **(ours.fixed or {})} or None)


def _ulimits(base: Runtime, own: Runtime) -> dict[str, Ulimit]:
    found = dict(base.ulimits or {})
    for name, limit in (own.ulimits or {}).items():
        old = found.get(name)
        if old is not None and (_above(limit.soft, old.soft) or _above(limit.hard, old.hard)):
            raise _LooserError(f"ulimits.{name}")
        found[name] = limit
    return found


def _above(own: int, base: int) -> bool:
    return base >= 0 and (own < 0 or own > base)


def _mounts(base: Runtime, own: Runtime) -> Mounts:
    theirs, ours = base.mounts or Mounts(), own.mounts or Mounts()
    if theirs.restricted and ours.restricted:
        for path in ours.allow:
            if not any(below(path, allowed) for allowed in theirs.allow):
                raise _LooserError("mounts.allow")
    return Mounts(
        restricted=bool(theirs.restricted or ours.restricted),
        allow=ours.allow if ours.restricted else theirs.allow,
        deny=_joined(theirs.deny, ours.deny),
        options=_joined(theirs.options, ours.options),
    )


def _seccomp(base: Runtime, own: Runtime) -> object:
    if not is_no_looser(own.seccomp, base.seccomp):
        raise _LooserError("seccomp")
    return own.seccomp


_PERMISSIVE: Final = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY")
_CONDITIONS: Final = ("args", "includes", "excludes")


def is_no_looser(own: object, base: object) -> bool:
    """Tell whether a profile in Docker's format lets nothing through that another one does not, as far as their rules show it.

    Each call that it lets through the other must let through under the same conditions or under none, and each that the other refuses
    by a rule, it must refuse by the same one unless it never lets it through.
    """
    if own == base:
        return True
    if not isinstance(own, dict) or not isinstance(base, dict) or own.get("defaultAction") in _PERMISSIVE:
        return False
    if {*_architectures(own)} - {*_architectures(base)}:
        return False
    allowed = {(name, _conditions(rule)) for rule, name in _named(base) if rule.get("action") in _PERMISSIVE}
    lets = [(name, _conditions(rule)) for rule, name in _named(own) if rule.get("action") in _PERMISSIVE]
    base_default = base.get("defaultAction") in _PERMISSIVE
    if not base_default and any((name, conditions) not in allowed and (name, "") not in allowed for name, conditions in lets):
        return False
    refuses = {(name, _conditions(rule)) for rule, name in _named(own) if rule.get("action") not in _PERMISSIVE}
    names = {name for name, _ in lets}
    return all(
        name not in names or (name, _conditions(rule)) in refuses or (name, "") in refuses
        for rule, name in _named(base)
        if rule.get("action") not in _PERMISSIVE
    )


def _named(profile: Mapping[str, object]) -> list[tuple[Mapping[str, object], str]]:
    rules = profile.get("syscalls")
    found = []
    for rule in rules if isinstance(rules, list) else ():
        names = rule.get("names") or ([rule["name"]] if "name" in rule else [])
        found += [(rule, str(name)) for name in names]
    return found


def _conditions(rule: Mapping[str, object]) -> str:
    from json import dumps

    given = {key: rule[key] for key in _CONDITIONS if rule.get(key)}
    return dumps(given, sort_keys=True) if given else ""


def _architectures(profile: Mapping[str, object]) -> list[object]:
    rows, names = profile.get("archMap"), profile.get("architectures")
    found = [*names] if isinstance(names, list) else []
    for row in rows if isinstance(rows, list) else ():
        found += [row.get("architecture"), *(row.get("subArchitectures") or ())]
    return found


_COMBINE: Final[Mapping[str, Callable[[Runtime, Runtime], object]]] = {
    "user": _user,
    "capabilities": _capabilities,
    "no-new-privileges": _switch("no_new_privileges"),
    "read-only": _switch("read_only"),
    "tmpfs": _tmpfs,
    "network": _network,
    "namespaces": _namespaces,
    "memory": _most("memory"),
    "memory-swap": _swap,
    "pids": _most("pids"),
    "cpus": _most("cpus"),
    "cpu-shares": _most("cpu_shares"),
    "io": _io,
    "devices": _devices,
    "seccomp": _seccomp,
    "ptrace": _ptrace,
    "landlock": _switch("landlock"),
    "apparmor": _same("apparmor"),
    "selinux": _same("selinux"),
    "proc": _proc,
    "sysctls": _sysctls,
    "ulimits": _ulimits,
    "shm-size": _most("shm_size"),
    "masked-paths": _union("masked_paths"),
    "readonly-paths": _union("readonly_paths"),
    "mounts": _mounts,
    "privileged": _permission("privileged"),
    "init": _switch("init"),
}
