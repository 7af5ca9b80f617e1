"""What of the host is mounted: sockets, sensitive paths, devices, propagation."""

from collections.abc import Mapping
from typing import Final

from hardener.rules.checks import Check

CHECKS: Final[Mapping[str, Check]] = {}
