"""Seccomp filters: from the rules of an OCI config.json (`linux.seccomp`) to the BPF program that the kernel runs.

What a filter means:

- A rule holds when all of its arguments do. Of the rules that hold for a call the strictest action decides, in the kernel's own order
  (KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, NOTIFY, TRACE, LOG, ALLOW), the first of equals; without one, the default action.
  libseccomp gives the same, except that there a rule without arguments hides all others of its syscall: a refusal beside a plain
  permission would be dropped in silence.
- A syscall with a number above all that the profile names for its architecture did not exist for who wrote it: it fails with ENOSYS, so
  that programs fall back, unless the default is to let calls through (runc has the same rule).
- An architecture that is not named kills the process; x32 calls under x86_64 get ENOSYS, as from a kernel without x32.
- A 32-bit x86 program may call `socket` and System V IPC through `socketcall` and `ipc`, where their arguments are out of sight. A rule
  for such a name speaks for that way in too; with arguments, only if it refuses.
"""

from __future__ import annotations

from hardener.errors import HardenError, suggest
from hardener.linux import bpf, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

VERSION = 1
"""Changes whenever the same rules may give another program: part of the key of what is cached."""

ENOSYS, EPERM = 38, 1

KILL_PROCESS, KILL_THREAD, TRAP, ERRNO = 0x80000000, 0x00000000, 0x00030000, 0x00050000
NOTIFY, TRACE, LOG, ALLOW = 0x7FC00000, 0x7FF00000, 0x7FFC0000, 0x7FFF0000

ACTIONS = {
    "SCMP_ACT_KILL": KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_KILL_THREAD": KILL_THREAD,
    "SCMP_ACT_TRAP": TRAP,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_NOTIFY": NOTIFY,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_ALLOW": ALLOW,
}
"""SECCOMP_RET_* of <linux/seccomp.h> by the names of the OCI runtime specification."""

LARGEST_ERRNO = {ERRNO: 4095, TRACE: 0xFFFF}
"""The actions that take an `errnoRet`, and its largest value: MAX_ERRNO for what becomes an error, 16 bits for a tracer."""

OPERATORS = (
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
)

OCI_ARCHITECTURES = {
    "SCMP_ARCH_X86_64": "x86_64",
    "SCMP_ARCH_X86": "i386",
    "SCMP_ARCH_X32": "x32",
    "SCMP_ARCH_AARCH64": "aarch64",
    "SCMP_ARCH_ARM": "arm",
}
"""Our names for those architectures of the OCI runtime specification that a filter can be built for."""

ARCHITECTURES = (
    *OCI_ARCHITECTURES,
    *("SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32"),
    *("SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_PARISC"),
    *("SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB"),
)
"""All architectures of the OCI runtime specification."""

_WHOLE = (1 << 64) - 1
_WORD = (1 << 32) - 1

# <linux/net.h> and <linux/ipc.h>: what i386 programs pass to socketcall and ipc as the first argument.
_SOCKETCALLS = (
    *("socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv", "sendto", "recvfrom"),
    *("shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg"),
)
_IPCCALLS = dict(
    zip(
        ("semop", "semget", "semctl", "semtimedop", "msgsnd", "msgrcv", "msgget", "msgctl", "shmat", "shmdt", "shmget", "shmctl"),
        (1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24),
        strict=True,
    )
)

# Where the kernel before 5.4 also took x32's own calls from a 64-bit program, without the bit that marks x32.
_X32_ALIASES = (512, 548)


Test = tuple[int, int, str, int, int]
"""One comparison of an argument: its index, the part that is looked at (0 all 64 bits, 1 the low 32), the operator, a value, a mask.

The operators are "=" (the bits under the mask are the value), "!" (differs), ">" (is the value or exceeds it) and "<".
"""

Rule = tuple[tuple[Test, ...], int]
"""Tests, and the action that is meant when all of them hold."""

Rules = tuple[Rule, ...]
"""The rules of one syscall, the strictest first, with the node of a program in the place of the action."""

_TOGETHER = 256  # rules that are looked at together; only profiles made to hurt have more for one syscall
_COMPARED = 16  # rules that each other one is compared with


