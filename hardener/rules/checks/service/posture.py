"""What image and service make together: user, healthcheck, ports."""

from collections.abc import Mapping
from typing import Final

from hardener.rules.checks import Check

CHECKS: Final[Mapping[str, Check]] = {}
