import pytest
from sample_rules import LATEST, QUOTING, ROOT, RULES, SHELL_FORM, UNTAGGED

from hardener.engine import ignores
from hardener.engine.ignores import Ignores
from hardener.engine.selection import Selector
from hardener.finding import Rule
from hardener.sources import dockerfile
from hardener.text import SourceFile, Span

SELECTOR = Selector(RULES)
TODAY = "2026-06-15"


def read(text: str, *, forbidden: tuple[str, ...] = ()) -> Ignores:
    document = dockerfile.parse(SourceFile("Dockerfile", text))
    return ignores.read(document, SELECTOR, today=TODAY, forbidden=forbidden)


def marked(text: str) -> tuple[str, list[Span]]:
    """Return the text without its «» marks, and the spans they enclosed."""
    spans = []
    while "«" in text:
        start, end = text.index("«"), text.index("»") - 1
        text = text.replace("«", "", 1).replace("»", "", 1)
        spans.append(Span(start, end))
    return text, spans


def covered(text: str, rule: Rule = UNTAGGED) -> list[bool]:
    """Return for each marked place whether a finding of the rule there is ignored."""
    text, spans = marked(text)
    found = read(text)
    return [found.match(rule, [span]) is not None for span in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("# harden: ignore[HD101] why\nFROM «a»\nFROM «b»\n", [True, False], id="the next instruction only"),
        pytest.param("# harden: ignore[HD101]\n\n# words\n\nFROM «a»\n", [True], id="blank lines and comments between"),
        pytest.param("#harden:ignore[HD101]\nFROM «a»\n", [True], id="no blanks"),
        pytest.param("  #  Harden : ignore [ HD102 ,HD101 ]  why\r\nFROM «a»\r\n", [True], id="many blanks, CRLF"),
        pytest.param(
            "# harden: ignore[HD102]\n# harden: ignore[HD101]\n# harden: ignore[HD2]\nFROM «a»\n", [True], id="several comments add up"
        ),
        pytest.param("# harden: ignore[HD102]\nFROM «a»\n", [False], id="another rule"),
        pytest.param(
            "FROM x\n# harden: ignore[HD101]\nRUN «a» \\\n  «b» \\\n\n  # c\n  && «c»\nRUN «d»\n",
            [True, True, True, False],
            id="a whole RUN",
        ),
        pytest.param("FROM x\nRUN «a» \\\n  # harden: ignore[HD101]\n  «b» \\\n  «c»\n", [False, True, False], id="the next line of a RUN"),
        pytest.param(
            "FROM x\nRUN «a» \\\n# harden: ignore[HD101]\n# harden: ignore[HD102]\n\n# x\n  «b» \\\n  «c»\n",
            [False, True, False],
            id="past comments",
        ),
        pytest.param(
            "FROM x\nRUN <<E\n«a»\n  # harden: ignore[HD101]\n«b»\n«c»\nE\nRUN «d»\n", [False, True, False, False], id="in a heredoc"
        ),
        pytest.param("FROM x\nCOPY <<E /f\n# harden: ignore[HD101]\n«b»\nE\n", [True], id="in the heredoc of a COPY"),
        pytest.param("FROM x\n# harden: ignore[HD101]\nRUN <<E\n«a»\nE\n", [True], id="a RUN with its heredoc"),
        pytest.param("FROM x\n# harden: ignore[HD101]\nONBUILD RUN «a»\n", [True], id="an ONBUILD trigger"),
        pytest.param("FROM x\nRUN echo # harden: ignore[HD101] «b»\n", [False], id="there are no trailing comments in a Dockerfile"),
        pytest.param("FROM «a»\n# harden: ignore[HD101]\n", [False], id="nothing follows"),
        pytest.param("FROM «a»\nRUN «b»\n# harden: ignore-file[HD101]\n", [True, True], id="the file, from anywhere"),
        pytest.param("FROM «a»\nRUN \\\n# harden: ignore-file[HD101]\n «b»\n", [True, True], id="the file, from inside an instruction"),
        pytest.param("# syntax=«x»\n# harden: ignore-file[HD101]\nFROM a\n", [True], id="the file, directives included"),
        pytest.param(
            "FROM «a»\n# harden: ignore-stage[HD101]\nRUN «b»\nFROM «c»\nRUN «d»\n", [True, True, False, False], id="the stage around it"
        ),
        pytest.param(
            "FROM «a»\nRUN «b»\n# harden: ignore-stage[HD101]\nFROM «c»\nRUN «d»\n", [False, False, True, True], id="the stage that begins"
        ),
        pytest.param(
            "FROM «a»\nRUN «b» \\\n# harden: ignore-stage[HD101]\n  c\nFROM «c»\n",
            [True, True, False],
            id="the stage, from inside its last RUN",
        ),
        pytest.param("# harden: ignore-stage[HD101]\nARG X\nFROM «a»\nFROM «b»\n", [True, False], id="the first stage, from above an ARG"),
        pytest.param("FROM «a»\nFROM «b»\nRUN c\n# harden: ignore-stage[HD101]\n", [False, True], id="the last stage, from its end"),
        pytest.param("# harden: ignore[all] generated\nFROM «a»\n", [True], id="all"),
        pytest.param("# harden: ignore[HD1]\nFROM «a»\n", [True], id="a prefix"),
        pytest.param("# harden: ignore[untagged-base-image]\nFROM «a»\n", [True], id="a name"),
        pytest.param("# harden: ignore[CKV_DOCKER_7]\nFROM «a»\n", [True], id="a peer's id"),
        pytest.param("# harden: ignore[AVD-DS-0001, fd54f200]\nFROM «a»\n", [True], id="peers' ids"),
        pytest.param("# harden: ignore[HD101] expires=2026-06-15 why\nFROM «a»\n", [True], id="the last day counts"),
        pytest.param("# harden: ignore[HD101] expires=2026-06-14 why\nFROM «a»\n", [False], id="expired"),
        pytest.param("# harden: ignore[HD101] why expires=2026-06-14\nFROM «a»\n", [False], id="expired, though the date stands last"),
        pytest.param("# harden: ignore[HD101] expires=soon\nFROM «a»\n", [False], id="a date that is none holds nothing"),
        pytest.param("# harden: ignore[HD101 why\nFROM «a»\n", [False], id="malformed holds nothing"),
        pytest.param("# harden: ignore[HD999, HD101]\nFROM «a»\n", [True], id="an unknown id leaves the others"),
    ],
)
def test_scopes(text: str, expected: list[bool]) -> None:
    assert covered(text) == expected