def compile_filter(seccomp: Mapping[str, object], architecture: str, *, ignore_unknown: bool = False) -> bytes:
    """Return the BPF program for `linux.seccomp` of a config.json, on a machine of an architecture (`uname -m`).

    With `ignore_unknown`, names that no Linux known here has are left out of rules that only let more through than the default.
    Raises `HardenError` for anything that the specification does not have.
    """
    default = read_action(seccomp.get("defaultAction"), seccomp.get("defaultErrnoRet"), "linux.seccomp.defaultAction")
    graph = bpf.Graph()
    ranges: dict[int, list[tuple[int, int]]] = {}
    rules = list(_rules(seccomp))
    chosen = _architectures(seccomp, architecture)
    for name in chosen:
        ranges.setdefault(syscalls.AUDIT[name], []).extend(_section(graph, name, rules, default, ignore_unknown=ignore_unknown))
    if "x86_64" in chosen and "x32" not in chosen:
        ranges[syscalls.AUDIT["x86_64"]].append((syscalls.X32_BIT, graph.action(ERRNO | ENOSYS)))
    root = graph.action(KILL_PROCESS)
    for audit in reversed(ranges):
        root = graph.equal(audit, graph.load(bpf.NUMBER, graph.search(sorted(ranges[audit]))), root)
    return graph.assemble(graph.load(bpf.ARCHITECTURE, root))


def read_action(name: object, errno: object, where: str) -> int:
    """Return the SECCOMP_RET_* value of an action and its `errnoRet`, EPERM without one."""
    if not isinstance(name, str) or name not in ACTIONS:
        how = suggest(name, list(ACTIONS)) if isinstance(name, str) else ""
        raise HardenError(f"unknown seccomp action {name!r}", where=where, how=how or f"there are {', '.join(ACTIONS)}")
    action = ACTIONS[name]
    largest = LARGEST_ERRNO.get(action)
    if errno is None:
        return action if largest is None else action | EPERM
    if largest is None:
        raise HardenError(f"{name} takes no errno", where=where, how="only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do")
    if isinstance(errno, bool) or not isinstance(errno, int) or not 0 <= errno <= largest:
        raise HardenError(f"{errno!r} is no errno of {name}", where=where, how=f"it is a number from 0 to {largest}")
    return action | errno


def read_tests(arguments: object, where: str) -> tuple[tuple[Test, ...], ...]:
    """Return the alternatives that the `args` of a rule ask for: one, unless they name several values of a single argument.

    Docker and runc take several tests of one argument as alternatives, whatever else a rule asks for. Values to be equal to cannot mean
    anything else, and are taken so; other tests read as a range and would be none: an error says so.
    """
    if arguments is None:
        return ((),)
    if not isinstance(arguments, (list, tuple)):
        raise HardenError("the arguments of a seccomp rule are a list", where=where)
    tests = [_read_test(argument, f"{where}[{position}]") for position, argument in enumerate(arguments)]
    indexes = [test[0] for test in tests]
    if len(set(indexes)) == len(indexes):
        return (tuple(tests),)
    if len(set(indexes)) == 1 and all(test[2] == "=" and test[4] == _WHOLE for test in tests):
        return tuple((test,) for test in tests)
    repeated = next(index for index in indexes if indexes.count(index) > 1)
    raise HardenError(
        f"a seccomp rule tests argument {repeated} more than once",
        where=where,
        how="Docker lets each test alone suffice, which is rarely meant: write a rule for each",
    )


def _read_test(argument: object, where: str) -> Test:
    if not isinstance(argument, dict):
        raise HardenError("an argument of a seccomp rule is an object with index, value and op", where=where)
    unknown = [key for key in argument if key not in ("index", "value", "valueTwo", "op")]
    if unknown:
        raise HardenError(f"unknown key {unknown[0]!r}", where=where, how="an argument has index, value, valueTwo and op")
    index = _number(argument.get("index"), 5, f"{where}.index")
    value = _number(argument.get("value"), _WHOLE, f"{where}.value")
    second = _number(argument.get("valueTwo", 0), _WHOLE, f"{where}.valueTwo")
    operator = argument.get("op")
    if not isinstance(operator, str) or operator not in OPERATORS:
        how = suggest(operator, OPERATORS) if isinstance(operator, str) else ""
        raise HardenError(f"unknown operator {operator!r}", where=f"{where}.op", how=how or f"there are {', '.join(OPERATORS)}")
    if operator == "SCMP_CMP_MASKED_EQ":
        if second & ~value:
            raise HardenError(
                f"no argument under the mask {value:#x} equals {second:#x}",
                where=f"{where}.valueTwo",
                how="`value` is the mask and `valueTwo` what is left under it: are they swapped?",
            )
        return (index, 0, "=", second, value)
    if second:
        raise HardenError(f"{operator} compares with one value", where=f"{where}.valueTwo", how="only SCMP_CMP_MASKED_EQ has a valueTwo")
    # Everything is one of four comparisons; 2**64 stands for "exceeds every number".
    sign, shift = {"EQ": ("=", 0), "NE": ("!", 0), "GE": (">", 0), "GT": (">", 1), "LT": ("<", 0), "LE": ("<", 1)}[operator[9:]]
    return (index, 0, sign, value + shift, _WHOLE)


