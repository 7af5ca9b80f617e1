"""Namespaces shared with the host or with another container, sysctls, cgroups, runtimes."""

from collections.abc import Mapping
from typing import Final

from hardener.rules.checks import Check

CHECKS: Final[Mapping[str, Check]] = {}
