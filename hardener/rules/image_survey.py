"""One walk over the final image for all rules that look for files: what has privileges, what anybody may write, what was left behind.

An image may have a million paths, so only what some rule asks for is remembered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hardener.record import NamedTuple
from hardener.rules.file_capabilities import ATTRIBUTE

if TYPE_CHECKING:
    from hardener.images.image import Layer
    from hardener.images.tar import Entry
    from hardener.images.view import View

MOST: Final = 2_000  # paths of one kind that are remembered: what there is more of is told as a number

# Folders that other people's files are in: installed packages of languages, and documentation. Nobody left those behind.
_FOREIGN: Final = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|dist-packages|vendor|gems|bower_components|pkg/mod|cargo/registry|testdata)/"
    r"|^(?:usr/(?:share|lib|lib64|libexec|include|src)|usr/local/(?:lib|share|go|rustup|cargo|bundle)|opt/conda|root/\.(?:cache|cargo|rustup|nvm)"
    r"|var/lib/(?:dpkg|apt|rpm))/"
)

# What package managers keep for a next time that never comes. Kind, title, pattern; the pattern ends where the folder does.
_CACHES: Final[tuple[tuple[str, str, str], ...]] = (
    ("index", "apt's package lists", r"var/lib/apt/lists/(?!lock$|partial$|auxfiles$)"),
    ("index", "apt's index", r"var/cache/apt/(?:src)?pkgcache\.bin$"),
    ("index", "apk's index", r"(?:var/cache/apk|etc/apk/cache|lib/apk/cache)/"),
    ("index", "pacman's package lists", r"var/lib/pacman/sync/"),
    ("packages", "packages that apt has installed", r"var/cache/apt/archives/(?=[^/]+\.deb$)"),
    ("packages", "dnf's cache", r"var/cache/(?:dnf|libdnf5|yum)/"),
    ("packages", "zypper's cache", r"var/cache/zypp/"),
    ("packages", "packages that pacman has installed", r"var/cache/pacman/pkg/"),
    ("language", "pip's cache", r"(?:root|home/[^/]+)/\.cache/pip/"),
    ("language", "uv's cache", r"(?:root|home/[^/]+)/\.cache/uv/"),
    ("language", "Poetry's cache", r"(?:root|home/[^/]+)/\.cache/pypoetry/"),
    ("language", "npm's cache", r"(?:root|home/[^/]+)/\.npm/_cacache/"),
    (
        "language",
        "Yarn's cache",
        r"(?:(?:root|home/[^/]+)/\.cache/yarn|usr/local/share/\.cache/yarn|(?:root|home/[^/]+)/\.yarn/berry/cache)/",
    ),
    ("language", "pnpm's store", r"(?:root|home/[^/]+)/\.local/share/pnpm/store/"),
    ("language", "Go's build cache", r"(?:root|home/[^/]+)/\.cache/go-build/"),
    ("language", "Go's module cache", r"(?:go|root/go|home/[^/]+/go)/pkg/mod/cache/"),
    ("language", "Cargo's downloads", r"(?:usr/local/cargo|root/\.cargo|home/[^/]+/\.cargo)/registry/(?:cache|src|index)/"),
    (
        "language",
        "gems that are installed",
        r"(?:usr/local/bundle|(?:usr|var)/lib/(?:ruby/)?gems/[^/]+|usr/local/lib/ruby/gems/[^/]+)/cache/",
    ),
    ("language", "Composer's cache", r"(?:root|home/[^/]+)/\.(?:composer/cache|cache/composer)/"),
    ("language", "Gradle's caches", r"(?:root|home/[^/]+)/\.gradle/caches/"),
    ("language", "Conda's packages", r"opt/(?:conda|miniconda3?|mambaforge|miniforge3)/pkgs/"),
    ("language", "NuGet's cache", r"(?:root|home/[^/]+)/\.(?:local/share/NuGet/v3-cache|nuget/v3-cache)/"),
)
_CACHE: Final = re.compile("|".join(f"({pattern})" for _, _, pattern in _CACHES))

_LITTER: Final = re.compile(
    r"(?:\.DS_Store|Thumbs\.db|desktop\.ini|\.[^/]*\.sw[op]|[^/]+~|\.vscode|\.idea|\.travis\.yml|\.gitlab-ci\.yml|\.github|\.circleci"
    r"|Jenkinsfile|azure-pipelines\.yml|bitbucket-pipelines\.yml|\.pre-commit-config\.yaml|\.editorconfig|npm-debug\.log|__MACOSX"
    r"|\.viminfo|\.lesshst|\.wget-hsts)"
)
_BUILD_FILES: Final = re.compile(
    r"(?:(?:[\w.-]+\.)?(?:Dockerfile|Containerfile)(?:\.[\w-]+)?|(?:docker-)?compose(?:\.[\w-]+)*\.ya?ml|\.dockerignore)", re.IGNORECASE
)
_DOTENV: Final = re.compile(r"\.env(?:\.(?!example$|sample$|template$|dist$|defaults?$|test$|ci$|schema$)[\w-]+)?")
VERSION_CONTROL: Final = {".git": "HEAD", ".svn": "wc.db", ".hg": "requires", ".bzr": "branch-format"}
"""Folders of version control, and a file that each has."""

# Characters that turn the direction of writing or cannot be seen (of an emoji's parts, U+200D joins), and those that drive a terminal.
STRANGE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

TOOLS: Final = {
    "shell": "sh bash dash ash zsh ksh mksh fish tcsh csh busybox toybox pwsh",
    "manager": "apt apt-get aptitude dpkg apk dnf dnf5 microdnf yum rpm zypper pacman opkg pip pip3 npm yarn pnpm gem cargo conda "
    "micromamba composer nix-env tdnf",
    "compiler": "gcc cc g++ c++ clang clang++ make gmake cmake ninja rustc go javac ghc as ld gfortran nasm tcc",
    "debugger": "gdb gdbserver strace ltrace lldb perf dlv valgrind rr bpftrace jdb radare2 r2",
    "network": "curl wget nc ncat netcat socat nmap masscan tcpdump tshark telnet ftp lftp tftp ssh scp sftp rsync dig nslookup host "
    "traceroute mtr iperf3 httpie http aria2c",
    "escalator": "sudo sudo-rs doas pkexec",
    "server": "sshd dropbear in.telnetd telnetd vsftpd proftpd pure-ftpd xrdp x11vnc vncserver rlogind inetd xinetd",
    "runtime": "docker dockerd containerd ctr runc crun podman buildah nerdctl kubectl helm crictl skopeo",
}
"""Programs that a finished image seldom needs, by what they are."""
_KIND_OF: Final = {name: kind for kind, names in TOOLS.items() for name in names.split()}
_TREES: Final = {
    "compiler": ("usr/lib/gcc/", "usr/libexec/gcc/", "usr/include/", "usr/local/go/", "usr/lib/llvm", "usr/local/rustup/", "usr/lib/go-"),
    "manager": ("var/lib/dpkg/", "usr/lib/apt/", "usr/lib/rpm/", "usr/lib/sysimage/rpm/", "var/lib/rpm/", "lib/apk/"),
}
"""What belongs to tools and is larger than their programs."""
_TREE: Final = re.compile("|".join(f"({'|'.join(map(re.escape, prefixes))})" for prefixes in _TREES.values()))
_VERSIONED: Final = re.compile(r"(?:[a-z0-9_]+-linux-(?:gnu|musl)[a-z0-9]*-)?([a-z][a-z+]*)(?:-?\d[\d.]*)?")


class Seen(NamedTuple):
    """A path that some rule asks for."""

    path: str
    entry: Entry
    layer: Layer


class Pile:
    """Files that were left in one place by one layer: how many, how large, and the first of them."""

    __slots__ = ("bytes", "count", "first", "layer", "where")

    def __init__(self, layer: Layer, first: str, where: str) -> None:
        self.layer = layer
        self.first = first
        self.where = where
        self.count = 0
        self.bytes = 0


class Survey:
    """What a walk over the final image has found."""

    def __init__(self, view: View, folders: frozenset[str]) -> None:
        """Walk. `folders` are those that programs are looked for in, as paths without `/` before them."""
        self.privileged: list[Seen] = []  # files with setuid or setgid bits, or capabilities
        self.writable_files: list[Seen] = []
        self.writable_folders: list[Seen] = []  # without the sticky bit
        self.devices: list[Seen] = []
        self.strange: list[Seen] = []  # names that do not show as they are
        self.caches: dict[tuple[str, str, int], Pile] = {}  # by kind, title and layer
        self.version_control: dict[str, Pile] = {}  # by folder
        self.litter: list[Seen] = []
        self.build_files: list[Seen] = []
        self.dotenv: list[Seen] = []
        self.host_keys: list[Seen] = []
        self.authorized: list[Seen] = []
        self.tools: dict[str, list[Seen]] = {kind: [] for kind in TOOLS}
        self.trees: dict[str, int] = dict.fromkeys(_TREES, 0)  # bytes
        self.files = 0
        self._view = view
        self._folders = folders
        for path, found in view:
            entry = found.entry
            # Layers name the folders above what they bring: the one that made a folder what it is answers for it.
            self._look(path, Seen(path, entry, found.since if entry.kind == "folder" else found.layer))

    def _look(self, path: str, seen: Seen) -> None:
        entry = seen.entry
        kind, mode = entry.kind, entry.mode
        folder, _, name = path.rpartition("/")
        if not name.isprintable() and STRANGE.search(name):
            _keep(self.strange, seen)
        if kind in ("file", "hardlink"):
            self.files += 1
            if (mode & 0o6000 and mode & 0o111) or ATTRIBUTE in entry.xattrs:
                _keep(self.privileged, seen)
            if mode & 0o002:
                _keep(self.writable_files, seen)
            self._cache(path, seen)
            tree = _TREE.match(path)
            if tree is not None and tree.lastindex is not None:
                self.trees[tuple(_TREES)[tree.lastindex - 1]] += entry.size
            if name.startswith("ssh_host_") and name.endswith("_key") and folder.startswith("etc/"):
                _keep(self.host_keys, seen)
            elif name in ("authorized_keys", "authorized_keys2") and entry.size:
                _keep(self.authorized, seen)
        elif kind == "folder":
            if mode & 0o002 and not mode & 0o1000:
                _keep(self.writable_folders, seen)
            if name in VERSION_CONTROL and self._view.find(f"{path}/{VERSION_CONTROL[name]}") is not None:
                self.version_control[path] = Pile(seen.layer, path, path)
        elif kind in ("char", "block"):
            _keep(self.devices, seen)
        if folder in self._folders and kind in ("file", "hardlink", "symlink"):
            self._tool(name, seen)
        self._left(path, name, seen)

    def _cache(self, path: str, seen: Seen) -> None:
        size = seen.entry.size
        match = _CACHE.match(path)
        if match is not None and match.lastindex is not None:
            kind, title, _ = _CACHES[match.lastindex - 1]
            key = (kind, title, seen.layer.index)
            pile = self.caches.get(key)
            if pile is None:
                pile = self.caches[key] = Pile(seen.layer, path, match[0])
            pile.count += 1
            pile.bytes += size
        if "/." in f"/{path}":
            for part, known in VERSION_CONTROL.items():
                at = f"/{path}".find(f"/{part}/")
                if at >= 0 and known:
                    pile = self.version_control.get(path[: at + len(part)])
                    if pile is not None:
                        pile.count += 1
                        pile.bytes += size

    def _tool(self, name: str, seen: Seen) -> None:
        kind = _KIND_OF.get(tool_name(name))
        if kind is None:
            return
        if seen.entry.kind == "symlink":
            found = self._view.find(seen.path)
            if found is None or found.entry.kind not in ("file", "hardlink"):
                return
        elif not seen.entry.mode & 0o111:
            return
        _keep(self.tools[kind], seen)

    def _left(self, path: str, name: str, seen: Seen) -> None:
        found = None
        if _LITTER.fullmatch(name):
            found = self.litter
        elif _BUILD_FILES.fullmatch(name) and seen.entry.kind == "file":
            found = self.build_files
        elif _DOTENV.fullmatch(name) and seen.entry.kind == "file" and seen.entry.size:
            found = self.dotenv
        if found is not None and not _FOREIGN.search(path):
            _keep(found, seen)


def tool_name(name: str) -> str:
    """Return what a program is called without machine and version: gcc for x86_64-linux-gnu-gcc-12; other programs as they are."""
    if name in _KIND_OF:
        return name
    match = _VERSIONED.fullmatch(name)
    return match[1] if match is not None and _KIND_OF.get(match[1]) in ("compiler", "manager") else name


def _keep(found: list[Seen], seen: Seen) -> None:
    if len(found) < MOST:
        found.append(seen)


def size_text(size: int) -> str:
    """Return bytes as people read them: 900 B, 12 kB, 3.4 MB."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    units = ["kB", "MB", "GB", "TB"]
    while True:
        value /= 1000
        unit = units.pop(0)
        if value < 999.95 or not units:
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
