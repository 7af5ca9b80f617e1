"""Seccomp profiles in the JSON format of Docker and podman: read, and resolved for a machine, a kernel and the capabilities of a container.

A profile says which syscalls are let through. Docker's format adds conditions to that of the OCI runtime specification: architectures
with their companions (`archMap`), and rules for some architectures, kernels or capabilities only (`includes`, `excludes`). `resolved`
takes these out; `hardener.linux.filters` compiles what is left. Podman adds the names of errnos (`errno`, `defaultErrno`). Unknown keys,
names and values are errors: what was meant by them would not be enforced.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from hardener import data_folder
from hardener.errors import HardenError, suggest
from hardener.linux import filters, syscalls
from hardener.linux.names import CAPABILITIES
from hardener.record import NamedTuple

FOLDER: Final = "seccomp"
"""Where the profiles that ship with hardener lie, among the policies."""

LARGEST: Final = 4 << 20  # bytes of a profile; Docker's own has 16 KiB

_KEYS: Final = (
    *("comment", "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap"),
    *("flags", "listenerPath", "listenerMetadata", "syscalls"),
)
_RULE_KEYS: Final = ("name", "names", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes")
_CONDITION_KEYS: Final = ("caps", "arches", "minKernel")
_COMPANION_KEYS: Final = ("architecture", "subArchitectures")

FLAGS: Final = (
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
)

# Docker's names of architectures in `includes` and `excludes`: what a Go program calls the machine, and some of libseccomp's.
_ARCHES: Final = (
    *("386", "amd64", "arm", "arm64", "loong64", "loongarch64", "mips", "mips64", "mips64n32", "mips64p32", "mipsel", "mipsle", "mipsel64"),
    *("mips64le", "mips3l64n32", "mips64p32le", "mipsel64n32", "ppc", "ppc64", "ppc64le", "riscv64", "s390", "s390x", "x32", "x86"),
)
_MACHINES: Final = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}


class Condition(NamedTuple):
    """When a rule counts (`includes`) or does not (`excludes`)."""

    capabilities: tuple[str, ...] = ()  # CAP_…
    arches: tuple[str, ...] = ()  # in Docker's names
    min_kernel: tuple[int, int] | None = None


class Rule(NamedTuple):
    """What a profile does with some syscalls."""

    names: tuple[str, ...]
    action: str  # SCMP_ACT_…
    errno: int | None
    arguments: tuple[Mapping[str, object], ...]  # as the OCI runtime specification has them
    includes: Condition
    excludes: Condition
    comment: str


class Profile(NamedTuple):
    """A seccomp profile as it is written, with everything checked."""

    path: str
    default_action: str
    default_errno: int | None
    architectures: tuple[str, ...]  # SCMP_ARCH_…
    companions: tuple[tuple[str, tuple[str, ...]], ...]  # archMap
    flags: tuple[str, ...]
    listener: tuple[tuple[str, str], ...]  # listenerPath and listenerMetadata
    rules: tuple[Rule, ...]


def names() -> tuple[str, ...]:
    """Return the profiles that ship with hardener."""
    import os

    folder = os.path.join(data_folder("policies"), FOLDER)
    return tuple(sorted(entry.removesuffix(".json") for entry in os.listdir(folder) if entry.endswith(".json")))


def find(what: str) -> str:
    """Return the path of a profile that is named, or that is a file (anything with a slash or an ending)."""
    import os

    if "/" in what or what.endswith(".json"):
        return what
    if what not in names():
        raise HardenError(
            f"unknown seccomp profile {what!r}",
            how=suggest(what, names()) or f"there are {', '.join(names())}; a file needs its ending (.json)",
        )
    return os.path.join(data_folder("policies"), FOLDER, f"{what}.json")


def load(what: str) -> Profile:
    """Return a profile by its name, or from a file. Raises `HardenError` for anything that is not a profile."""
    path = find(what)
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise HardenError(
            f"cannot read the seccomp profile: {error.strerror}", where=path, how="check the path and its permissions"
        ) from None
    return parse(content, path)


def key(content: bytes, *, machine: str, capabilities: Iterable[str], kernel: tuple[int, int]) -> str:
    """Return a name for the compiled form of a profile: equal only where the program is.

    It takes the bytes of the file, so that who finds the program under it need not read the profile at all.
    """
    import hashlib

    rest = "\n".join((str(filters.VERSION), machine, f"{kernel[0]}.{kernel[1]}", *sorted(capabilities)))
    return hashlib.sha256(hashlib.sha256(content).digest() + rest.encode()).hexdigest()


def parse(content: bytes, path: str) -> Profile:
    """Return the profile in the bytes of a file. Raises `HardenError` with the place of anything that is not one."""
    import json

    if len(content) > LARGEST:
        raise HardenError(f"a seccomp profile has no more than {LARGEST >> 20} MiB", where=path)
    try:
        root = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_without_repetition)
    except UnicodeDecodeError as error:
        raise HardenError("the seccomp profile is not UTF-8", where=f"{path}: byte {error.start}", how="save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise HardenError(
            f"not JSON: {error.msg}", where=f"{path}:{error.lineno}:{error.colno}", how="check it with: python3 -m json.tool"
        ) from None
    except _Repeated as error:
        raise HardenError(f"the key {error.args[0]!r} stands twice in one object", where=path, how="remove one of them") from None
    except RecursionError:
        raise HardenError("the profile is nested too deeply", where=path) from None
    return _Reader(path).profile(root)


def resolved(profile: Profile, *, machine: str, capabilities: Collection[str], kernel: tuple[int, int]) -> dict[str, object]:
    """Return `linux.seccomp` of a config.json: what a profile says on a machine (`uname -m`) with a kernel, for capabilities (CAP_…)."""
    if machine not in _MACHINES:
        raise HardenError(f"there are no seccomp filters for {machine} machines", how="x86_64 and aarch64 have them")
    arch, native = _MACHINES[machine]
    architectures = list(profile.architectures)
    for architecture, companions in profile.companions:
        if architecture == native:
            architectures = [architecture, *companions]
            break
    found: dict[str, object] = {"defaultAction": profile.default_action}
    if profile.default_errno is not None:
        found["defaultErrnoRet"] = profile.default_errno
    if architectures:
        found["architectures"] = architectures
    if profile.flags:
        found["flags"] = list(profile.flags)
    found.update(profile.listener)
    entries = []
    for rule in profile.rules:
        if _counts(rule, arch, capabilities, kernel):
            entry: dict[str, object] = {"names": list(rule.names), "action": rule.action}
            if rule.errno is not None:
                entry["errnoRet"] = rule.errno
            if rule.arguments:
                entry["args"] = [dict(argument) for argument in rule.arguments]
            entries.append(entry)
    found["syscalls"] = entries
    return found


def allowing(profile: Profile, allowed: Iterable[str]) -> Profile:
    """Return a profile that lets some more syscalls through, whatever their arguments, and refuses what else it refused.

    Raises `HardenError` for a name that no Linux has.
    """
    more = tuple(dict.fromkeys(allowed))
    for name in more:
        if not syscalls.is_known(name):
            raise filters.unknown_syscall(name, "")
    rules = []
    for rule in profile.rules:
        left = tuple(name for name in rule.names if name not in more)
        if left:
            rules.append(rule._replace(names=left))
    if more:
        rules.append(Rule(more, "SCMP_ACT_ALLOW", None, (), Condition(), Condition(), ""))
    return profile._replace(rules=tuple(rules))


def _counts(rule: Rule, arch: str, capabilities: Collection[str], kernel: tuple[int, int]) -> bool:
    """Tell whether a rule is for a container: Docker wants all capabilities of `includes`, and none of `excludes`."""
    wanted, unwanted = rule.includes, rule.excludes
    if arch in unwanted.arches or any(name in capabilities for name in unwanted.capabilities):
        return False
    if unwanted.min_kernel is not None and kernel >= unwanted.min_kernel:
        return False
    if wanted.arches and arch not in wanted.arches:
        return False
    if wanted.min_kernel is not None and kernel < wanted.min_kernel:
        return False
    return all(name in capabilities for name in wanted.capabilities)


class _Repeated(ValueError):
    """A key that an object has twice: Go takes the last, and who reads the file perhaps the first."""


def _without_repetition(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _Repeated(name)
        found[name] = value
    return found


class _Reader:
    """Reads the parts of one profile; every error names the file and the part."""

    def __init__(self, path: str) -> None:
        self.path = path

    def error(self, what: str, part: str, how: str = "") -> HardenError:
        return HardenError(what, where=f"{self.path}: {part}" if part else self.path, how=how)

    def profile(self, root: object) -> Profile:
        fields = self.mapping(root, "", _KEYS)
        if "defaultAction" not in fields:
            raise self.error("the profile has no defaultAction", "", "SCMP_ACT_ERRNO refuses what no rule names")
        errno = self.errno(fields.get("defaultErrnoRet"), fields.get("defaultErrno"), "defaultErrno")
        filters.read_action(fields["defaultAction"], errno, f"{self.path}: defaultAction")
        if fields.get("architectures") and fields.get("archMap"):
            raise self.error("the profile has both architectures and archMap", "archMap", "Docker takes one of them")
        listener = tuple((name, self.text(fields[name], name)) for name in ("listenerPath", "listenerMetadata") if fields.get(name))
        return Profile(
            self.path,
            self.text(fields["defaultAction"], "defaultAction"),
            errno,
            self.words(fields.get("architectures"), "architectures", filters.ARCHITECTURES, "architecture"),
            tuple(
                self.companions(entry, f"archMap[{position}]")
                for position, entry in enumerate(self.items(fields.get("archMap"), "archMap"))
            ),
            self.words(fields.get("flags"), "flags", FLAGS, "flag"),
            listener,
            tuple(
                self.rule(entry, f"syscalls[{position}]") for position, entry in enumerate(self.items(fields.get("syscalls"), "syscalls"))
            ),
        )

    def rule(self, entry: object, part: str) -> Rule:
        fields = self.mapping(entry, part, _RULE_KEYS)
        where = f"{self.path}: {part}"
        if fields.get("name") and fields.get("names"):
            raise self.error("the rule has both name and names", part, "Docker takes one of them")
        found = (self.text(fields["name"], f"{part}.name"),) if fields.get("name") else self.words(fields.get("names"), f"{part}.names")
        if not found:
            raise self.error("the rule names no syscalls", part)
        for name in found:
            if not syscalls.is_known(name):
                raise filters.unknown_syscall(name, f"{where}.names")
        if "action" not in fields:
            raise self.error("the rule has no action", part, f"there are {', '.join(filters.ACTIONS)}")
        errno = self.errno(fields.get("errnoRet"), fields.get("errno"), f"{part}.errno")
        filters.read_action(fields["action"], errno, where)
        arguments = self.items(fields.get("args"), f"{part}.args")
        filters.read_tests(arguments, f"{where}.args")
        return Rule(
            found,
            self.text(fields["action"], f"{part}.action"),
            errno,
            tuple(argument for argument in arguments if isinstance(argument, dict)),
            self.condition(fields.get("includes"), f"{part}.includes"),
            self.condition(fields.get("excludes"), f"{part}.excludes"),
            self.text(fields.get("comment") or "", f"{part}.comment"),
        )

    def condition(self, value: object, part: str) -> Condition:
        if value is None:
            return Condition()
        fields = self.mapping(value, part, _CONDITION_KEYS)
        version = fields.get("minKernel")
        return Condition(
            self.capabilities(fields.get("caps"), f"{part}.caps"),
            self.words(fields.get("arches"), f"{part}.arches", _ARCHES, "architecture"),
            None if version is None else self.version(version, f"{part}.minKernel"),
        )

    def capabilities(self, value: object, part: str) -> tuple[str, ...]:
        found = self.words(value, part)
        if found:
            known = [f"CAP_{name}" for name in CAPABILITIES]
            for name in found:
                if name not in known:
                    raise self.error(f"unknown capability {name!r}", part, suggest(name, known) or "they are written CAP_SYS_ADMIN")
        return found

    def version(self, value: object, part: str) -> tuple[int, int]:
        major, dot, minor = self.text(value, part).partition(".")
        if not (dot and major.isdecimal() and minor.isdecimal()):
            raise self.error(f"{value!r} is no version of a kernel", part, 'it is written "4.8"')
        return int(major), int(minor)

    def companions(self, value: object, part: str) -> tuple[str, tuple[str, ...]]:
        fields = self.mapping(value, part, _COMPANION_KEYS)
        (architecture,) = self.words([fields.get("architecture")], f"{part}.architecture", filters.ARCHITECTURES, "architecture")
        return architecture, self.words(fields.get("subArchitectures"), f"{part}.subArchitectures", filters.ARCHITECTURES, "architecture")

    def mapping(self, value: object, part: str, keys: Sequence[str]) -> dict[str, object]:
        if not isinstance(value, dict):
            raise self.error("an object was expected here" if part else "a seccomp profile is a JSON object", part)
        for name in value:
            if name not in keys:
                raise self.error(f"unknown key {name!r}", part, suggest(name, list(keys)) or f"there are {', '.join(keys)}")
        return value

    def items(self, value: object, part: str) -> Sequence[object]:
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.error("a list was expected here", part)
        return value

    def words(self, value: object, part: str, known: Sequence[str] = (), kind: str = "") -> tuple[str, ...]:
        found = []
        for word in self.items(value, part):
            if not isinstance(word, str):
                raise self.error(f"{word!r} is no text", part)
            if known and word not in known:
                raise self.error(f"unknown {kind} {word!r}", part, suggest(word, list(known)) or f"there are {', '.join(known)}")
            found.append(word)
        return tuple(found)

    def text(self, value: object, part: str) -> str:
        if not isinstance(value, str):
            raise self.error(f"{value!r} is no text", part)
        return value

    def errno(self, number: object, name: object, part: str) -> int | None:
        """Return the errno that is given as a number, as a name (EPERM), or as both."""
        if name:
            import errno

            named = {text: code for code, text in errno.errorcode.items()}.get(self.text(name, part))
            if named is None:
                raise self.error(f"unknown errno {name!r}", part, suggest(str(name), list(errno.errorcode.values())))
            if number not in (None, named):
                raise self.error(f"{name} is {named}, and errnoRet says {number}", part, "remove one of them")
            return named
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise self.error(f"{number!r} is no errno", f"{part}Ret")
        return number
