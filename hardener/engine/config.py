"""The configuration of one file: what every setting is, and by which line of which file.

Settings are applied in order, the more general first: single values replace, lists grow, mappings are replaced key by key.
How they are written is the business of `keys.py`, which is imported only when there are any.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener.engine.selection import Selector
from hardener.finding import Rule, Severity
from hardener.record import NamedTuple
from hardener.rules.context import Settings

if TYPE_CHECKING:
    from hardener.policies.images import Images
    from hardener.policies.runtime import Runtime


class Choice(NamedTuple):
    """A word of `select`, `extend-select` or `ignore`, and where it stands."""

    word: str
    on: bool
    where: str


class Override(NamedTuple):
    """A word of `severity`, what it is set to, and where."""

    word: str
    severity: Severity
    where: str


class Setting(NamedTuple):
    """One thing that was set, for `harden config --why`. A later setting of the same `key` replaces an earlier one, unless `adds`."""

    key: str
    value: str
    where: str
    adds: bool


class Config:
    """What applies to one file. Made by `configs.Configs`, and not changed afterwards."""

    __slots__ = (
        "baseline",
        "build_args",
        "choices",
        "fail_on",
        "floors",
        "forbidden_ignores",
        "images",
        "profile",
        "require_reason",
        "required_labels",
        "rules",
        "runtime",
        "settings",
        "severities",
        "show",
        "source",
        "strict_labels",
        "trusted_registries",
    )

    def __init__(self) -> None:
        self.source: str | None = None  # the file nearest to what is judged, absolute
        self.profile = "default"
        self.choices: list[list[Choice]] = []  # a list per source, the strongest last
        self.severities: list[list[Override]] = []  # likewise
        self.floors: list[str] = []  # words for rules whose severity cannot be lowered
        self.fail_on: Severity | None = Severity.MEDIUM
        self.show = Severity.INFO
        self.trusted_registries: list[str] = []
        self.required_labels: dict[str, str] = {}  # name to one of LABEL_TYPES
        self.strict_labels = False
        self.build_args: dict[str, str] = {}
        self.forbidden_ignores: list[str] = []  # rule words; `all` for everything
        self.require_reason = False
        self.rules: list[str] = []  # absolute folders or files of further rules
        self.runtime: Runtime | None = None  # of a policy that holds services to it
        self.images: Images | None = None  # of a policy that asks for something of images
        self.baseline: str | None = None  # absolute
        self.settings: list[Setting] = []

    def severity(self, rule: Rule, selector: Selector) -> Severity | None:
        """Return how severe a finding of `rule` is here, or None when the rule does not run.

        The last source that names the rule decides; within one, the more specific word; between equals, `ignore`.
        """
        runs = self.profile == "all" or self.profile in rule.profiles
        for layer in self.choices:
            ranked = [(rank, not choice.on) for choice in layer if (rank := selector.rank(choice.word, rule)) is not None]
            if ranked:
                runs = not max(ranked)[1]
        if not runs:
            return None
        severity = rule.severity
        for overrides in self.severities:
            graded = [(rank, override.severity) for override in overrides if (rank := selector.rank(override.word, rule)) is not None]
            if graded:
                severity = max(graded)[1]
        if severity < rule.severity and any(selector.rank(word, rule) is not None for word in self.floors):
            return rule.severity
        return severity

    @property
    def rule_settings(self) -> Settings:
        """The part that rules read."""
        return Settings(tuple(self.trusted_registries), self.required_labels, self.strict_labels)

    def check(self, selector: Selector) -> None:
        """Raise `HardenError` for the first word that names no rule."""
        for word, where in self._words():
            selector.require(word, where=where)

    def _words(self) -> Iterator[tuple[str, str]]:
        for layer in self.choices:
            yield from ((choice.word, choice.where) for choice in layer)
        for overrides in self.severities:
            yield from ((override.word, override.where) for override in overrides)
        yield from ((setting.value, setting.where) for setting in self.settings if setting.key == "forbid-ignores" and setting.adds)

    def note(self, key: str, value: object, where: str, *, adds: bool = False) -> None:
        """Remember that something was set."""
        self.settings.append(Setting(key, str(value), where, adds))