def _number(value: object, largest: int, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        raise HardenError(f"{value!r} is not a number from 0 to {largest}", where=where)
    return value


def _architectures(seccomp: Mapping[str, object], native: str) -> list[str]:
    """Return the architectures of a filter, the machine's own first: it is always among them."""
    if native not in ("x86_64", "aarch64"):
        raise HardenError(f"there are no seccomp filters for {native} machines", how="x86_64 and aarch64 have them")
    listed = seccomp.get("architectures") or ()
    if not isinstance(listed, (list, tuple)):
        raise HardenError("the architectures of a seccomp filter are a list", where="linux.seccomp.architectures")
    chosen = [native]
    for name in listed:
        if name not in ARCHITECTURES:
            how = suggest(name, ARCHITECTURES) if isinstance(name, str) else ""
            raise HardenError(f"unknown architecture {name!r}", where="linux.seccomp.architectures", how=how or "SCMP_ARCH_X86_64 is one")
        architecture = OCI_ARCHITECTURES.get(name)
        if architecture in syscalls.COMPANIONS[native] and architecture not in chosen:  # no program of the others runs on this machine
            chosen.append(architecture)
    return chosen


def _rules(seccomp: Mapping[str, object]) -> Iterator[tuple[list[str], tuple[tuple[Test, ...], ...], int, str]]:
    """Yield the names, alternatives, action and place of each entry of `syscalls`."""
    entries = seccomp.get("syscalls") or ()
    if not isinstance(entries, (list, tuple)):
        raise HardenError("the rules of a seccomp filter are a list", where="linux.seccomp.syscalls")
    for position, entry in enumerate(entries):
        where = f"linux.seccomp.syscalls[{position}]"
        names = entry.get("names") if isinstance(entry, dict) else None
        if (
            not isinstance(entry, dict)
            or not isinstance(names, (list, tuple))
            or not names
            or not all(isinstance(name, str) for name in names)
        ):
            raise HardenError("a seccomp rule needs the names of its syscalls", where=where)
        yield (
            list(names),
            read_tests(entry.get("args"), f"{where}.args"),
            read_action(entry.get("action"), entry.get("errnoRet"), where),
            where,
        )


def unknown_syscall(name: str, where: str) -> HardenError:
    """Return the error for a name that no Linux has."""
    return HardenError(f"unknown syscall {name!r}", where=where, how=suggest(name, syscalls.names()) or "see man 2 syscalls")


def _section(
    graph: bpf.Graph,
    architecture: str,
    rules: Sequence[tuple[list[str], tuple[tuple[Test, ...], ...], int, str]],
    default: int,
    *,
    ignore_unknown: bool,
) -> list[tuple[int, int]]:
    """Return where the numbers of an architecture start that go to the same node."""
    table = syscalls.numbers(architecture)
    found: dict[int, list[Rule]] = {}
    for names, alternatives, action, where in rules:
        for name in names:
            number = table.get(name)
            if number is None and not syscalls.is_known(name) and not (ignore_unknown and _strictness(action) >= _strictness(default)):
                raise unknown_syscall(name, f"{where}.names")
            for tests in alternatives:
                if number is not None:
                    found.setdefault(number, []).append((tests, action))
                refuses = _strictness(action) < _strictness(default)
                detour = _multiplexed(name, refuses=refuses) if architecture == "i386" else None
                if detour is not None and (refuses or not tests):
                    found.setdefault(table[detour[0]], []).append(((detour[1],), action))
    nodes = {number: _decide(graph, rules, default, syscalls.WORD_BITS[architecture]) for number, rules in found.items()}
    otherwise, absent = graph.action(default), graph.action(ERRNO | ENOSYS)
    starts = {syscalls.X32_BIT if architecture == "x32" else 0: otherwise}
    if architecture == "arm":
        starts[syscalls.ARM_PRIVATE] = otherwise
    if default in (ALLOW, LOG) or _kind(default) == TRACE:
        if architecture == "x86_64":
            starts.update((number, absent) for number in range(*_X32_ALIASES))
            starts[_X32_ALIASES[1]] = otherwise
    elif nodes:
        newest = max((number for number in nodes if architecture != "arm" or number < syscalls.ARM_PRIVATE), default=None)
        if newest is not None:
            starts[newest + 1] = absent
    for number in nodes:
        starts.setdefault(number + 1, otherwise)
    return sorted((starts | nodes).items())


def _multiplexed(name: str, *, refuses: bool) -> tuple[str, Test] | None:
    """Return the i386 syscall through which a name can be called as well, and the test of its first argument."""
    if name in _SOCKETCALLS:
        return "socketcall", (0, 0, "=", _SOCKETCALLS.index(name) + 1, _WORD)
    if name in _IPCCALLS:
        # The upper 16 bits are a version that the kernel does not refuse: with them set, the call is the same.
        return "ipc", (0, 0, "=", _IPCCALLS[name], 0xFFFF if refuses else _WORD)
    return None


def _kind(action: int) -> int:
    return action & 0xFFFF0000


def _strictness(action: int) -> int:
    """Return a number that is lower the stricter an action is: the kernel compares them as signed numbers, too."""
    kind = _kind(action)
    return kind - (1 << 32) if kind & KILL_PROCESS else kind


def _decide(graph: bpf.Graph, rules: list[Rule], default: int, bits: int) -> int:
    """Return the node that finds the action for a syscall with these rules."""
    ordered = sorted(rules, key=lambda rule: _strictness(rule[1]))
    targets = tuple((tests, graph.action(action)) for tests, action in ordered)
    known = _restricted(targets, _settled if bits == 64 else _settled_in_32_bits)
    return _chain(graph, known, graph.action(default))


def _chain(graph: bpf.Graph, rules: Rules, otherwise: int) -> int:
    """Return the node for rules: a decision that looks at each word once, or several behind one another where that explodes."""
    if len(rules) <= _TOGETHER:
        try:
            return _Decision(graph, rules, otherwise).node(rules, None)
        except _Explodes:
            pass
    half = len(rules) // 2
    return _chain(graph, rules[:half], _chain(graph, rules[half:], otherwise))


class _Explodes(Exception):
    """A decision takes many more nodes than its rules have tests."""


class _Decision:
    """Rules of one syscall, resolved word by word: what is known of a word decides, drops or shortens the rules that are left."""

    __slots__ = ("_graph", "_most", "_otherwise", "_seen")

    def __init__(self, graph: bpf.Graph, rules: Rules, otherwise: int) -> None:
        self._graph = graph
        self._otherwise = otherwise
        self._seen: dict[Rules, int] = {}
        self._most = len(graph) + 16 + 6 * sum(len(tests) for tests, _ in rules)  # one behind the other they take up to four nodes each

    def node(self, rules: Rules, loaded: tuple[int, int] | None) -> int:
        """Return the node for rules, where the word `loaded` is ready to be tested."""
        rules = _shortened(rules, self._otherwise)
        if not rules:
            return self._otherwise
        if not rules[0][0]:
            return rules[0][1]
        word = min(test[:2] for tests, _ in rules for test in tests)
        if rules not in self._seen:
            if len(self._graph) > self._most and len(rules) > 1:
                raise _Explodes
            self._seen[rules] = self._look(rules, word)
        return self._seen[rules] if loaded == word else self._graph.load(bpf.argument(word[0]) + (0 if word[1] else 4), self._seen[rules])

    def _look(self, rules: Rules, word: tuple[int, int]) -> int:
        """Return the node that tests a loaded word."""
        tests = {test for tests, _ in rules for test in tests if test[:2] == word}
        cuts = {cut for test in tests if not _is_masked(test) for cut in _cuts(test)}
        if cuts:
            starts = sorted((cuts | {0}) - {_WORD + 1})
            ends = [*starts[1:], _WORD + 1]
            live = _live(rules, word)
            return self._graph.search(
                (start, self.node(_within(live(start), word, start, end), word)) for start, end in zip(starts, ends, strict=True)
            )
        literal = min(tests)
        mask, value = _bits(literal)
        one_bit = mask & (mask - 1) == 0
        still = word if one_bit or not value else None  # otherwise masking spoils the loaded word
        yes = self.node(_restricted(rules, lambda test: _assumed(test, literal, holds=True)), still)
        no = self.node(_restricted(rules, lambda test: _assumed(test, literal, holds=False)), still)
        if not value:
            return self._graph.any_bit(mask, no, yes)
        if one_bit:
            return self._graph.any_bit(mask, yes, no)
        return yes if yes == no else self._graph.masked(mask, self._graph.equal(value, yes, no))


def _shortened(rules: Rules, otherwise: int) -> Rules:
    """Return rules without those that cannot decide: behind one that always holds, implied by one before, or no different from none."""
    kept: list[tuple[tuple[Test, ...], int]] = []
    for tests, node in rules:
        if len(kept) <= _COMPARED and any(set(before) <= set(tests) for before, _ in kept):
            continue
        kept.append((tests, node))
        if not tests:
            break
    while kept and kept[-1][1] == otherwise:
        kept.pop()
    return tuple(kept)


def _restricted(rules: Rules, known: Callable[[Test], Test | bool]) -> Rules:
    """Return the rules that may still hold, with the tests that are still open."""
    left = []
    for tests, node in rules:
        results = [known(test) for test in tests]
        if False not in results:
            left.append((tuple(sorted({test for test in results if not isinstance(test, bool)})), node))
    return tuple(left)


def _live(rules: Rules, word: tuple[int, int]) -> Callable[[int], Rules]:
    """Return a function that finds the rules which may hold when a word is a value, or in a range that starts there.

    Those that want it to be equal to something are found by that: looking at all of them for each of their values takes long.
    """
    pinned: dict[int, list[tuple[int, Rule]]] = {}
    free: list[tuple[int, Rule]] = []
    for position, rule in enumerate(rules):
        wanted = [_bits(test)[1] for test in rule[0] if test[:2] == word and test[2] == "=" and not _is_masked(test)]
        (pinned.setdefault(wanted[0], []) if wanted else free).append((position, rule))
    return lambda value: tuple(rule for _, rule in sorted(free + pinned.get(value, [])))


def _within(rules: Rules, word: tuple[int, int], start: int, end: int) -> Rules:
    """Return what is left of rules when a word is at least `start` and less than `end`, and no comparison tells these apart."""
    return _restricted(rules, lambda test: _compared(test, start, end) if test[:2] == word else test)


def _compared(test: Test, start: int, end: int) -> Test | bool:
    """Return what is left of a test when its word lies in a range that its cuts do not divide."""
    index, part, operator, value, mask = test
    bits, wanted = _bits(test)
    if _is_masked(test):
        if end - start > 1:
            return test
        if start & bits != wanted:
            return False
    elif start != wanted:
        return {"=": False, "!": True, ">": start > wanted, "<": start < wanted}[operator]
    if part:
        return operator in "=>"
    return _settled((index, 1, operator, value & _WORD, mask & _WORD))


def _assumed(test: Test, literal: Test, *, holds: bool) -> Test | bool:
    """Return what is left of a test when the masked bits of a word are, or are not, what `literal` says."""
    if test[:2] != literal[:2]:
        return test
    mask, value = _bits(test)
    if mask != _bits(literal)[0]:
        return test
    if value != _bits(literal)[1]:
        return False if holds else test
    if not holds:
        return False
    index, part, operator, _, _ = test
    return True if part else _settled((index, 1, operator, test[3] & _WORD, test[4] & _WORD))


def _settled(test: Test) -> Test | bool:
    """Return whether a test always or never holds, or else the test, on the low word only if the high one does not matter."""
    index, part, operator, value, mask = test
    too_much = 1 << (32 if part else 64)
    if operator in "<>" and value in (0, too_much):
        return (operator == ">") == (value == 0)
    if mask == 0:
        return True
    return (index, 1, operator, value, mask) if not part and not mask >> 32 else test


def _settled_in_32_bits(test: Test) -> Test | bool:
    """Return the same for a machine word of 32 bits, whose high ones are zero."""
    settled = _settled(test)
    return settled if isinstance(settled, bool) or settled[1] else _compared(settled, 0, 1)


def _bits(test: Test) -> tuple[int, int]:
    """Return the mask and the value of a test, in the word that it looks at."""
    _, part, _, value, mask = test
    return (mask, value) if part else (mask >> 32, value >> 32)


def _is_masked(test: Test) -> bool:
    return _bits(test)[0] != _WORD


def _cuts(test: Test) -> tuple[int, ...]:
    """Return where in its word a test changes its mind."""
    value = _bits(test)[1]
    return (value,) if test[1] and test[2] in "<>" else (value, value + 1)
