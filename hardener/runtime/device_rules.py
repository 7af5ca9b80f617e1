"""Which devices a container may use: rules in their order become a default and its exceptions, and these a program or files.

The default is to allow nothing but the ordinary devices, as runc and crun have it. What the rules mean does not depend on the version of
control groups: of those that match, the last one decides, access by access. An order that a default with exceptions cannot express (a
hole in an exception) is refused: version 1 would silently ignore it.

Source: security/device_cgroup.c and `struct bpf_cgroup_dev_ctx` of <linux/bpf.h>.
"""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.linux import ebpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final, TypeAlias

    from hardener.oci.runtime import DeviceRule

    Key: TypeAlias = tuple[str, int | None, int | None]
    Rows: TypeAlias = dict[Key, int]

# null, zero, full, random, urandom, tty, console, ptmx, and the terminals of devpts
ORDINARY: Final = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, None))
ACCESS: Final = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_MKNOD, _READ, _WRITE
KINDS: Final = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_BLOCK, _CHAR
EVERYTHING: Final = 7
_LARGEST: Final = (1 << 20) - 1
_WHERE: Final = "linux.resources.devices"


class Devices:
    """What holds for all devices, and what for some of them instead: (kind, major, minor) -> access, where None is any number."""

    __slots__ = ("allowed", "rows")

    def __init__(self, rows: Rows, *, allowed: bool) -> None:
        self.allowed = allowed
        self.rows = rows

    def files(self) -> list[tuple[str, str]]:
        """Return what to write into a group of version 1."""
        first, then = ("devices.allow", "devices.deny") if self.allowed else ("devices.deny", "devices.allow")
        rows = self.rows if self.allowed else _joined(self.rows)
        return [
            (first, "a"),
            *((then, f"{kind} {_number(major)}:{_number(minor)} {_letters(bits)}") for (kind, major, minor), bits in rows.items()),
        ]

    def program(self) -> bytes:
        """Return the eBPF program for a group of version 2: 1 is yes, 0 is no."""
        made = ebpf.Assembler()
        kind, access, major, minor, found = ebpf.R2, ebpf.R3, ebpf.R4, ebpf.R5, ebpf.R0
        made.load_word(kind, ebpf.R1, 0)
        made.copy(access, kind)
        made.mask(kind, 0xFFFF)
        made.shift_right(access, 16)
        made.load_word(major, ebpf.R1, 4)
        made.load_word(minor, ebpf.R1, 8)
        made.set(found, 0)
        for at, (row, bits) in enumerate(self.rows.items()):
            end = f"end of {at}"
            made.unless_equal(kind, KINDS[row[0]], end)
            for register, wanted in ((major, row[1]), (minor, row[2])):
                if wanted is not None:
                    made.unless_equal(register, wanted, end)
            made.add_bits(found, bits)
            made.mark(end)
        if not self.allowed:
            made.flip(found, EVERYTHING)
        made.mask_by(access, found)  # what is asked for and may not be
        made.set(ebpf.R0, 1)
        made.if_equal(access, 0, "yes")
        made.set(ebpf.R0, 0)
        made.mark("yes")
        made.leave()
        return made.assemble()

    def line(self) -> str:
        """Return it for a reader."""
        rows = [f"{kind} {_number(major)}:{_number(minor)} {_letters(bits)}" for (kind, major, minor), bits in self.rows.items()]
        return f"devices: {'all but' if self.allowed else 'none but'} {', '.join(rows) or 'none'}"


def understand(rules: Sequence[DeviceRule]) -> Devices:
    """Return what rules mean, one after another, with the ordinary devices behind them."""
    made = Devices({}, allowed=False)
    for rule in rules:
        for key, bits in _keys(rule):
            if key is None:
                made = Devices({}, allowed=rule.allow)
            else:
                _apply(made, key, bits, allow=rule.allow)
    if not made.allowed:
        for major, minor in ORDINARY:
            _apply(made, ("c", major, minor), EVERYTHING, allow=True)
    return made


def _keys(rule: DeviceRule) -> list[tuple[Key | None, int]]:
    kind = rule.type or "a"
    if kind not in ("a", "b", "c"):
        raise HardenError(f"{kind!r} is no type of device", where=_WHERE, how="a, b or c")
    bits = 0
    for letter in rule.access or "rwm":
        if letter not in ACCESS:
            raise HardenError(f"{letter!r} is no access to a device", where=_WHERE, how="letters of rwm: read, write, mknod")
        bits |= ACCESS[letter]
    major, minor = (None if number is None or number < 0 else number for number in (rule.major, rule.minor))
    for number in (major, minor):
        if number is not None and number > _LARGEST:
            raise HardenError(f"{number} is no number of a device", where=_WHERE, how=f"0 to {_LARGEST}, or -1 for all")
    if kind != "a":
        return [((kind, major, minor), bits)]
    if (major, minor, bits) == (None, None, EVERYTHING):
        return [(None, bits)]
    return [(("b", major, minor), bits), (("c", major, minor), bits)]


def _apply(made: Devices, key: Key, bits: int, *, allow: bool) -> None:
    if allow != made.allowed:
        made.rows[key] = made.rows.get(key, 0) | bits
        return
    for other, held in [*made.rows.items()]:
        common = _common(key, other)
        if common is None or not held & bits:
            continue
        if common != other:
            verb = "allow" if allow else "deny"
            raise HardenError(
                f"the rule to {verb} {_show(key)} cuts a hole into the one for {_show(other)} before it, which control groups cannot do",
                where=_WHERE,
                how=f"write the devices that are left instead of {_show(other)}",
            )
        made.rows[other] = held & ~bits
        if not made.rows[other]:
            del made.rows[other]


def _common(one: Key, other: Key) -> Key | None:
    """Return the devices that two keys have in common; None for none."""
    if one[0] != other[0]:
        return None
    numbers = []
    for left, right in ((one[1], other[1]), (one[2], other[2])):
        if left is not None and right is not None and left != right:
            return None
        numbers.append(right if left is None else left)
    return one[0], numbers[0], numbers[1]


def _joined(rows: Rows) -> Rows:
    """Add what rows allow together: version 1 wants a single exception that has all of what is asked for."""
    found = dict(rows)
    while True:
        before = dict(found)
        for one, bits in before.items():
            for other, more in before.items():
                common = _common(one, other)
                if common is not None:
                    found[common] = found.get(common, 0) | bits | more
        if found == before:
            return found


def _number(number: int | None) -> str:
    return "*" if number is None else str(number)


def _letters(bits: int) -> str:
    return "".join([letter for letter in "rwm" if bits & ACCESS[letter]])


def _show(key: Key) -> str:
    return f"{key[0]} {_number(key[1])}:{_number(key[2])}"
