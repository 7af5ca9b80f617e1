"""Classic BPF programs for seccomp: a graph of tests, and its assembly into `struct sock_filter[]`.

A program reads 32-bit words of `struct seccomp_data` and ends in an action. It is built here as a graph whose equal parts exist once, and
laid out from its end, so that every jump goes forward, as the kernel demands. Only loads, AND, jumps and returns of constants are used:
for these the kernel works out at installation which syscalls are always allowed, and never runs the program for them
(`seccomp_is_const_allow` in kernel/seccomp.c).
"""

from __future__ import annotations

from hardener.errors import HardenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 4096
"""The most instructions that the kernel takes: BPF_MAXINSNS of <linux/bpf_common.h>."""

NUMBER, ARCHITECTURE = 0, 4
"""Offsets in `struct seccomp_data`: the number of the syscall, its AUDIT_ARCH_*."""

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_JUMP = 0x05  # BPF_JMP | BPF_JA
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45  # BPF_JMP | BPF_K with BPF_JEQ, BPF_JGE, BPF_JSET

_REACH = 255  # how far a conditional jump goes
_NEVER = 1 << 20  # a cost that no tree has


def argument(index: int) -> int:
    """Return the offset of the low 32 bits of an argument; the high ones follow (little-endian machines only)."""
    return 16 + 8 * index


class Graph:
    """A program under construction. Nodes are numbers; a node that is made twice is the same node."""

    __slots__ = ("_known", "_nodes")

    def __init__(self) -> None:
        self._nodes: list[tuple[int, int, int, int]] = []  # code, constant, next or where-true, where-false
        self._known: dict[tuple[int, int, int, int], int] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def action(self, value: int) -> int:
        """Return the node that ends the program with a SECCOMP_RET_* value."""
        return self._node(_RETURN, value, 0, 0)

    def load(self, offset: int, then: int) -> int:
        """Return a node that puts a word of `seccomp_data` where `then` tests it."""
        return then if self._nodes[then][0] in (_RETURN, _LOAD) else self._node(_LOAD, offset, then, 0)

    def masked(self, mask: int, then: int) -> int:
        """Return a node that leaves only the bits of `mask` of the loaded word."""
        return self._node(_AND, mask, then, 0)

    def equal(self, value: int, yes: int, no: int) -> int:
        """Return a node that goes to `yes` when the loaded word is `value`."""
        return yes if yes == no else self._node(_EQUAL, value, yes, no)

    def at_least(self, value: int, yes: int, no: int) -> int:
        """Return a node that goes to `yes` when the loaded word is `value` or more, as unsigned numbers."""
        return yes if yes == no else self._node(_AT_LEAST, value, yes, no)

    def any_bit(self, bits: int, yes: int, no: int) -> int:
        """Return a node that goes to `yes` when the loaded word has one of `bits`."""
        return yes if yes == no else self._node(_ANY_BIT, bits, yes, no)

    def search(self, starts: Iterable[tuple[int, int]]) -> int:
        """Return the smallest tree that sends the loaded word to the node of the range it lies in.

        Each range is given by where it starts and its node, in order, the first from 0; it goes up to the next.
        """
        ranges: list[tuple[int, int]] = []
        for start, node in starts:
            if not ranges or ranges[-1][1] != node:
                ranges.append((start, node))
        return self._tree(_segments(ranges))

    def assemble(self, root: int) -> bytes:
        """Return the program that starts at `root`, for SECCOMP_SET_MODE_FILTER.

        Raises `HardenError` when it has more instructions than the kernel takes.
        """
        layout = _Layout(self._nodes)
        layout.place(root)
        if len(layout.code) > LIMIT:
            raise HardenError(
                f"the seccomp filter takes {len(layout.code)} instructions, and the kernel's limit is {LIMIT}",
                how="remove tests of arguments from the profile, or architectures",
            )
        return b"".join(
            code.to_bytes(2, "little") + bytes((yes, no)) + constant.to_bytes(4, "little")
            for code, yes, no, constant in reversed(layout.code)
        )

    def _node(self, code: int, constant: int, yes: int, no: int) -> int:
        key = (code, constant, yes, no)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self._nodes)
            self._nodes.append(key)
        return found

    def _tree(self, segments: list[tuple[int, int, list[tuple[int, int]]]]) -> int:
        """Return a balanced tree over segments: a start, the node of most of it, and the single values that go elsewhere."""
        if len(segments) > 1:
            middle = len(segments) // 2
            return self.at_least(segments[middle][0], self._tree(segments[middle:]), self._tree(segments[:middle]))
        _, node, singles = segments[0]
        for value, elsewhere in reversed(singles):
            node = self.equal(value, elsewhere, node)
        return node


