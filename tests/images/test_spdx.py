"""SPDX licence expressions, as labels carry them."""

import pytest

from hardener.images import spdx


@pytest.mark.parametrize(
    "expression",
    [
        "MIT",
        "mit",
        "Apache-2.0 OR MIT",
        "(MIT AND BSD-3-Clause) OR GPL-2.0-only WITH Classpath-exception-2.0",
        "GPL-2.0+",
        "LicenseRef-Proprietary",
        "DocumentRef-other:LicenseRef-1",
        "mit or apache-2.0",
        "NOASSERTION",
        "((MIT))",
    ],
)
def test_valid(expression: str) -> None:
    assert spdx.why_not(expression) == ""


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "something is missing at its end"),
        ("MIT OR", "something is missing at its end"),
        ("OR MIT", "'OR' stands at a wrong place"),
        ("MIT Apache-2.0", "'Apache-2.0' stands at a wrong place"),
        ("(MIT", "a parenthesis is never closed (did you mean MIT?)"),
        ("MIT)", "a parenthesis is closed that was never opened (did you mean MIT?)"),
        ("MIT WITH (x)", "'(' stands at a wrong place"),
        ("MIT WITH Apache-2.0", "'Apache-2.0' is not in SPDX's list"),
        ("Classpath-exception-2.0", "'Classpath-exception-2.0' is not in SPDX's list"),
        ("Apache License, Version 2.0", "'Apache' is not in SPDX's list (did you mean Apache-2.0?)"),
        ("GPLv3", "'GPLv3' is not in SPDX's list (did you mean GPL-3.0-only?)"),
        ("UNLICENSED", "'UNLICENSED' is not in SPDX's list (did you mean LicenseRef-Proprietary?)"),
        ("The Unlicense", "'The' is not in SPDX's list (did you mean Unlicense?)"),
    ],
)
def test_invalid(expression: str, reason: str) -> None:
    assert spdx.why_not(expression) == reason
