"""Licences become SPDX expressions where that is certain, and stay what they are elsewhere."""

import pytest

from hardener.images.packages import licenses


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mit", "MIT"),
        ("MIT License", "MIT"),
        ("Apache Software License", "Apache-2.0"),
        (
            "MIT and (isc or gpl-2.0-or-later with classpath-exception-2.0)",
            "MIT AND (ISC OR GPL-2.0-or-later WITH Classpath-exception-2.0)",
        ),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("GPLv2", "GPL-2.0-only"),
        ("Our own, see  LICENSE", "Our own, see LICENSE"),
        ("BSD License", "BSD License"),
        ("x" * 9999, "x" * 500),
    ],
)
def test_a_name(text: str, name: str) -> None:
    assert licenses.named(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("LGPL-2.1+ or Expat", "LGPL-2.1-or-later OR MIT"),
        ("GPL-3+ with autoconf exception", "GPL-3+ with autoconf exception"),
        ("BSD-3-clause and/or GPL-2", "BSD-3-Clause AND GPL-2.0-only"),
        ("public-domain", "public-domain"),
    ],
)
def test_a_name_of_debian(text: str, name: str) -> None:
    assert licenses.joined(text) == name


def test_a_copyright_file_of_debian() -> None:
    text = (
        b"Format: x\n\nFiles: *\nLicense: GPL-2+\n Text\n\nFiles: b\nLicense: Expat\n\nLicense: GPL-2+\n /usr/share/common-licenses/GPL\n"
    )
    assert licenses.in_copyright(text) == b"GPL-2+\nExpat"
    assert licenses.in_copyright(b"It is free: see /usr/share/common-licenses/LGPL-2.1.\n") == b"LGPL-2.1"
    assert licenses.in_copyright(b"\x00\xff nothing") == b""
