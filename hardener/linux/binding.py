"""syscall(2), and memory it may write to: the ground under every module of `hardener.linux`.

`_ctypes`, the C half of ctypes, is all that is needed and loads ten times faster than the package around it. Every argument is passed as a
word: an integer as it is, bytes and `Memory` as the address of their first byte.
"""

from __future__ import annotations

import _ctypes
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, TypeAlias

    Memory: TypeAlias = _ctypes.Array["_Byte"]
    Argument: TypeAlias = int | bytes | Memory
    Simple = _ctypes._SimpleCData[int]
else:
    Simple = _ctypes._SimpleCData


class _Long(Simple):
    _type_ = "l"


class _Word(Simple):
    _type_ = "P"


class _Byte(Simple):
    _type_ = "c"


class _Syscall(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long
    _argtypes_ = (_Long, _Word, _Word, _Word, _Word, _Word, _Word)


class _HoldingSyscall(_ctypes.CFuncPtr):
    # The interpreter lock stays taken, so that whoever returns from clone(2) as the child owns it.
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO | _ctypes.FUNCFLAG_PYTHONAPI
    _restype_ = _Long
    _argtypes_ = (_Long, _Word, _Word, _Word, _Word, _Word, _Word)


_PROGRAM: Any = None  # the program itself, with the C library it has loaded
_ENTRY = _ctypes.dlsym(_ctypes.dlopen(_PROGRAM, posix.RTLD_NOW), "syscall")
_syscall = _Syscall(_ENTRY)
_holding_syscall = _HoldingSyscall(_ENTRY)

MACHINE: Final = posix.uname().machine


def memory(content: bytes | int) -> Memory:
    """Return memory that the kernel may write to: of a size in bytes, or holding `content`; `bytes()` reads it."""
    size = content if isinstance(content, int) else len(content)
    block = (_Byte * size)()
    if not isinstance(content, int):
        memoryview(block).cast("B")[:] = content
    return block


def memory_at(start: int, size: int) -> Memory:
    """Return memory of this process that lies at an address."""
    return (_Byte * size).from_address(start)


def address(block: Memory) -> int:
    """Return where a block lies; it must be kept alive as long as the kernel may use it."""
    return _ctypes.addressof(block)


def words(*values: int, size: int = 8) -> bytes:
    """Return unsigned integers of `size` bytes one after another, as a C struct holds them."""
    return b"".join([value.to_bytes(size, sys.byteorder) for value in values])


def number(block: bytes, offset: int = 0, size: int = 4) -> int:
    """Return the unsigned integer of `size` bytes at an offset."""
    return int.from_bytes(block[offset : offset + size], sys.byteorder)


def text(value: str) -> bytes:
    """Return a C string; a NUL inside would cut it short and is an error."""
    if "\0" in value:
        raise ValueError(f"NUL in {value!r}")
    return value.encode("utf-8", "surrogateescape") + b"\0"


def attempt(call: int, *arguments: Argument) -> int:
    """Make a system call; return its result, or minus errno."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    result: int = _syscall(call, *padded)
    return -_ctypes.get_errno() if result == -1 else result


def attempt_holding(call: int, *arguments: Argument) -> int:
    """Do as `attempt` does without letting another thread run meanwhile: for clone(2)."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    result: int = _holding_syscall(call, *padded)
    return -_ctypes.get_errno() if result == -1 else result


def check(result: int, what: str) -> int:
    """Return a result that is no error; raise an error that names the call and its object."""
    if result < 0:
        raise OSError(-result, f"{what}: {posix.strerror(-result)}")
    return result
