"""Checks on EXPOSE, read as BuildKit reads it (dockerfile2llb/convert_expose.go)."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.record import NamedTuple
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.reading import known
from hardener.sources.instructions import Instruction
from hardener.sources.stages import Stage
from hardener.text import Pattern, Span

MAX_PORT: Final = 65535
_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})
_NUMBER = Pattern(r"[0-9]+", re.ASCII)


class Port(NamedTuple):
    """One port or range of an EXPOSE. `error` says why Docker refuses it; `host` is what stands before the last colon."""

    text: str
    span: Span
    host: str
    first: int
    last: int
    protocol: str  # as written; empty when absent
    error: str


def ports(instruction: Instruction) -> Iterator[Port]:
    """Yield the ports of an EXPOSE whose text the file decides, up to what was meant as a comment."""
    text = instruction.text
    if text.startswith(('["', "['")):
        yield Port(text, instruction.rest.span(0, len(text)), "", 0, 0, "", "EXPOSE has no JSON form")
        return
    for word in instruction.words:
        if word.raw.startswith("#"):
            return
        value = known(word, instruction)
        if value is not None:
            for part in value.split():
                yield _read(part, word.span)


def _read(text: str, span: Span) -> Port:
    host, _, container = text.rpartition(":")
    numbers, slash, protocol = container.partition("/")
    first, dash, last = numbers.partition("-")
    error = ""
    if slash and protocol.lower() not in _PROTOCOLS and protocol:
        error = f"{protocol!r} is none of tcp, udp and sctp"
    elif not _NUMBER.fullmatch(first) or (dash and not _NUMBER.fullmatch(last)):
        error = "ports are numbers" if numbers else "the number is missing"
    low = int(first[:9]) if not error else 0
    high = int(last[:9]) if not error and dash else low
    if not error:
        if max(low, high) > MAX_PORT:
            error = f"they end at {MAX_PORT}"
        elif high < low:
            error = "the range ends before it starts"
        elif low == 0:
            error = "0 is not a port"
    return Port(text, span, host, low, high, protocol, error)


def invalid_port(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield ports that Docker refuses, and 0, which nothing can listen on."""
    for port in ports(instruction):
        if port.error:
            yield Match(port.span, {"port": port.text, "why": port.error})


def host_mapping(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield ports with an address or a host port before them."""
    for port in ports(instruction):
        if port.host and not port.error:
            yield Match(port.span, {"port": port.text})


def duplicate_port(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield ports that the same stage has exposed before."""
    seen: dict[tuple[int, int, str], Span] = {}
    for instruction in stage.instructions:
        if instruction.name != "EXPOSE":
            continue
        for port in ports(instruction):
            if port.error:
                continue
            first = seen.setdefault((port.first, port.last, port.protocol.lower() or "tcp"), port.span)
            if first is not port.span:
                yield Match(port.span, {"port": port.text}, ((first, "exposed here already"),))


def upper_case_protocol(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield protocols that are not in lower case."""
    for port in ports(instruction):
        if not port.error and port.protocol != port.protocol.lower():
            yield Match(port.span, {"port": port.text})


CHECKS: Final[Mapping[str, Check]] = {
    "HD828": invalid_port,
    "HD829": host_mapping,
    "HD830": duplicate_port,
    "HD831": upper_case_protocol,
}
