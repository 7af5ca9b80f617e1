"""A reader of tars that trusts none: ustar, pax, and the long names of GNU, forwards only, in memory that no header decides about.

What two readers of tars take for two different things is refused, for it hides something from one of them: sparse files, types that are
unknown, sizes below zero, records of pax that are no records. Names are cleaned here, and whiteouts recognised.

Sources: POSIX.1-2017, pax; the GNU tar manual, "Basic Tar Format"; image-spec, layer.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import adler32

from hardener.errors import HardenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.images.limits import Limits
    from hardener.images.notes import Notes

BLOCK: Final = 512
WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"
MARKS_OF_AUFS: Final = ".wh..wh."
LARGEST_ID: Final = 2**32 - 2
HOSTILE: Final = "it is damaged, or made to do harm: do not use it"
_KINDS: Final = {
    **dict.fromkeys((ord("0"), 0, ord("7")), "file"),
    ord("1"): "hardlink",
    ord("2"): "symlink",
    ord("3"): "char",
    ord("4"): "block",
    ord("5"): "folder",
    ord("6"): "fifo",
}
_SPARSE: Final = b"GNU.sparse."
_XATTR: Final = "SCHILY.xattr."
_NOTHING: Final[dict[str, bytes]] = {}
_SEEN: Final = 1024  # owners and modes that are remembered


class Entry:
    """One entry of a layer. `name` has no "/" before or behind, and is "" for the top; a name that is no UTF-8 has surrogate escapes.

    `kind`: file, folder, symlink, hardlink, fifo, char, block, whiteout (`name` is what it hides) or opaque (`name` is the folder).
    `size`: bytes of content; `mtime`: seconds since 1970. `link`: where a symlink leads, as written, or the cleaned name of a hardlink's
    target. `xattrs`: extended attributes.
    """

    __slots__ = ("gid", "kind", "link", "mode", "mtime", "name", "size", "uid", "xattrs")

    def __init__(
        self,
        name: str,
        kind: str,
        mode: int,
        uid: int,
        gid: int,
        size: int = 0,
        mtime: int = 0,
        link: str = "",
        xattrs: dict[str, bytes] = _NOTHING,
    ) -> None:
        self.name = name
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.mtime = mtime
        self.link = link
        self.xattrs = xattrs

    def __repr__(self) -> str:
        return f"Entry({self.name!r}, {self.kind}, {self.mode:o}, {self.uid}:{self.gid}, {self.size})"


class Reader:
    """The entries of a tar. `more` returns the next piece of it, or b"" at the end.

    `notes` takes what is odd but harmless. With `strict`, a name that leads out of the top is an error; otherwise its entry is noted and
    left out.
    """

    _what = "layer"

    def __init__(self, more: Callable[[], bytes], where: str, limits: Limits, notes: Notes, *, strict: bool = False) -> None:
        self._more = more
        self._where = where
        self._limits = limits
        self._notes = notes
        self._strict = strict
        self._buffer = b""
        self._at = 0
        self._left = 0  # bytes of content that are not read yet
        self._padding = 0
        self._global: dict[str, bytes] = {}
        self._owners: dict[bytes, tuple[int, int, int]] = {}
        self._count = 0

    # --- entries ---

    def next(self) -> Entry | None:
        """Return the next entry, past what is left of the last one's content; None at the end."""
        extended: dict[str, bytes] | None = None
        name = link = None
        spent = 0
        while True:
            if self._left or self._padding:
                self._skip(self._left + self._padding)
                self._left = self._padding = 0
            block = self._take(BLOCK)
            if not block[0:1].strip(b"\0") and block.count(0) == len(block):
                if spent:
                    raise self._damaged("it ends where an entry should be")
                self._end(block)
                return None
            if len(block) < BLOCK:
                raise self._damaged("unexpected end of data")
            self._check(block)
            kind = block[156]
            size = self._number(block[124:136], "size")
            if kind in b"xgLK" or kind == 88:  # X: what Solaris called x
                spent += size
                if spent > self._limits.headers:
                    raise self._damaged("its headers are too large")
                content = self._whole(size)
                if kind == ord("g"):
                    self._global |= self._records(content)
                    if len(self._global) > self._limits.headers >> 10:
                        raise self._damaged("its headers are too large")
                elif kind == ord("L"):
                    name = content.partition(b"\0")[0]
                elif kind == ord("K"):
                    link = content.partition(b"\0")[0]
                else:
                    extended = self._records(content)
                continue
            self._count += 1
            if self._count > self._limits.entries:
                raise HardenError(f"the {self._what} has more than {self._limits.entries} entries", where=self._where, how=HOSTILE)
            fields = {**self._global, **extended} if self._global and extended else extended or self._global
            entry = self._entry(block, kind, size, name, link, fields)
            if entry is not None:
                return entry
            extended = None
            name = link = None
            spent = 0

    def _entry(
        self, block: bytes, code: int, size: int, name: bytes | None, link: bytes | None, extended: dict[str, bytes]
    ) -> Entry | None:
        owner = block[100:124]
        known = self._owners.get(owner)
        if known is None:
            known = self._owner(owner)
        mode, uid, gid = known
        mtime = self._time(block[136:148])
        kind = _KINDS.get(code)
        if name is None:
            name = block[0:100].partition(b"\0")[0]
            if block[257:263] == b"ustar\0" and block[345]:
                end = 476 if block[508:512] == b"tar\0" else 500  # star keeps times behind a shorter prefix
                name = block[345:end].partition(b"\0")[0] + b"/" + name
        if link is None:
            link = block[157:257].partition(b"\0")[0] if code in b"12" else b""
        xattrs = _NOTHING
        if extended:
            # An empty value takes back what a global header has said.
            name, link = extended.get("path") or name, extended.get("linkpath") or link
            size = self._decimal(given, "size") if (given := extended.get("size")) else size
            uid = self._decimal(given, "owner") if (given := extended.get("uid")) else uid
            gid = self._decimal(given, "group") if (given := extended.get("gid")) else gid
            mtime = self._moment(given) if (given := extended.get("mtime")) else mtime
            xattrs = {key[len(_XATTR) :]: value for key, value in extended.items() if key.startswith(_XATTR)}
        shown = name.decode("utf-8", "surrogateescape")
        if kind is None:
            raise self._wrong(shown, f"entries of type {bytes([code])!r} are unknown")
        if not code and name.endswith(b"/"):  # before there was a type for folders
            kind = "folder"
        if uid > LARGEST_ID or gid > LARGEST_ID:
            raise self._wrong(shown, "its owner is no id")
        if kind == "file":
            if size > self._limits.total:
                raise self._wrong(shown, f"it says that it has {size} bytes")
            self._left, self._padding = size, -size % BLOCK
        elif size:
            self._notes.add("entries without content that have a size", self._where, shown)
            size = 0
        cleaned = self._clean(name, shown)
        if cleaned is None:
            return None
        target = link.decode("utf-8", "surrogateescape")
        if kind in ("symlink", "hardlink"):
            if not target or b"\0" in link or len(link) > self._limits.name:
                raise self._wrong(shown, "it leads nowhere")
            if kind == "hardlink":
                where = self._clean(link, target.lstrip("/"))
                if where is None:
                    return None
                target = where
        made = Entry(cleaned, kind, mode & 0o7777, uid, gid, size, mtime, target, xattrs)
        if WHITEOUT in cleaned:
            return self._whiteout(made)
        return made

    def _whiteout(self, entry: Entry) -> Entry | None:
        above, _, last = entry.name.rpartition("/")
        if above:
            folders = above.split("/")
            if any(folder.startswith(MARKS_OF_AUFS) for folder in folders):
                return None
            if any(folder.startswith(WHITEOUT) for folder in folders):
                raise self._wrong(entry.name, "it lies in what only hides")
        if not last.startswith(WHITEOUT):
            return entry
        if last == OPAQUE:
            entry.kind, entry.name = "opaque", above
            return entry
        if last.startswith(MARKS_OF_AUFS):
            return None
        hidden = last.removeprefix(WHITEOUT)
        if hidden in ("", ".", ".."):
            raise self._wrong(entry.name, "it hides nothing")
        entry.kind, entry.name = "whiteout", f"{above}/{hidden}" if above else hidden
        return entry

    # --- names ---

    def _clean(self, name: bytes, shown: str) -> str | None:
        """Return a name without what leads nowhere; None when it leads out of the top."""
        limits = self._limits
        if len(name) > limits.part:
            if len(name) > limits.name:
                raise self._wrong(shown, f"a name of {len(name)} bytes is longer than any file's")
            if any(len(part) > limits.part for part in name.split(b"/")):
                raise self._wrong(shown, "a part of its name is longer than any file's: File name too long")
        if b"\0" in name:
            raise self._wrong(shown, "there is a NUL in its name")
        if shown[:2] == "./":
            shown = shown[2:]
        if shown[-1:] == "/":
            shown = shown[:-1]
        if "//" in shown or "/." in shown or shown[:1] in ("/", "."):
            cleaned = self._cleaned(shown)
            if cleaned is None:
                return None
            shown = cleaned
        if shown.count("/") >= limits.depth:
            raise self._outside(shown)
        return shown

    def _cleaned(self, name: str) -> str | None:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            if self._strict:
                raise self._outside(name)
            kept: list[str] = []
            for part in parts:
                if part != "..":
                    kept.append(part)
                elif kept:
                    kept.pop()
                else:
                    self._notes.add("entries that lead out of the root, which are left out", self._where, name)
                    return None
            self._notes.add("entries with .. in their names", self._where, name)
            parts = kept
        if name.startswith("/"):
            self._notes.add("entries with absolute names", self._where, name)
        return "/".join(parts)

    # --- fields ---

    def _check(self, block: bytes) -> None:
        said = self._number(block[148:156], "checksum")
        # The lower half of Adler-32 is the sum of bytes, in a seventh of the time: exact for 256 of them (255 * 256 < 65521).
        added = (adler32(block[:256], 0) & 0xFFFF) + (adler32(block[256:], 0) & 0xFFFF)
        if said != added - sum(block[148:156]) + 256:
            signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256
            if said != signed:
                raise self._damaged("a checksum is wrong")

    def _owner(self, block: bytes) -> tuple[int, int, int]:
        if len(self._owners) > _SEEN:
            self._owners.clear()
        made = (self._number(block[0:8], "mode"), self._number(block[8:16], "owner"), self._number(block[16:24], "group"))
        self._owners[block] = made
        return made

    def _number(self, field: bytes, what: str) -> int:
        text = field.strip(b" \0")
        if text.isdigit():
            try:
                return int(text, 8)
            except ValueError:
                raise self._damaged(f"its {what} is no number") from None
        if not text:
            return 0
        if field[0] & 0x80:
            if field[0] & 0x40:
                raise self._damaged(f"its {what} is below zero")
            return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        text = text.partition(b"\0")[0].rstrip()  # junk behind the end of it
        if not text.isdigit():
            raise self._damaged(f"its {what} is no number")
        return self._number(text, what)

    def _time(self, field: bytes) -> int:
        if field[0] & 0xC0 == 0xC0:
            return int.from_bytes(field, "big", signed=True)
        return self._number(field, "time")

    def _decimal(self, text: bytes, what: str) -> int:
        if not text.isdigit() or len(text) > 19:
            raise self._damaged(f"its {what} is no number")
        return int(text)

    def _moment(self, text: bytes) -> int:
        seconds, _, rest = text.partition(b".")
        digits = seconds.removeprefix(b"-")
        if not digits.isdigit() or len(digits) > 19 or (rest and not rest.isdigit()):
            raise self._damaged("its time is no number")
        return int(seconds)

    def _records(self, content: bytes) -> dict[str, bytes]:
        """Return the records of a pax header: `LENGTH KEY=VALUE` and a new line each, where the length counts all of it."""
        found: dict[str, bytes] = {}
        at = 0
        while at < len(content):
            blank = content.find(b" ", at, at + 20)
            length = content[at:blank] if blank > 0 else b""
            end = at + int(length) if length.isdigit() else 0
            if not blank + 1 < end <= len(content) or content[end - 1] != 10:
                raise self._damaged("a record of its extended header is none")
            key, equals, value = content[blank + 1 : end - 1].partition(b"=")
            if not equals or not key:
                raise self._damaged("a record of its extended header is none")
            if key.startswith(_SPARSE):
                raise HardenError("sparse files are not read", where=self._where, how="make the image again without tar --sparse")
            found[key.decode("utf-8", "surrogateescape")] = value
            at = end
        return found

    # --- content ---

    def content(self, size: int) -> bytes:
        """Return so many of the bytes that the last entry has left, or all that it has."""
        size = min(size, self._left)
        self._left -= size
        return self._exactly(size)

    def _whole(self, size: int) -> bytes:
        content = self._exactly(size)
        self._padding = -size % BLOCK
        return content

    def _exactly(self, size: int) -> bytes:
        content = self._take(size)
        if len(content) < size:
            raise self._damaged("unexpected end of data")
        return content

    def _take(self, size: int) -> bytes:
        """Return so many bytes, or what there is to the end."""
        start = self._at
        end = start + size
        if end <= len(self._buffer):
            self._at = end
            return self._buffer[start:end]
        pieces = [self._buffer[start:]]
        have = len(pieces[0])
        while have < size and (piece := self._more()):
            pieces.append(piece)
            have += len(piece)
        self._buffer = pieces[-1]
        self._at = len(self._buffer)
        if have > size:
            self._at -= have - size
            pieces[-1] = self._buffer[: self._at]
        return b"".join(pieces)

    def _skip(self, size: int) -> None:
        have = len(self._buffer) - self._at
        while size > have:
            size -= have
            self._buffer, self._at = self._more(), 0
            have = len(self._buffer)
            if not have:
                raise self._damaged("unexpected end of data")
        self._at += size

    def _end(self, first: bytes) -> None:
        """Read what is behind the last entry: zeros, if anything."""
        if not first:
            return
        if self._take(BLOCK).strip(b"\0"):
            raise self._damaged("it goes on after its end, which some readers would not see: it is damaged in the middle")
        rest, self._buffer = self._buffer[self._at :], b""
        self._at = junk = 0
        while rest:
            if rest.count(0) != len(rest):
                junk += len(rest) - rest.count(0)
            rest = self._more()
        if junk:
            self._notes.add("bytes behind the end of the tar, which no tool unpacks", self._where, f"{junk} bytes")

    # --- errors ---

    def _damaged(self, why: str) -> HardenError:
        return HardenError(f"the {self._what} is no tar: {why}", where=self._where, how=HOSTILE)

    def _outside(self, name: str) -> HardenError:
        return HardenError(f"the entry {name!r:.200} would lie outside of the {self._what}, or too deep", where=self._where, how=HOSTILE)

    def _wrong(self, name: str, why: str) -> HardenError:
        return HardenError(f"the entry {name!r:.200} of the {self._what} is refused: {why}", where=self._where, how=HOSTILE)
