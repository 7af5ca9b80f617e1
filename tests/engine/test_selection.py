import pytest
from sample_rules import LATEST, QUOTING, ROOT, RULES, SHELL_FORM, UNTAGGED, rule

from hardener.engine.selection import EXACT, Selector, canonical
from hardener.errors import HardenError
from hardener.finding import Rule

SELECTOR = Selector(RULES)


@pytest.mark.parametrize(
    ("word", "rules"),
    [
        ("HD101", [UNTAGGED]),
        ("hd101", [UNTAGGED]),
        (" HD101 ", [UNTAGGED]),
        ("untagged-base-image", [UNTAGGED]),
        ("Untagged-Base-Image", [UNTAGGED]),
        ("HD1", [UNTAGGED, LATEST]),
        ("HD10", [UNTAGGED, LATEST]),
        ("HD", list(RULES)),
        ("all", list(RULES)),
        ("DL3006", [UNTAGGED]),
        ("hadolint:DL3006", [UNTAGGED]),
        ("hadolint/DL3006", [UNTAGGED]),
        ("hadolint:*", [UNTAGGED, LATEST, SHELL_FORM]),
        ("CKV_DOCKER_3", [ROOT]),
        ("checkov:ckv_docker_3", [ROOT]),
        ("DS-0001", [UNTAGGED, LATEST]),
        ("DS-0002", [ROOT]),
        ("DS002", [ROOT]),
        ("ds-2", [ROOT]),
        ("AVD-DS-0002", [ROOT]),
        ("trivy:AVD-DS-0002", [ROOT]),
        ("JSONArgsRecommended", [SHELL_FORM]),
        ("buildkit/JSONArgsRecommended", [SHELL_FORM]),
        ("SC2086", [QUOTING]),
        ("fd54f200-92ba-4060-9fa2-a77a7bcde22f", [ROOT]),
        ("fd54f200", [ROOT]),
        ("SC2046", []),
        ("DL9999", []),
        ("trivy:DL3006", []),
        ("HD1011", []),
        ("D", []),
        ("", []),
    ],
)
def test_resolve(word: str, rules: list[Rule]) -> None:
    assert list(SELECTOR.resolve(word)) == rules


@pytest.mark.parametrize(
    ("word", "known"), [("HD101", True), ("SC2046", True), ("shellcheck:SC1091", True), ("SC12", False), ("DL9999", False)]
)
def test_is_known(word: str, known: bool) -> None:
    assert SELECTOR.is_known(word) is known


def test_specific_words_outrank_general_ones() -> None:
    words = ["all", "hadolint:*", "HD", "HD1", "HD10", "HD101"]
    ranks = [SELECTOR.rank(word, UNTAGGED) or 0 for word in words]
    assert ranks == sorted(set(ranks))
    assert SELECTOR.rank("DL3006", UNTAGGED) == SELECTOR.rank("untagged-base-image", UNTAGGED) == EXACT
    assert SELECTOR.rank("HD2", UNTAGGED) is None


def test_rules_that_are_made_later_are_found_by_rank() -> None:
    made = rule("SC2046", "shellcheck-2046", shellcheck="SC2046")
    assert Selector(()).rank("SC2046", made) == EXACT


@pytest.mark.parametrize(
    ("word", "how"),
    [
        ("HDD101", "did you mean 'HD101'? `harden rules` lists them all"),
        ("DL30006", "did you mean 'DL3006'? `harden rules` lists them all"),
        ("untaged-base-image", "did you mean 'untagged-base-image'? `harden rules` lists them all"),
        ("jsonargsrecomended", "did you mean 'JSONArgsRecommended'? `harden rules` lists them all"),
        ("§", "`harden rules` lists them all"),
    ],
)
def test_require_suggests(word: str, how: str) -> None:
    with pytest.raises(HardenError) as caught:
        SELECTOR.require(word, where=".harden.yaml:1:9")
    assert (caught.value.what, caught.value.where, caught.value.how) == (f"unknown rule {word!r}", ".harden.yaml:1:9", how)


def test_require_returns_the_rules() -> None:
    assert SELECTOR.require("HD2") == (ROOT,)
    assert SELECTOR.require("SC9999") == ()


@pytest.mark.parametrize(("word", "form"), [("DS-0002", "ds-0002"), ("ds12", "ds-0012"), ("Tally/no-x", "tally:no-x"), ("DSN", "dsn")])
def test_canonical(word: str, form: str) -> None:
    assert canonical(word) == form