@pytest.mark.parametrize(
    ("comment", "rule", "expected"),
    [
        ("# hadolint ignore=DL3006", UNTAGGED, [False, True, False]),
        ("# hadolint ignore = DL3025 , DL3006 # legacy", UNTAGGED, [False, True, False]),
        ("# hadolint ignore=DL3025", UNTAGGED, [False, False, False]),
        ("#hadolint global ignore=DL3006", UNTAGGED, [True, True, True]),
        ("# hadolint stage ignore=DL3006", UNTAGGED, [False, True, True]),
        ("# hadolint ignore=SC2086", QUOTING, [False, True, False]),
        ("# hadolint shell=/bin/bash", UNTAGGED, [False, False, False]),
        ("# tally ignore=DL3006;reason=legacy", UNTAGGED, [False, True, False]),
        ("# tally ignore=hadolint/DL3006", UNTAGGED, [False, True, False]),
        ("# tally global ignore=JSONArgsRecommended", SHELL_FORM, [True, True, True]),
        ("# tally ignore=all", UNTAGGED, [False, True, False]),
        ("# tally ignore=all", ROOT, [False, False, False]),
        ("# check=skip=JSONArgsRecommended", SHELL_FORM, [False, True, False]),
        ("# check=error=true;skip=X,JSONArgsRecommended", SHELL_FORM, [False, True, False]),
        ("# check=skip=all", SHELL_FORM, [False, True, False]),
        ("# check=skip=all", ROOT, [False, False, False]),
        ("# checkov:skip=CKV_DOCKER_7:we know", UNTAGGED, [True, True, True]),
        ("# bridgecrew:skip=CKV_DOCKER_7", UNTAGGED, [True, True, True]),
        ("# we know: checkov:skip=CKV_DOCKER_7", UNTAGGED, [True, True, True]),
        ("# checkov:skip=CKV_DOCKER_3:we know", UNTAGGED, [False, False, False]),
        ("# trivy:ignore:DS-0002", ROOT, [False, True, False]),
        ("# trivy:ignore:AVD-DS-0002", ROOT, [False, True, False]),
        ("#trivy:ignore:DS001 trivy:ignore:DS002", ROOT, [False, True, False]),
        ("# trivy:ignore:DS-0002:exp:2026-06-15", ROOT, [False, True, False]),
        ("# trivy:ignore:DS-0002:exp:2026-06-14", ROOT, [False, False, False]),
        ("# trivy:ignore:*", ROOT, [False, True, False]),
        ("# trivy:ignore:*", SHELL_FORM, [False, False, False]),
        ("# kics-scan ignore-line", ROOT, [False, True, False]),
        ("# kics-scan ignore-block", ROOT, [False, True, True]),
        ("# kics-scan ignore", ROOT, [True, True, True]),
        ("# kics-scan ignore", UNTAGGED, [False, False, False]),
        ("# kics-scan disable=fd54f200-92ba-4060-9fa2-a77a7bcde22f,x", ROOT, [True, True, True]),
        ("# kics-scan disable=x", ROOT, [False, False, False]),
        ("# drop what hadolint would ignore=DL3006", UNTAGGED, [False, False, False]),
    ],
)
def test_the_comments_of_peers(comment: str, rule: Rule, expected: list[bool]) -> None:
    assert covered(f"FROM «a»\n{comment}\nFROM «b»\nRUN «c»\n", rule) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# check=skip=JSONArgsRecommended;error=true\nFROM «a»\nCMD «b»\n", [True, True]),
        ("# syntax=docker/dockerfile:1\n# check=error=true;skip=all\nFROM a\nCMD «b»\n", [True]),
        ("\n# check=skip=all\nFROM «a»\nCMD «b»\n", [True, False]),
    ],
)
def test_the_check_directive_is_for_the_file(text: str, expected: list[bool]) -> None:
    assert covered(text, SHELL_FORM) == expected