def _segments(ranges: list[tuple[int, int]]) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """Cut ranges into segments so that a tree over them has the fewest tests.

    A cut costs one test, and so does each value inside a segment that goes elsewhere than most of it. Dynamic programming over the
    ranges, by the node that the current segment has for most of its values.
    """
    nodes = {node for _, node in ranges}
    ends = [start for start, _ in ranges[1:]] + [1 << 32]
    costs = dict.fromkeys(nodes, _NEVER)
    history: list[tuple[int | None, set[int]]] = []  # for each range: the cheapest node before it, and the nodes that go on from there
    for index, ((start, own), end) in enumerate(zip(ranges, ends, strict=True)):
        cheapest = min(costs, key=costs.__getitem__) if index else None
        cut = costs[cheapest] + 1 if cheapest is not None else 0
        joined = {node for node in nodes if index and costs[node] <= cut}
        history.append((cheapest, joined))
        size = min(end - start, _NEVER)
        costs = {node: min(costs[node] if index else 0, cut) + (0 if node == own else size) for node in nodes}
    node = min(costs, key=costs.__getitem__)
    segments: list[tuple[int, int, list[tuple[int, int]]]] = []
    singles: list[tuple[int, int]] = []
    for index in range(len(ranges) - 1, -1, -1):
        start, own = ranges[index]
        if own != node:
            singles[:0] = [(value, own) for value in range(start, ends[index])]
        cheapest, joined = history[index]
        if node not in joined:
            segments.append((start, node, singles))
            singles = []
            node = cheapest if cheapest is not None else node
    segments.reverse()
    return segments


class _Layout:
    """Instructions from the last to the first, and where each node stands among them."""

    __slots__ = ("_nodes", "_places", "code")

    def __init__(self, nodes: list[tuple[int, int, int, int]]) -> None:
        self._nodes = nodes
        self._places: dict[int, int] = {}
        self.code: list[tuple[int, int, int, int]] = []  # code, jump if true, jump if false, constant

    def place(self, root: int) -> None:
        """Write a node after all that it leads to. Without recursion: a chain of tests may be thousands long."""
        waiting = [root]
        while waiting:
            node = waiting[-1]
            code, constant, yes, no = self._nodes[node]
            if node in self._places:
                waiting.pop()
                continue
            wanted = () if code == _RETURN else (yes,) if code in (_LOAD, _AND) else (yes, no)
            missing = [target for target in wanted if target not in self._places]
            if missing:
                waiting += missing
                continue
            if code in (_LOAD, _AND):
                self._stand_before(yes)
                self._write(code, 0, 0, constant)
            elif code == _RETURN:
                self._write(code, 0, 0, constant)
            else:
                self._bring_near(yes, no)
                here = len(self.code)
                self._write(code, here - self._places[yes] - 1, here - self._places[no] - 1, constant)
            self._places[node] = len(self.code) - 1
            waiting.pop()

    def _write(self, code: int, yes: int, no: int, constant: int) -> None:
        self.code.append((code, yes, no, constant))

    def _stand_before(self, node: int) -> None:
        """Make the next instruction fall into a node."""
        distance = len(self.code) - self._places[node] - 1
        if distance:
            self._write(_JUMP, 0, 0, distance)

    def _bring_near(self, *targets: int) -> None:
        """Put a copy of what is too far for a conditional jump, or a jump to it, right here."""
        for target in targets:
            if len(self.code) - self._places[target] - 1 > _REACH - len(targets):  # each copy pushes the others one away
                code, constant, _, _ = self._nodes[target]
                if code == _RETURN:
                    self._write(_RETURN, 0, 0, constant)
                else:
                    self._write(_JUMP, 0, 0, len(self.code) - self._places[target] - 1)
                self._places[target] = len(self.code) - 1
