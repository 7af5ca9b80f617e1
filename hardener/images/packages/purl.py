"""Package URLs. Source: github.com/package-url/purl-spec, purl-specification.md and the definition of each type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hardener.images.packages.model import Package

# What advisories and other tools call a distribution whose os-release has another id.
_VENDORS: Final = {"rhel": "redhat", "amzn": "amazon", "ol": "oracle", "opensuse-leap": "opensuse", "opensuse-tumbleweed": "opensuse"}
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_~:")
_ENCODED: Final = [chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in range(256)]


def of(package: Package) -> str:
    """Return the package URL of a package."""
    kind, name, version = package.kind, package.name, package.version
    namespace = ""
    qualifiers: dict[str, str] = {}
    match kind:
        case "deb" | "apk" | "rpm":
            distribution = package.distribution
            namespace = _VENDORS.get(distribution.id, distribution.id)
            if kind == "rpm":
                epoch, colon, rest = version.partition(":")
                if colon:
                    version, qualifiers["epoch"] = rest, epoch
            else:
                name = name.lower()
            qualifiers |= {"arch": package.arch, "distro": distribution.release, "upstream": _upstream(package)}
        case "pypi":
            name = name.lower().replace("_", "-")
        case "npm":
            scope, slash, rest = name.rpartition("/")
            namespace, name = (scope, rest) if slash else ("", name)
        case "golang":
            namespace, _, name = name.lower().rpartition("/")
        case _:
            raise AssertionError(kind)
    parts = [*namespace.split("/"), name] if namespace else [name]
    path = "/".join(encoded(part) for part in parts if part)
    found = "&".join(f"{key}={encoded(value)}" for key, value in sorted(qualifiers.items()) if value)
    return f"pkg:{kind}/{path}{'@' + encoded(version) if version else ''}{'?' + found if found else ''}"


def _upstream(package: Package) -> str:
    """Return what it was built from, when it is called otherwise: matchers of advisories look there."""
    if not package.source or package.source == package.name:
        return ""
    return package.source if package.source_version in ("", package.version) else f"{package.source}@{package.source_version}"


def encoded(text: str, plain: str = "") -> str:
    """Return a text as a part of a package URL; characters of `plain` stay as they are, too."""
    return "".join([chr(byte) if chr(byte) in plain else _ENCODED[byte] for byte in text.encode("utf-8", "surrogateescape")])
