"""What one pass over an image has found: the subject of the rules on images."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

from hardener.images.packages import os_release
from hardener.oci.image import names
from hardener.rules.image_accounts import Accounts, Who
from hardener.rules.image_survey import Survey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.images.image import Image, Layer
    from hardener.images.kept import Kept
    from hardener.images.packages.model import Distribution, Owned, Package
    from hardener.images.tar import Entry
    from hardener.images.view import Found, LayerSummary, View
    from hardener.rules.image_document import ImageDocument, Step
    from hardener.rules.image_programs import Programs
    from hardener.rules.secrets.scanner import Leak, SecretScanner
    from hardener.text import Span

_KEPT: Final = frozenset(
    {
        "etc/passwd", "etc/group", "etc/shadow", "etc/os-release", "usr/lib/os-release", "etc/sudoers", "etc/doas.conf", "etc/pip.conf",
        "etc/apt/sources.list", "etc/yum.conf", "etc/dnf/dnf.conf", "etc/apk/repositories", "etc/ld.so.preload", "root/.pip/pip.conf",
        "root/.config/pip/pip.conf",
    }
)  # fmt: skip
_KEPT_BELOW: Final = ("etc/sudoers.d/", "etc/apt/sources.list.d/", "etc/apt/apt.conf.d/", "etc/yum.repos.d/", "etc/zypp/repos.d/")
KEPT_BYTES: Final = 1 << 20  # of one file that is kept


def is_kept(entry: Entry) -> bool:
    """Whether rules read a file of this name."""
    return entry.name in _KEPT or entry.name.startswith(_KEPT_BELOW)


# Whose packages a distribution has, by the ID of its os-release.
_FAMILIES: Final = {
    **dict.fromkeys(("debian", "ubuntu", "raspbian", "devuan", "kali", "linuxmint"), "debian"),
    **dict.fromkeys(("alpine", "wolfi", "chainguard"), "alpine"),
    **dict.fromkeys(("rhel", "fedora", "centos", "rocky", "almalinux", "amzn", "ol", "azurelinux", "mariner", "photon"), "rhel"),
    **dict.fromkeys(("suse", "opensuse", "sles", "opensuse-leap", "opensuse-tumbleweed"), "suse"),
    "arch": "arch",
}


class Contents:
    """An image that was looked through. `owned` is None when nobody has read its package databases."""

    def __init__(
        self,
        image: Image,
        document: ImageDocument,
        view: View,
        kept: Kept,
        programs: Programs,
        *,
        owned: Owned | None = None,
        packages: tuple[Package, ...] | None = None,
        unread: tuple[str, ...] = (),
        scanner: SecretScanner | None = None,
    ) -> None:
        self.image = image
        self.document = document
        self.view = view
        self.programs = programs
        self.owned = owned
        self.packages = packages  # None when nobody has read them
        self.unread = unread  # package databases that could not be read, and why
        self.secrets: set[str] = set()  # credentials that rules have met in the image's text: no report shows them
        self._kept = kept
        self._scanner = scanner

    def __repr__(self) -> str:
        return f"Contents({self.image.name!r})"

    def text(self, path: str) -> bytes | None:
        """Return a small file of the final image, of those that `is_kept` names."""
        return self._kept.text(self.view, path)

    @cached_property
    def leaks(self) -> tuple[Leak, ...]:
        """The credentials in the files of all layers, without those of files that packages have brought as they are."""
        return () if self._scanner is None else self._scanner.leaks(self.view, self.owned)

    @cached_property
    def accounts(self) -> Accounts:
        """The accounts of the final image."""
        return Accounts(self.text("etc/passwd"), self.text("etc/group"), self.text("etc/shadow"))

    @cached_property
    def distribution(self) -> Distribution:
        """The distribution of the final image."""
        text = next((text for path in os_release.PATHS if (text := self.text(path)) is not None), b"")
        return os_release.parse(text.decode("utf-8", "replace"))

    @property
    def family(self) -> str:
        """debian, alpine, rhel, suse or arch: whose packages it has; "" for others."""
        return _FAMILIES.get(self.distribution.id, "")

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The environment that containers start with."""
        return dict(entry.partition("=")[::2] for entry in self.image.defaults.env or ())

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The labels of the image."""
        return self.image.defaults.labels or {}

    @cached_property
    def ports(self) -> tuple[str, ...]:
        """What EXPOSE names, each as number/protocol."""
        return tuple(port if "/" in port else f"{port}/tcp" for port in names(self.image.defaults.exposed_ports))

    @cached_property
    def volumes(self) -> tuple[str, ...]:
        """The folders that VOLUME names."""
        return names(self.image.defaults.volumes)

    @cached_property
    def survey(self) -> Survey:
        """What a walk over the final image has found."""
        folders = [*self.env.get("PATH", DEFAULT_PATH).split(":"), *DEFAULT_PATH.split(":"), "/usr/libexec", "/usr/lib/ssh"]
        found = [self.view.find(folder.strip("/")) for folder in folders if folder.startswith("/")]
        return Survey(self.view, frozenset(each.path for each in found if each is not None))

    @cached_property
    def who(self) -> Who:
        """Who its containers run as."""
        return self.accounts.who(self.image.defaults.user or "")

    @cached_property
    def argv(self) -> tuple[str, ...]:
        """What containers start: ENTRYPOINT and CMD."""
        return (*(self.image.defaults.entrypoint or ()), *(self.image.defaults.cmd or ()))

    @property
    def is_windows(self) -> bool:
        """Whether it is an image for Windows, whose files and accounts are none that we know."""
        return (self.image.config.os or "").lower() == "windows"

    def step(self, layer: Layer) -> Step:
        """Return the line that made a layer."""
        return self.document.of(layer)

    def at(self, layer: Layer) -> Span:
        """Return where a finding stands about what a layer brought."""
        return self.document.of(layer).span

    def is_own(self, layer: Layer) -> bool:
        """Whether a layer is of who built the image, and not of its base."""
        return self.document.of(layer).own

    def program(self, name: str) -> tuple[str, Found] | None:
        """Return the file that a program's name stands for, by PATH as execve would."""
        folders = [""] if "/" in name else self.env.get("PATH", DEFAULT_PATH).split(":")
        if "/" in name and not name.startswith("/"):
            folders = [self.image.defaults.working_dir or "/"]
        for folder in folders:
            path = (f"{folder}/{name}" if folder else name).strip("/")
            found = self.view.find(path)
            if found is not None and found.entry.kind in ("file", "hardlink"):
                return path, found
        return None

    def below(self, folder: str) -> Iterator[tuple[str, Found]]:
        """Yield the paths of the final image below a folder, given with `/` behind it, of those that rules keep."""
        seen = set()
        for path, _, _ in self._kept.all():
            if path.startswith(folder) and path not in seen:
                seen.add(path)
                found = self.view.find(path)
                if found is not None:
                    yield path, found

    def summaries(self) -> Iterator[tuple[LayerSummary, Step]]:
        """Yield what each layer did, and the line that made it."""
        for summary in self.view.layers:
            yield summary, self.document.of(summary.layer)


DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where runtimes look for programs when an image sets no PATH."""
