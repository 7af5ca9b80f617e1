"""Privileges: capabilities, privileged, no-new-privileges, security profiles."""

from collections.abc import Mapping
from typing import Final

from hardener.rules.checks import Check

CHECKS: Final[Mapping[str, Check]] = {}
