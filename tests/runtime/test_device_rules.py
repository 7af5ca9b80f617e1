"""Which devices a container may use: the program and the files say what a plain reading of the rules says, in every order.

An interpreter runs the program; the plain reading keeps a table of every device and sets it rule by rule.
"""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from launching import config, launch

from hardener.errors import HardenError
from hardener.linux import ebpf
from hardener.oci.runtime import DeviceRule
from hardener.runtime import cgroups
from hardener.runtime.device_rules import ACCESS, KINDS, ORDINARY, Devices, understand

MAJORS, MINORS = (1, 5, 8, 136), (0, 3, 7)
UNIVERSE = list(itertools.product("bc", MAJORS, MINORS))


def interpret(program: bytes, context: tuple[int, int, int]) -> int:
    """Run an eBPF program on three words of memory at R1; unknown instructions and reads of what was never set are errors."""
    registers: dict[int, int] = {1: 0x1000}
    at = 0
    for _ in range(100_000):
        code, pair = program[8 * at], program[8 * at + 1]
        target, source = pair & 15, pair >> 4
        offset = int.from_bytes(program[8 * at + 2 : 8 * at + 4], "little", signed=True)
        constant = int.from_bytes(program[8 * at + 4 : 8 * at + 8], "little", signed=True)
        at += 1
        if code == 0x61:
            where = registers[source] + offset - 0x1000
            assert where in (0, 4, 8)
            registers[target] = context[where // 4]
        elif code == 0xB7:
            registers[target] = constant
        elif code == 0xBF:
            registers[target] = registers[source]
        elif code == 0x47:
            registers[target] |= constant
        elif code == 0x57:
            registers[target] &= constant
        elif code == 0x5F:
            registers[target] &= registers[source]
        elif code == 0x77:
            registers[target] >>= constant
        elif code == 0xA7:
            registers[target] ^= constant
        elif code == 0x55:
            at += offset if registers[target] != constant else 0
        elif code == 0x15:
            at += offset if registers[target] == constant else 0
        elif code == 0x95:
            return registers[0]
        else:
            raise AssertionError(f"unknown instruction {code:#x}")
    raise AssertionError("the program does not end")


def by_program(devices: Devices, kind: str, major: int, minor: int, access: int) -> bool:
    return bool(interpret(devices.program(), (KINDS[kind] | access << 16, major, minor)))


def by_files(files: list[tuple[str, str]], kind: str, major: int, minor: int, access: int) -> bool:
    """Decide as security/device_cgroup.c does after these writes."""
    default = True
    rows: dict[tuple[str, ...], int] = {}
    for file, value in files:
        allow = file == "devices.allow"
        if value == "a":
            default, rows = allow, {}
            continue
        row, numbers, letters = value.split(" ")
        key = (row, *numbers.split(":"))
        assert allow != default, "an exception from what holds anyway is ignored by the kernel"
        rows[key] = rows.get(key, 0) | sum(ACCESS[letter] for letter in letters)
    matching = [
        bits
        for (row, *numbers), bits in rows.items()
        if row == kind and all(_is(*pair) for pair in zip(numbers, (major, minor), strict=True))
    ]
    return not any(bits & access for bits in matching) if default else any(not access & ~bits for bits in matching)


def _is(pattern: str, number: int) -> bool:
    return pattern in ("*", str(number))


def plainly(rules: list[DeviceRule]) -> dict[tuple[str, int, int], int]:
    """Return what each device may be used for: the last rule that matches decides, access by access."""
    table = dict.fromkeys(UNIVERSE, 0)
    ordinary = [DeviceRule(allow=True, type="c", major=major, minor=minor) for major, minor in ORDINARY]
    whole = [rule for rule in rules if rule.type is None and rule.major is None and rule.minor is None and rule.access in (None, "rwm")]
    for rule in [*rules, *([] if whole and whole[-1].allow else ordinary)]:
        for kind, major, minor in UNIVERSE:
            if rule.type in (None, "a", kind) and rule.major in (None, -1, major) and rule.minor in (None, -1, minor):
                for letter in rule.access or "rwm":
                    bit = ACCESS[letter]
                    table[kind, major, minor] = table[kind, major, minor] | bit if rule.allow else table[kind, major, minor] & ~bit
    return table


RULES = [
    {"allow": False, "access": "rwm"},
    {"allow": True, "access": "rwm"},
    {"allow": True, "type": "c", "major": 8, "minor": 3, "access": "rw"},
    {"allow": True, "type": "c", "major": 8, "minor": 3, "access": "m"},
    {"allow": True, "type": "b", "major": 8, "access": "r"},
    {"allow": True, "type": "b", "minor": 7, "access": "w"},
    {"allow": False, "type": "b", "major": 8, "minor": -1, "access": "r"},
    {"allow": False, "type": "c", "major": 8, "minor": 3, "access": "r"},
    {"allow": False, "type": "c", "access": "m"},
    {"allow": True, "access": "m"},
    {"allow": False, "type": "c", "major": 5, "minor": 7},
    {"allow": True, "type": "a", "major": 1, "minor": 3, "access": "wm"},
]


def rules(*rows: dict[str, Any]) -> list[DeviceRule]:
    return [DeviceRule.parse(row) for row in rows]


def _orders() -> list[tuple[dict[str, Any], ...]]:
    short = [order for size in range(4) for order in itertools.permutations(RULES, size)]
    chance = random.Random(7)
    return [*chance.sample(short, 200), *(tuple(chance.sample(RULES, chance.randrange(4, 12))) for _ in range(150))]


def test_every_order_of_rules_means_what_it_says() -> None:
    understood = refused = 0
    for order in _orders():
        given = rules(*order)
        try:
            devices = understand(given)
        except HardenError as error:
            assert "cuts a hole" in str(error)
            refused += 1
            continue
        understood += 1
        program, files, table = devices.program(), devices.files(), plainly(given)
        for (kind, major, minor), held in table.items():
            for access in range(1, 8):
                expected = not access & ~held
                case = (order, kind, major, minor, access)
                assert bool(interpret(program, (KINDS[kind] | access << 16, major, minor))) == expected, case
                assert by_files(files, kind, major, minor, access) == expected, case
    assert understood > 200
    assert refused > 10


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"allow": True, "type": "z"}, "'z' is no type of device"),
        ({"allow": True, "type": "c", "access": "rx"}, "'x' is no access to a device"),
        ({"allow": True, "type": "c", "major": 1 << 20}, "is no number of a device"),
    ],
)
def test_a_rule_that_is_none(row: dict[str, Any], message: str) -> None:
    with pytest.raises(HardenError, match=message):
        understand(rules(row))