def test_a_block_of_kics_is_the_instruction_when_no_stage_begins() -> None:
    assert covered("FROM «a»\n# kics-scan ignore-block\nRUN «b»\nRUN «c»\n", ROOT) == [False, True, False]


def test_further_anchors_count() -> None:
    text, spans = marked("# harden: ignore[HD201]\nFROM «a»\nRUN «b»\n")
    found = read(text)
    assert found.match(ROOT, spans[1:]) is None
    assert found.match(ROOT, reversed(spans)) is not None


def test_a_match_knows_reason_and_end() -> None:
    found = read("# harden: ignore[HD1] expires=2027-01-31 - kept for the audit\nFROM a\n")
    ignore = found.match(UNTAGGED, [Span(66, 70)])
    assert ignore is not None
    assert (ignore.tool, ignore.reason, ignore.expires) == ("harden", "kept for the audit", "2027-01-31")


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# hadolint ignore=DL3006 # legacy", "legacy"),
        ("# tally ignore=DL3006;reason=legacy, all of it", "legacy, all of it"),
        ("# checkov:skip=CKV_DOCKER_7:legacy: all", "legacy: all"),
        ("# trivy:ignore:DS-0001", ""),
        ("# harden: ignore[HD101]", ""),
        ("# harden: ignore[HD101]: legacy", "legacy"),
    ],
)
def test_reasons(comment: str, reason: str) -> None:
    text = f"{comment}\nFROM a\n"
    ignore = read(text).match(UNTAGGED, [Span(text.index("FROM"), len(text) - 1)])
    assert ignore is not None
    assert ignore.reason == reason


def notices(text: str) -> list[tuple[str, str, str]]:
    """Return code, the text that is marked, and message of each notice."""
    found = read(text)
    return [(notice.code, text[slice(*notice.span)], notice.message) for notice in found.notices]


HOW = "write `# harden: ignore[HD101] reason`, with -stage or -file after `ignore` for a wider scope"


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# harden: ignore HD101", [("malformed", "# harden: ignore HD101", f"not an ignore that is understood: {HOW}")]),
        ("# harden: ignore[HD101 x", [("malformed", "# harden: ignore[HD101 x", f"not an ignore that is understood: {HOW}")]),
        ("# harden: ingore[HD101]", [("malformed", "# harden: ingore[HD101]", f"not an ignore that is understood: {HOW}")]),
        ("# harden: ignore-all[HD101]", [("malformed", "# harden: ignore-all[HD101]", f"not an ignore that is understood: {HOW}")]),
        ("# harden: ignore[ ]", [("malformed", "# harden: ignore[ ]", f"this ignore names no rule: {HOW}")]),
        (
            "# harden: ignore[HD101] expires=2027-02-30",
            [("malformed", "# harden: ignore[HD101] expires=2027-02-30", "'2027-02-30' is not a date: write `expires=2027-01-31`")],
        ),
        (
            "# harden: ignore[HD101] expires=",
            [("malformed", "# harden: ignore[HD101] expires=", "'' is not a date: write `expires=2027-01-31`")],
        ),
        (
            "# harden: ignore[HD101, HDD201]",
            [("unknown-rule", "HDD201", "unknown rule 'HDD201' in an ignore: did you mean 'HD201'? `harden rules` lists them all")],
        ),
        ("# harden: ignore[SC1234]", []),
        ("# hadolint ignore=DL9999", []),
        ("# harden: drop the setuid bits", []),
        ("# how to harden: ignore[x", []),
    ],
)
def test_what_is_wrong_is_said(comment: str, expected: list[tuple[str, str, str]]) -> None:
    assert notices(f"{comment}\nFROM a\n") == expected


