"""Values of flags that say more than one thing: ports, mounts, devices, limits.

Each function takes the piece of the line that holds the value and returns what it means; `Refused` is raised with the reason for which
the tool would refuse it. Sources: docker/cli's opts and internal/volumespec packages, docker/go-connections' nat, docker/go-units.
"""

from posixpath import normpath
from typing import Final

from hardener.sources.compose.mounts import PROPAGATIONS, absolute, is_path
from hardener.sources.compose.mounts import split as split_mount
from hardener.sources.compose.units import size as size_of
from hardener.sources.expansion import HOLE
from hardener.sources.runline.pieces import Piece
from hardener.sources.service import Attachment, Device, Grant, Mount, Port, Ulimit
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Pattern

TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
LIMITS: Final = frozenset({
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime",
    "sigpending", "stack",
})  # fmt: skip
_DOCKER_OPTIONS: Final = PROPAGATIONS | {"ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated", "default"}

_WHOLE = Pattern(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)")
_DECIMAL = Pattern(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_SIZE = Pattern(r"[0-9]+(?:\.[0-9]+)* ?(?:[kKmMgGtTpP]?[iI]?[bB]?)")
_DURATION = Pattern(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
_DURATION_PART = Pattern(r"([0-9.]+)([a-zµμ]+)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PORTS = Pattern(r"[0-9]{1,5}(?:-[0-9]{1,5})?")
_LONG_NETWORK = Pattern(r"\w+=\w+")
_VOLUME_NAME = Pattern(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_CDI = Pattern(r"[A-Za-z][\w.-]*/[A-Za-z][\w.-]*=[\w.:-]+")
_MAC = Pattern(r"(?:[0-9a-fA-F]{2}[:-]){5,7}[0-9a-fA-F]{2}|(?:[0-9a-fA-F]{4}\.){2,3}[0-9a-fA-F]{4}")


class Refused(Exception):
    """Why a tool would not take a value."""


def whole(text: str) -> int:
    """Return a whole number as Go's strconv reads it: also `0x10`, `0o17` and `017`."""
    if not _WHOLE.fullmatch(text) or len(text) > 20:
        raise Refused("is not a whole number")
    digits = text.lstrip("+-")
    value = int(digits, 8) if digits.isdigit() and len(digits) > 1 and digits[0] == "0" else int(digits, 0)
    if value >= 1 << 63:
        raise Refused("is too large")
    return -value if text[0] == "-" else value


def cores(text: str) -> float:
    """Return a number of CPUs: a decimal number or a fraction."""
    top, slash, bottom = text.partition("/")
    if slash and top.isdecimal() and bottom.isdecimal() and int(bottom) and len(text) < 20:
        return int(top) / int(bottom)
    if not _DECIMAL.fullmatch(text) or len(text) > 30:
        raise Refused("is not a number")
    return float(text)


def size(text: str) -> int:
    """Return bytes."""
    found = size_of(text) if _SIZE.fullmatch(text) else None
    if found is None:
        raise Refused("is not a size such as 512m or 2g")
    return found


def seconds(text: str) -> float:
    """Return the seconds of a duration."""
    if text in ("0", "+0", "-0"):
        return 0.0
    if not _DURATION.fullmatch(text):
        raise Refused("is not a duration such as 30s or 1m30s")
    total = sum(float(part[1]) * _SECONDS[part[2]] for part in _DURATION_PART.finditer(text))
    if text[0] == "-" and total:
        raise Refused("is negative")
    return total


def fields(piece: Piece) -> list[Piece]:
    """Return the fields of a comma-separated value; a field may be quoted, as in CSV."""
    text = piece.text
    if '"' not in text:
        out: list[Piece] = []
        start = 0
        for field in text.split(","):
            out.append(piece.sub(start, start + len(field)))
            start += len(field) + 1
        return out
    out = []
    start = at = 0
    while at <= len(text):
        if at == start and text.startswith('"', at):
            close = text.find('"', at + 1)
            while close >= 0 and text.startswith('"', close + 1):
                close = text.find('"', close + 2)
            if close < 0 or (close + 1 < len(text) and text[close + 1] != ","):
                raise Refused("has a quote in the wrong place")
            out.append(piece.sub(at + 1, close))
            start = at = close + 2
            if close + 1 >= len(text):
                break
            continue
        end = text.find(",", at)
        end = len(text) if end < 0 else end
        if '"' in text[at:end]:
            raise Refused("has a quote in the wrong place")
        out.append(piece.sub(at, end))
        start = at = end + 1
    return out


def split(piece: Piece, separator: str) -> tuple[Piece, Piece | None]:
    """Return what stands before and after the first separator."""
    at = piece.text.find(separator)
    return (piece, None) if at < 0 else (piece.sub(0, at), piece.sub(at + len(separator)))


def _range(text: str, what: str) -> tuple[int, int]:
    if not _PORTS.fullmatch(text):
        raise Refused(f"has {text!r} for {what}: not a port")
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    if not (0 < low <= 65535 and 0 < high <= 65535) and not (what == "the host's port" and high <= 65535):
        raise Refused(f"has {text!r} for {what}: ports go from 1 to 65535")
    if low > high:
        raise Refused(f"has {text!r} for {what}: the range runs backwards")
    return low, high


def address(text: str) -> None:
    """Raise `Refused` unless a text is an IP address."""
    from ipaddress import ip_address

    try:
        ip_address(text)
    except ValueError:
        raise Refused("is not an IP address") from None


def mac(text: str) -> None:
    """Raise `Refused` unless a text is a hardware address."""
    if not _MAC.fullmatch(text.strip()):
        raise Refused("is not a MAC address")


def port(piece: Piece) -> Port:
    """Return what `[[address:]host:]container[/protocol]` or `target=80,published=8080` publishes."""
    text = piece.text
    place = piece.place
    if text == HOLE:
        return Port(UNKNOWN, UNKNOWN, UNKNOWN, "tcp", "ingress", place)
    if "=" in text:
        given: dict[str, str] = {}
        for field in text.split(","):
            name, equals, value = field.partition("=")
            if not equals or not name:
                raise Refused("mixes the long form with the short one")
            given[name] = value
        target, published, host, protocol = given.get("target", ""), given.get("published", ""), "", given.get("protocol", "tcp")
    else:
        body, _, protocol = text.partition("/")
        rest, _, target = body.rpartition(":")
        host, _, published = rest.rpartition(":")
    if HOLE in protocol or (HOLE in target and ":" not in text):
        # All of `$PORT:80/udp` may stand in a variable that comes last.
        return Port(UNKNOWN, UNKNOWN if published else None, UNKNOWN if not host else _known(host), "tcp", "ingress", place)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if host and HOLE not in host:
        try:
            address(host)
        except Refused:
            raise Refused(f"has {host!r} for the address: not an IP address") from None
    if not target:
        raise Refused("names no port of the container")
    spread = _range(target, "the container's port") if HOLE not in target else None
    if published and HOLE not in published:
        outer = _range(published, "the host's port")
        if spread is not None and spread[0] != spread[1] and outer[1] - outer[0] != spread[1] - spread[0]:
            raise Refused("has ranges of different lengths")
    protocol = protocol.lower() or "tcp"
    if protocol not in ("tcp", "udp", "sctp"):
        raise Refused(f"has an unknown protocol {protocol!r}")
    # What stands before the first of two colons is a port in every script, though a variable there could hold an address as well.
    return Port(_known(target), _known(published) if published else None, _known(host) if host else None, protocol, "ingress", place)


def expose(text: str) -> None:
    """Raise `Refused` unless a text is a port or a range, with or without protocol."""
    ports, slash, protocol = text.partition("/")
    _range(ports, "the port")
    if slash and protocol.lower() not in ("tcp", "udp", "sctp"):
        raise Refused(f"has an unknown protocol {protocol!r}")


def _known(text: str) -> str | UnknownType:
    return UNKNOWN if HOLE in text else text


def volume(piece: Piece, folder: str, tool: str, *, is_host: bool = False) -> Mount:
    """Return the mount of `-v`; `is_host` says that its source starts with the folder that the line runs in."""
    text = piece.text
    place = piece.place
    if text == HOLE:
        return Mount("volume", UNKNOWN, UNKNOWN, UNKNOWN, (), "", place, place, place)
    parts = [piece.sub(start, end) for start, end in (split_mount(text) if len(text) > 2 else [(0, len(text))])]
    if any(not part.text for part in parts):
        raise Refused("has nothing between two colons" if text else "is empty")
    if len(parts) > 3:
        raise Refused("has too many colons")
    if len(parts) == 1:
        return Mount("volume", None, _target(parts[0]), False, (), "", place, place, place)
    source = parts[0].text
    # A name holds no slash, so what has one is a path, whatever a variable in it says.
    kind = "bind" if is_host or is_path(source) or (HOLE in source and "/" in source) else "volume"
    if HOLE not in source and kind == "volume" and not _VOLUME_NAME.fullmatch(source):
        raise Refused(f"has {source!r} for a source: neither a path, which starts with / or ./, nor the name of a volume")
    target = _target(parts[1])
    options = tuple(parts[2].text.split(",")) if len(parts) > 2 else ()
    known = not any(HOLE in option for option in options)
    if tool == "docker":
        for option in options:
            if HOLE not in option and option not in _DOCKER_OPTIONS:
                raise Refused(f"has an unknown option {option!r}")
    return Mount(
        kind,
        UNKNOWN if HOLE in source else absolute(source, folder) if kind == "bind" else source,
        target,
        "ro" in options if known else UNKNOWN,
        options,
        next((option for option in options if option in PROPAGATIONS), ""),
        place,
        parts[0].place,
        parts[1].place,
    )  # fmt: skip


def _target(piece: Piece) -> str | UnknownType:
    """Return the path in the container, without needless slashes and dots."""
    text = piece.text
    if text[:1] not in ("/", HOLE, "\\") and text[1:2] != ":":
        raise Refused(f"has {text!r} for the path in the container: it must start with /")
    if text in ("/", "//"):
        raise Refused("would be mounted over the container's root")
    if HOLE in text:
        return UNKNOWN
    cleaned = normpath(text)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def tmpfs(piece: Piece) -> Mount:
    """Return the mount of `--tmpfs /run:size=64m,noexec`."""
    target, rest = split(piece, ":")
    where = _target(target)
    options = tuple(rest.text.split(",")) if rest is not None and rest.text else ()
    read_only: bool | UnknownType = UNKNOWN if any(HOLE in option for option in options) else "ro" in options
    return Mount("tmpfs", None, where, read_only, options, "", piece.place, target.place, target.place)


_MOUNT_SWITCHES: Final = frozenset(
    {"readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src", "rw", "relabel", "u", "chown"}
)
_MOUNT_KEYS: Final = {
    "docker": frozenset({
        "type", "source", "src", "target", "dst", "destination", "readonly", "ro", "consistency", "bind-propagation", "bind-nonrecursive",
        "bind-recursive", "bind-create-src", "volume-subpath", "volume-nocopy", "volume-label", "volume-driver", "volume-opt",
        "image-subpath", "tmpfs-size", "tmpfs-mode",
    }),
}  # fmt: skip
_MOUNT_TYPES: Final = {
    "docker": frozenset({"bind", "volume", "tmpfs", "npipe", "cluster", "image"}),
    "podman": frozenset({"bind", "volume", "tmpfs", "image", "devpts", "glob", "ramfs", "artifact"}),
}


def mount(piece: Piece, folder: str, tool: str) -> Mount:
    """Return the mount of `--mount type=bind,src=…,dst=…`."""
    place = piece.place
    if piece.text == HOLE:
        return Mount("volume", UNKNOWN, UNKNOWN, UNKNOWN, (), "", place, place, place)
    if not piece.text.strip():
        raise Refused("is empty")
    kind: str = "volume"
    source: Piece | None = None
    target: Piece | None = None
    read_only: bool | UnknownType = False
    propagation = ""
    options: list[str] = []
    create = False
    unsure = False
    for field in fields(piece):
        name_piece, value = split(field, "=")
        name = name_piece.text.lower()
        if HOLE in name_piece.text:
            unsure = True
            continue
        if name != name.strip() or (value is not None and value.text != value.text.strip()):
            raise Refused(f"has blanks in {field.text!r}")
        if tool == "docker":
            if name not in _MOUNT_KEYS["docker"]:
                raise Refused(f"has an unknown option {name!r}")
            if value is None and name not in _MOUNT_SWITCHES:
                raise Refused(f"has {field.text!r} without a value")
            if value is not None and not value.text:
                raise Refused(f"has an empty {name!r}")
        text = "" if value is None else value.text
        match name:
            case "type":
                kind = text.lower()
            case "source" | "src":
                source = value
            case "target" | "dst" | "destination":
                target = value
            case "readonly" | "ro" | "rw":
                on = _mount_switch(name, text, given=value is not None)
                read_only = on if on is UNKNOWN or name != "rw" else not on
            case "bind-propagation":
                propagation = text
            case "bind-create-src":
                create = _mount_switch(name, text, given=value is not None) is not False
            case "tmpfs-size":
                if HOLE not in text:
                    size(text)
                options.append(f"size={text}")
            case "tmpfs-mode":
                options.append(f"mode={text}")
            case "consistency":
                options.append(text)
            case "volume-nocopy":
                if _mount_switch(name, text, given=value is not None) is True:
                    options.append("nocopy")
            case _:
                options.append(name if value is None else f"{name}={text}")
    if HOLE in kind or unsure:
        kind = "volume"
    elif kind not in _MOUNT_TYPES.get(tool, _MOUNT_TYPES["docker"] | _MOUNT_TYPES["podman"]):
        raise Refused(f"has an unknown type {kind!r}")
    if target is None and not unsure:
        raise Refused("has no target")
    if source is None and kind in ("bind", "image", "npipe") and not unsure:
        raise Refused(f"has no source, which a {kind} mount needs")
    if source is not None and kind == "volume" and HOLE not in source.text and not unsure and not _VOLUME_NAME.fullmatch(source.text):
        raise Refused(f"has {source.text!r} for a source: no name of a volume")
    if source is not None and kind == "tmpfs":
        raise Refused("has a source, which a tmpfs mount does not take")
    where = UNKNOWN if target is None else _target(target)
    found: str | UnknownType | None = None if source is None else source.value
    if isinstance(found, str) and kind == "bind":
        is_home = source is not None and found[:1] == "~" and source.view.offset(0) in source.ends.by_start  # `src=$HOME/x`
        if tool == "docker" and found[:1] not in ("/", ".") and found[1:2] != ":" and not is_home:
            raise Refused(f"has {found!r} for a source: a bind mount takes a path that starts with / or ./")
        found = absolute(found, folder)
    if unsure:
        found, read_only = UNKNOWN if source is None else found, UNKNOWN
    return Mount(
        kind, found, where, read_only, tuple(options), propagation, place,
        place if source is None else source.place, place if target is None else target.place, (), create or kind != "bind",
    )  # fmt: skip


def _mount_switch(name: str, text: str, *, given: bool) -> bool | UnknownType:
    if not given or text in TRUE:
        return True
    if HOLE in text:
        return UNKNOWN
    if text in FALSE:
        return False
    raise Refused(f"has {text!r} for {name!r}: neither true nor false")


def device(piece: Piece) -> Device:
    """Return the device of `host[:container][:rwm]`, or of a CDI name."""
    text = piece.text
    if text == HOLE:
        return Device(UNKNOWN, UNKNOWN, "rwm", piece.place)
    if _CDI.fullmatch(text):
        return Device(text, "", "", piece.place)
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise Refused("is not of the form host[:container][:permissions]")
    source, target, permissions = parts[0], parts[0], "rwm"
    if len(parts) == 3:
        target, permissions = parts[1] or source, parts[2]
        if HOLE not in permissions and not _is_mode(permissions):
            raise Refused(f"has {permissions!r} for permissions: they are letters of r, w and m")
    elif len(parts) == 2:
        if _is_mode(parts[1]):
            permissions = parts[1]
        else:
            target = parts[1]
    if not target.startswith(("/", HOLE)):
        raise Refused(f"has {target!r} for a path: it must start with /")
    return Device(_known(source), _known(target), permissions, piece.place)


def _is_mode(text: str) -> bool:
    return bool(text) and set(text) <= set("rwm") and len(set(text)) == len(text)


def ulimit(piece: Piece) -> Ulimit:
    """Return the limit of `name=soft[:hard]`."""
    name, rest = split(piece, "=")
    if HOLE in name.text:
        return Ulimit(name.text, UNKNOWN, UNKNOWN, piece.place)
    if rest is None:
        raise Refused("is not of the form name=soft[:hard]")
    if name.text not in LIMITS:
        raise Refused(f"names an unknown limit {name.text!r}")
    soft, colon, hard = rest.text.partition(":")
    low, high = [UNKNOWN if HOLE in text else whole(text) for text in (soft, hard if colon else soft)]
    return Ulimit(name.text, low, high, piece.place)


_MODES: Final = frozenset({"none", "host", "bridge", "default", "private", "slirp4netns", "pasta"})


def network(piece: Piece) -> Attachment | str | UnknownType:
    """Return the network that a container is attached to, or the mode (`host`, `container:x`) that takes the place of networks."""
    text = piece.text
    if text == HOLE:
        return UNKNOWN
    if not _LONG_NETWORK.search(text):
        if text.partition(":")[0] in ("container", "ns", "slirp4netns", "pasta") or text in _MODES:
            return UNKNOWN if HOLE in text else text
        return UNKNOWN if HOLE in text else Attachment(text, piece.place)
    name, ipv4, aliases = "", None, []
    for field in fields(piece):
        key, value = split(field, "=")
        if value is None or not key.text:
            raise Refused(f"has {field.text!r}, which is not of the form key=value")
        match key.text.lower().strip():
            case "name":
                name = value.text
            case "alias":
                aliases.append(value.text)
            case "ip":
                if HOLE not in value.text:
                    address(value.text)
                ipv4 = value.text
            case "ip6" | "mac-address" | "link-local-ip" | "driver-opt" | "gw-priority":
                pass
            case other:
                raise Refused(f"has an unknown key {other!r}")
    if not name:
        raise Refused("names no network")
    return UNKNOWN if HOLE in name else Attachment(name, piece.place, ipv4, tuple(aliases))


def secret(piece: Piece) -> Grant:
    """Return the grant of podman's `--secret name[,type=mount,target=…]`."""
    source, *rest = fields(piece)
    given = dict([field.text.partition("=")[::2] for field in rest])
    target = given.get("target")
    return Grant(source.text, target, piece.place, given.get("mode"), given.get("uid"))
