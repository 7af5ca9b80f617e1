"""Which rules a person means by a word: our id, our name, an id prefix, `all`, any peer's id, or a reference.

One place decides that, so a word means the same in the configuration, on the command line, in an ignore comment and in
`harden explain`. Upper and lower case never matter.

| word                                           | means                                                        |
|------------------------------------------------|--------------------------------------------------------------|
| `HD101`, `untagged-base-image`                 | that rule                                                    |
| `HD1`, `HD10`, `HD`                            | every rule whose id starts so and goes on with digits only   |
| `DL3006`, `hadolint:DL3006`, `hadolint/DL3006` | every rule that is the same as that peer's                   |
| `hadolint:*`                                   | every rule that hadolint has too                             |
| `CIS-Docker-1.6.0-4.1`, `CWE-250`              | every rule that refers to it                                 |
| `all`                                          | every rule                                                   |
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hardener.errors import HardenError, suggest
from hardener.finding import Rule

EXACT: Final = 1000
"""The rank of a word that names a single check; references rank below it, then prefixes by their length, `tool:*` and `all`."""

_REFERENCE: Final = 500

_UUID_LENGTH: Final = 36


def canonical(word: str) -> str:
    """Return the form in which words are compared: lower case, `tool:id`, and one spelling for ids that have several."""
    word = word.strip().lower()
    tool, mark, bare = word.replace("/", ":", 1).rpartition(":")
    number = bare.removeprefix("avd-").removeprefix("ds").removeprefix("-")
    if number != bare and "ds" in bare and len(number) <= 4 and number.isdecimal():
        bare = f"ds-{int(number):04d}"  # DS-0002, DS002 and AVD-DS-0002 are the same check of trivy
    elif len(bare) == _UUID_LENGTH and bare.count("-") == 4:
        bare = bare[:8]  # the queries of KICS are known by their first eight digits
    return f"{tool}{mark and ':'}{bare}"


class Selector:
    """The rules of a run, found by any word."""

    __slots__ = ("_index", "_keys", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: Sequence[Rule] = tuple(rules)
        self._keys: dict[str, Mapping[str, int]] = {}
        self._index: dict[str, list[Rule]] | None = None

    def keys(self, rule: Rule) -> Mapping[str, int]:
        """Return every canonical word that names the rule, with its rank: the higher, the more specific."""
        keys = self._keys.get(rule.id)
        if keys is None:
            keys = self._keys[rule.id] = _keys(rule)
        return keys

    def rank(self, word: str, rule: Rule) -> int | None:
        """Return how specifically `word` names `rule`, or None when it does not."""
        return self.keys(rule).get(canonical(word))

    def resolve(self, word: str) -> tuple[Rule, ...]:
        """Return the rules that `word` names, in the order of the rules; none when the word is unknown."""
        index = self._index
        if index is None:
            index = self._index = {}
            for rule in self.rules:
                for key in self.keys(rule):
                    index.setdefault(key, []).append(rule)
        return tuple(index.get(canonical(word), ()))

    def is_known(self, word: str) -> bool:
        """Tell whether `word` can name a rule: one of ours, or any code of ShellCheck."""
        if self.resolve(word):
            return True
        code = canonical(word).removeprefix("shellcheck:")  # an open set: ShellCheck adds codes without asking us
        return len(code) == 6 and code.startswith("sc") and code[2:].isdecimal()

    def hint(self, word: str) -> str:
        """Return what to write instead of an unknown word."""
        known = [text for rule in self.rules for text in (rule.id, rule.name, *(peer for _, peers in rule.same_as for peer in peers))]
        by_folded = {text.lower(): text for text in known}
        close = suggest(word.strip().lower(), list(by_folded))
        for folded, text in by_folded.items():
            close = close.replace(f"{folded!r}", f"{text!r}")
        return f"{close} `harden rules` lists them all".lstrip()

    def require(self, word: str, *, where: str = "") -> tuple[Rule, ...]:
        """Return the rules that `word` names.

        Raises `HardenError` with a suggestion when it can name none; a code of ShellCheck that we do not know yields no rule.
        """
        rules = self.resolve(word)
        if not rules and not self.is_known(word):
            raise HardenError(f"unknown rule {word!r}", where=where, how=self.hint(word))
        return rules


def _keys(rule: Rule) -> Mapping[str, int]:
    keys = {"all": 0}
    for reference in rule.references:
        if "/" not in reference:  # an address is no word
            keys[canonical(reference)] = _REFERENCE
    for tool, peers in rule.same_as:
        tool = tool.lower()
        keys[f"{tool}:*"] = 1
        for peer in peers:
            key = canonical(peer)
            keys[key] = keys[f"{tool}:{key}"] = EXACT
    own = rule.id.lower()
    letters = own.rstrip("0123456789")
    for length in range(len(letters), len(own)) if letters else ():
        keys[own[:length]] = length
    keys[canonical(own)] = keys[rule.name.lower()] = EXACT
    return keys