def test_no_stage_to_ignore_in() -> None:
    assert notices("# harden: ignore-stage[HD101]\nRUN a\n") == [
        ("malformed", "# harden: ignore-stage[HD101]", "there is no stage to ignore it in: the file has no FROM")
    ]


def test_unused_ids_are_found_one_by_one() -> None:
    text, spans = marked("# harden: ignore[HD101, HD201, SC2086, HD102] why\n# hadolint ignore=DL3007\nFROM «a»\n")
    found = read(text)
    found.match(UNTAGGED, spans)
    ran = [UNTAGGED, LATEST, ROOT]
    assert [(notice.code, text[slice(*notice.span)], notice.message) for notice in found.unused(ran)] == [
        ("unused", "HD201", "nothing here to ignore for HD201"),
        ("unused", "HD102", "nothing here to ignore for HD102"),
    ]


def test_the_more_specific_id_is_the_one_used() -> None:
    text, spans = marked("# harden: ignore-file[HD1]\n# harden: ignore[HD101] why\nFROM «a»\n")
    found = read(text)
    ignore = found.match(UNTAGGED, spans)
    assert ignore is not None
    assert ignore.reason == "why"
    assert [notice.message for notice in found.unused([UNTAGGED])] == ["nothing here to ignore for HD1"]


def test_expired() -> None:
    text = "# harden: ignore[HD101] expires=2026-01-01 x\n# trivy:ignore:DS-0001:exp:2025-01-01\nFROM a\n"
    found = read(text)
    assert [notice.message for notice in found.expired()] == ["this ignore expired on 2026-01-01", "this ignore expired on 2025-01-01"]
    assert found.unused(RULES) == []


def test_reasonless_counts_peers_only_when_they_hide_something() -> None:
    text, spans = marked("# harden: ignore[HD201]\n# hadolint ignore=DL3006\n# hadolint ignore=DL3007\nFROM «a»\n")
    found = read(text)
    found.match(UNTAGGED, spans)
    assert [text[slice(*notice.span)] for notice in found.reasonless()] == ["# harden: ignore[HD201]", "# hadolint ignore=DL3006"]


@pytest.mark.parametrize(("forbidden", "held"), [(("all",), False), (("HD1",), False), (("DL3006",), False), (("HD2",), True), ((), True)])
def test_a_policy_can_forbid_ignores(forbidden: tuple[str, ...], held: bool) -> None:
    text, spans = marked("# hadolint ignore=DL3006\nFROM «a»\n")
    found = read(text, forbidden=forbidden)
    assert (found.match(UNTAGGED, spans) is not None) is held
    assert (found.match(UNTAGGED, spans) is not None) is held
    expected = [] if held else [("forbidden", "# hadolint ignore=DL3006", "HD101 may not be ignored here: the configuration forbids it")]
    assert [(notice.code, text[slice(*notice.span)], notice.message) for notice in found.notices] == expected


def test_thousands_of_ignores_are_read_and_asked() -> None:
    text = "FROM a\n" + "# harden: ignore[HD101] why\n" * 1500 + "RUN a \\\n" + "# harden: ignore[HD101] why\n" * 1500 + " b\n"
    text += "RUN c \\\n# " + "trivy:ignore:a[" * 1500 + "#" * 8000 + "check=;" * 1500 + "\n d\n"
    document = dockerfile.parse(SourceFile("Dockerfile", text))
    found = ignores.read(document, SELECTOR, today=TODAY)
    for offset in range(0, len(text), 50):
        found.match(UNTAGGED, [Span(offset, offset + 1)])
    assert len(found.unused([UNTAGGED])) > 2500


def test_files_without_ignores_cost_nothing() -> None:
    found = read("FROM a\n# words\nRUN b\n")
    assert found.all == ()
    assert found.match(UNTAGGED, [Span(0, 1)]) is None
