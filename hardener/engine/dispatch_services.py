"""Rules x one project of services -> matches: the counterpart of dispatch.py, imported only where there are services."""

from collections.abc import Iterable, Mapping
from typing import Final

from hardener.engine.ready import Crash, Judged, Ready, apply
from hardener.finding import Rule
from hardener.rules.checks import Check, service_checks
from hardener.rules.context import ServiceContext
from hardener.rules.load import RuleSource
from hardener.rules.service_facts import Item

KINDS: Final = ("service", "service.port", "service.mount", "service.variable", "service.project", "service.problem")


class ServiceDispatch:
    """The rules on services, sorted by kind of subject."""

    __slots__ = ("_by_code", "_by_kind", "rules")

    def __init__(self, sources: Iterable[RuleSource], known: Mapping[str, Check] | None = None) -> None:
        table = service_checks() if known is None else known
        self.rules: list[Rule] = []
        self._by_kind: dict[str, list[Ready]] = {kind: [] for kind in KINDS}
        self._by_code: dict[str, list[Ready]] = {}  # rules on problems, by the only codes that they can be about
        for source in sources:
            rule = source.rule
            if rule.on not in self._by_kind:
                continue
            check = table.get(rule.id)
            if check is None and source.match is None:
                raise ValueError(f"{rule.id} has neither `match:` nor a check")
            self.rules.append(rule)
            ready = Ready(source, check)
            codes = _codes(source) if rule.on == "service.problem" else ()
            for code in codes:
                self._by_code.setdefault(code, []).append(ready)
            if not codes:
                self._by_kind[rule.on].append(ready)

    def judge(self, context: ServiceContext) -> list[Judged | Crash]:
        """Return every match of every rule on a project, in no particular order."""
        project = context.project
        file = project.file
        out: list[Judged | Crash] = []
        rules = self._by_kind
        apply(rules["service.project"], project, context, file, out)
        for problem in project.problems:
            apply((*self._by_code.get(problem.code, ()), *rules["service.problem"]), problem, context, problem.place.file, out)
        for service in project.services:
            own = service.place.file
            apply(rules["service"], service, context, own, out)
            for kind, items in (
                ("service.port", service.ports),
                ("service.mount", service.mounts),
                ("service.variable", service.environment),
            ):
                if items and rules[kind]:
                    for subject in [Item(item, service) for item in items]:
                        apply(rules[kind], subject, context, own, out)
        return out


def _codes(source: RuleSource) -> tuple[str, ...]:
    """Return the problem codes that a rule's `match:` asks for; empty when it may be about others, too."""
    asked = source.match.get("problem.code") if isinstance(source.match, dict) else None
    codes = asked if isinstance(asked, list) else [asked]
    # `present` and `absent` are no codes but operators.
    return tuple(code for code in codes if isinstance(code, str) and code not in ("present", "absent"))
