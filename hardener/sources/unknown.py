"""The third truth value: what nothing in the file decides.

`UNKNOWN` is neither true nor false, neither empty nor absent; a rule that meets it stays silent, and so does its negation.
"""

from enum import Enum
from typing import Final, Literal


class _Unknown(Enum):
    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        raise TypeError("UNKNOWN is neither true nor false")


UnknownType = Literal[_Unknown.UNKNOWN]
UNKNOWN: Final = _Unknown.UNKNOWN
