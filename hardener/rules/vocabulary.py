"""What a `match:` is made of, whatever it is about: facts, their values, and the places that findings stand at.

The facts of Dockerfiles are in facts.py, those of services in service_facts.py, those of images in image_facts.py; each is imported only
where there is such a thing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hardener.record import NamedTuple
from hardener.sources.unknown import UnknownType
from hardener.text import Place, Span

Atom = str | UnknownType
FactValue = str | bool | int | tuple[Atom, ...] | None | UnknownType
"""A text, a truth value, a number, a tuple of texts, None when absent, or UNKNOWN when the file does not decide it."""

Subject = Any
"""What a rule looks at, as its `on:` says: a Dockerfile, Stage, ImageReference, Instruction, PairSubject, Invocation or Problem; for
services see service_facts.py, for images image_facts.py. Every getter checks that it is given its own."""

Getter = Callable[[Subject], FactValue]
SpanGetter = Callable[[Subject], Span | Place | None]


class Kind(NamedTuple):
    """One kind of subject: its facts, the places `at:` may name, and where a finding stands by default."""

    facts: Mapping[str, Getter]
    places: Mapping[str, SpanGetter]
    span: SpanGetter


def kind(name: str) -> Kind:
    """Return a kind of subject. Raises `KeyError` for a name that is none; `load.KINDS` lists them."""
    if name.startswith("service"):
        from hardener.rules.service_facts import KINDS

        return KINDS[name]
    if name.startswith("image"):
        from hardener.rules.image_facts import KINDS as IMAGE_KINDS

        return IMAGE_KINDS[name]
    from hardener.rules.facts import DOCKERFILE_KINDS

    return DOCKERFILE_KINDS[name]
