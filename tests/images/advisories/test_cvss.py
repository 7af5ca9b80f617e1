"""Scores are those of the specifications' examples, and of another calculator for any vector."""

import pytest
from cvss import CVSS3, CVSS4
from hypothesis import given
from hypothesis import strategies as st

from hardener.finding import Severity
from hardener.images.advisories import cvss

# The examples of the v3.1 and v4.0 example documents (FIRST.Org), by vulnerability.
PUBLISHED = (
    ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),  # CVE-2013-0375
    ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),  # CVE-2014-3566
    ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),  # CVE-2012-1516
    ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),  # CVE-2014-0160
    ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),  # CVE-2014-6271
    ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8),  # CVE-2009-0783 class: physical
    ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
    ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
    ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3),  # CVE-2022-41741
    ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7),  # CVE-2020-3549
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N", 8.8),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),  # CVE-2021-44228
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
)
NOT_VECTORS = (
    "",
    "7.5",
    "AV:N/AC:L/Au:N/C:P/I:P/A:P",
    "CVSS:3.1/AV:N",
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X",
    "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "CVSS:3.1/AVN/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "CVSS:5.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:S/SA:H",
    "CVSS:4.0/AV:Q/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H",
)


@pytest.mark.parametrize(("vector", "score"), PUBLISHED)
def test_published_examples(vector: str, score: float) -> None:
    assert cvss.score(vector) == score


@pytest.mark.parametrize("vector", NOT_VECTORS)
def test_what_is_no_vector_has_no_score(vector: str) -> None:
    assert cvss.score(vector) is None


def vectors(prefix: str, metrics: dict[str, str]) -> st.SearchStrategy[str]:
    """Return vectors; a metric whose values begin with X may be left out."""
    return st.tuples(*[st.sampled_from(values) for values in metrics.values()]).map(
        lambda told: "/".join([prefix, *[f"{name}:{value}" for name, value in zip(metrics, told, strict=True) if value != "X"]])
    )


BASE3 = {"AV": "NALP", "AC": "LH", "PR": "NLH", "UI": "NR", "S": "UC", "C": "HLN", "I": "HLN", "A": "HLN"}
BASE4 = {"AV": "NALP", "AC": "LH", "AT": "NP", "PR": "NLH", "UI": "NPA"} | {f"{a}{b}": "HLN" for a in "VS" for b in "CIA"}
MORE4 = {
    "E": "XXXAPU",
    "CR": "XXHML",
    "IR": "XXHML",
    "AR": "XXHML",
    "MSI": "XXXXSHLN",
    "MSA": "XXXXSHLN",
    "MAV": "XXXXNALP",
    "MVC": "XXXXHLN",
}


@given(st.one_of(vectors("CVSS:3.1", BASE3), vectors("CVSS:3.0", BASE3)))
def test_another_calculator_agrees_on_the_third_version(vector: str) -> None:
    assert cvss.score(vector) == float(CVSS3(vector).scores()[0])


@given(st.one_of(vectors("CVSS:4.0", BASE4), vectors("CVSS:4.0", BASE4 | MORE4)))
def test_another_calculator_agrees_on_the_fourth_version(vector: str) -> None:
    assert cvss.score(vector) == float(CVSS4(vector).scores()[0])


@pytest.mark.parametrize(
    ("score", "severity"),
    [(0.0, "info"), (0.1, "low"), (3.9, "low"), (4.0, "medium"), (6.9, "medium"), (7.0, "high"), (8.9, "high"), (9.0, "critical")],
)
def test_severities(score: float, severity: str) -> None:
    assert cvss.severity(score) is Severity[severity.upper()]
