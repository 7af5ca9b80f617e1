"""What a policy asks of containers, held to services as they are written: each key of `runtime:` a rule of its own.

Such rules exist only while a policy says `gate: {runtime: true}`; they have the severity of what a policy forbids, and no comment ignores
them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener.engine.ready import Judged
from hardener.finding import Confidence, Match, Rule, Severity
from hardener.policies.gate import RUNTIME_TAG
from hardener.policies.runtime import RUNTIME_KEYS
from hardener.policies.runtime_text import text_violations

if TYPE_CHECKING:
    from hardener.policies.runtime import Runtime
    from hardener.sources.service import Project


def judge(runtime: "Runtime", project: "Project") -> Iterator[Judged]:
    """Yield everything in which the services of a project are looser than a policy."""
    for service in project.services:
        for key, says, wants, where, place, history in text_violations(runtime, service):
            match = Match(place.span, related=history, file=place.file)
            name = service.name if service.is_compose else "the container"
            yield Judged(_rule(key, where), match, f"{name}: {says}; the policy {runtime.name} wants {wants}")


def _rule(key: str, where: str) -> Rule:
    """Return the rule that stands for a key of a policy."""
    meaning = RUNTIME_KEYS[key.partition(".")[0]]
    return Rule(
        id=f"runtime.{key}",
        name=f"policy-{key.replace('.', '-').replace('/', '')}",
        on="service",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        title=f"Looser than the policy: {key}",
        message="",
        why=f"The policy asks for it ({where}): {meaning}.",
        how="Ask for no more than the policy gives, or change the policy.",
        references=(),
        same_as=(),
        tags=(RUNTIME_TAG,),
        profiles=(),
    )
