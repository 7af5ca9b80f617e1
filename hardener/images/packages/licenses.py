"""Licences as packages name them, in the words of SPDX where that is certain."""

from __future__ import annotations

import re
from typing import Final

from hardener.images import spdx

# Names of Debian's machine-readable copyright files, and of Python's classifiers, for what SPDX calls otherwise.
_NAMES: Final = {
    "expat": "MIT",
    "mit/x11": "X11",
    "x11": "X11",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "bsd": "BSD-3-Clause",
    "artistic": "Artistic-1.0-Perl",
    "artistic-1": "Artistic-1.0-Perl",
    "artistic-2": "Artistic-2.0",
    "apache": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "cc0": "CC0-1.0",
    "mpl-1": "MPL-1.0",
    "mpl-2": "MPL-2.0",
    "zope-2.1": "ZPL-2.1",
    "python": "Python-2.0",
    "psf": "PSF-2.0",
    "psf-2": "PSF-2.0",
    "mit license": "MIT",
    "isc license (iscl)": "ISC",
    "apache software license": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "bsd license": "BSD License",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "zope public license": "ZPL-2.1",
}
_GNU: Final = re.compile(r"(A?GPL|LGPL|GFDL)(?:-NIV)?[-v ]?(\d(?:\.\d)?)(\+|-or-later)?", re.IGNORECASE)
_FIELD: Final = re.compile(rb"^License:[ \t]*([^\n]*)", re.MULTILINE | re.IGNORECASE)
_COMMON: Final = re.compile(rb"/usr/share/common-licenses/([A-Za-z][A-Za-z0-9.-]*[A-Za-z0-9])")
_LONG: Final = 500  # characters: some write the whole text of the licence into the field for its name


def named(text: str) -> str:
    """Return an SPDX expression for what a package says of its licence, or that itself when it is none; one line, at most 500 long."""
    text = " ".join(text.split())[:_LONG]
    known = _NAMES.get(text.lower()) or _gnu(text) or text
    return spdx.canonical(known)


def joined(text: str) -> str:
    """Return the same for several with words between: `GPL-2+ or Expat` of Debian, `GPLv2+ and MIT` of rpm."""
    text = " ".join(text.split())[:_LONG]
    if " with " in text.lower():
        return spdx.canonical(text)
    # "A and/or B" and "A, and B" are of the grammar: either way all of them are there.
    words = text.replace("and/or", "and").replace(",", " ").split()
    whole = " ".join(word.upper() if word.lower() in ("and", "or") else named(word) for word in words)
    return whole if spdx.is_valid(whole) else named(text)


def in_copyright(content: bytes) -> bytes:
    """Return the licences in a copyright file of Debian, one a line: its `License:` fields, or else the common ones it points to."""
    found = [one.strip() for one in _FIELD.findall(content)] or _COMMON.findall(content)
    return b"\n".join(dict.fromkeys(one[:_LONG] for one in found if one))


def _gnu(text: str) -> str:
    found = _GNU.fullmatch(text)
    if found is None:
        return ""
    version = found[2] if "." in found[2] else f"{found[2]}.0"
    return f"{found[1].upper()}-{version}-{'or-later' if found[3] else 'only'}"