def test_a_hole_is_refused_with_the_way_out() -> None:
    with pytest.raises(HardenError, match=r"deny c 8:3 cuts a hole into the one for c 8:\*.*\n.*instead of c 8:\*"):
        understand(rules({"allow": True, "type": "c", "major": 8}, {"allow": False, "type": "c", "major": 8, "minor": 3}))


def test_nothing_but_the_ordinary_devices_by_default() -> None:
    devices = understand(rules({"allow": False, "access": "rwm"}))
    assert by_program(devices, "c", 1, 3, 7)
    assert by_program(devices, "c", 136, 99, 6)
    assert not by_program(devices, "b", 1, 3, 2)
    assert not by_program(devices, "c", 1, 1, 2)  # /dev/mem


def test_a_mark_that_is_never_set() -> None:
    made = ebpf.Assembler()
    made.if_equal(ebpf.R0, 1, "nowhere")
    with pytest.raises(ValueError, match="no mark nowhere"):
        made.assemble()
    assert len(made) == 1


def test_the_kernel_says_why_it_refuses_a_program() -> None:
    made = ebpf.Assembler()
    made.leave()  # without a result
    with pytest.raises(OSError, match=r"bpf\(BPF_PROG_LOAD, devices\)[^\0]*R0 !read_ok"):
        ebpf.load_device_program(made.assemble())


@pytest.mark.parametrize("version", ["as this machine has it", "by a program"])
def test_what_the_kernel_allows(root: Path, folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a user namespace, so that only the rules stand between a root user and the devices of this machine."""
    if version == "by a program":
        machine = cgroups.read_layout()
        if machine.unified is None:
            pytest.skip("kernel: no hierarchy of cgroup v2 is mounted")
        machine.v1 = {}
        monkeypatch.setattr(cgroups, "read_layout", lambda: machine)
    attempt = (
        "mknod /tmp/{0} {1} {2} {3} 2>/dev/null && echo made {0}; test -e /tmp/{0} && head -c1 /tmp/{0} >/dev/null 2>&1 && echo read {0}"
    )
    nodes = (("zero", "c", 1, 5), ("mem", "c", 1, 1), ("tun", "c", 10, 200), ("disk", "b", 254, 0))
    attempts = "; ".join(attempt.format(*node) for node in nodes)
    capabilities = ["CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYS_RAWIO"]
    document = config(
        root,
        *("sh", "-c", f"{attempts}; true"),
        process__capabilities=dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        linux__namespaces=[{"type": kind} for kind in ("mount", "pid", "network", "ipc", "uts", "cgroup")],
        linux__uidMappings=None,
        linux__gidMappings=None,
        linux__resources={
            "devices": [
                {"allow": False, "access": "rwm"},
                {"allow": True, "type": "c", "major": 10, "minor": 200, "access": "m"},
                {"allow": True, "type": "b", "major": 254, "access": "r"},
            ]
        },
    )
    for mount in document["mounts"]:
        if mount["destination"] == "/tmp":
            mount["options"] = ["nosuid", "mode=1777", "size=1m", "dev"]
    result = launch(document, folder)
    assert (result.code, result.error) == (0, ""), result
    assert result.out.split("\n")[:-1] == ["made zero", "read zero", "made tun"], result
    free = launch({**document, "linux": {**document["linux"], "resources": {"devices": [{"allow": True, "access": "rwm"}]}}}, folder)
    assert "made mem" in free.out, free
