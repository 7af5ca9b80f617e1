"""What a user asks for, as a launch takes it: sizes are bytes, processors are cores. What is not asked for is the hardened default."""

from __future__ import annotations

from hardener.errors import HardenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MEMORY: Final = 512 << 20
PIDS: Final = 256
CPUS: Final = 1.0
UPPER: Final = "64m"


class Request:
    """What a user asks for; every attribute starts as the hardened default."""

    __slots__ = (
        *(
            "arguments",
            "cache",
            "capabilities",
            "cpus",
            "cwd",
            "environment",
            "hostname",
            "memory",
            "name",
            "network",
            "pids",
            "root",
            "terminal",
        ),
        *("user", "volumes", "writable"),
    )

    def __init__(self, root: str, arguments: list[str]) -> None:
        self.root = root
        self.arguments = arguments
        self.name = ""
        self.cache = ""  # the folder of what is kept between launches; without one nothing is
        self.environment: list[str] = []
        self.cwd = "/"
        self.user = ""
        self.volumes: list[str] = []
        self.memory = MEMORY
        self.pids = PIDS
        self.cpus = CPUS
        self.capabilities: list[str] = []
        self.writable = False
        self.network = "none"
        self.hostname = ""
        self.terminal = False


def size(text: str, flag: str) -> int:
    """Return the bytes of `512m`, `1g`, `1GiB` or a plain number, as docker reads them: powers of 1024."""
    digits = text.rstrip("bBiIkKmMgGtT")
    unit = text[len(digits) :].lower().removesuffix("ib").removesuffix("b")
    factors = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
    if not digits.isascii() or not digits.isdigit() or unit not in factors:
        raise HardenError(f"{text!r} is not a size", where=flag, how="write a number and b, k, m or g: 512m")
    if not int(digits):
        raise HardenError(f"{text!r} is no limit", where=flag, how="a limit cannot be switched off")
    return int(digits) * factors[unit]
