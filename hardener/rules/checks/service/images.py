"""The image of a service: pinned, trusted, current."""

from collections.abc import Mapping
from typing import Final

from hardener.rules.checks import Check

CHECKS: Final[Mapping[str, Check]] = {}
