"""Images from a few lines of text: each instruction of a build, and below it what it leaves.

    FROM debian                       the steps and files of a small base: debian, alpine, distroless; scratch has none
    RUN make install                  a step; it has a layer when something stands below it, or it is a RUN, COPY or ADD
      /opt/tool 4755 0:0 12KB         a file: mode, owner, size, in any order
      /opt/tool +net_raw              a file with capabilities; +! is an attribute that is none
      /opt/data/ 0777                 a folder
      /opt/link -> tool               a symbolic link
      /etc/passwd = root:x:0:0::/:/\\n   a file with this content (\\n is a line end)
      /opt/tool 0755 elf:arm64        a program; elf-static:arm64 is one without a loader
      /dev/sda block                  a device (char, fifo)
      - /opt/old                      deleted
      with TOKEN=abc                  a build argument that the step was given
    USER 1000                         changes the configuration as a builder would
    IMAGE web:1.2                     how it is called; also CREATED 2026-01-31, PLATFORM linux/arm64

The history is written as BuildKit does, or as it stands for lines that are no instruction.
"""

import json
import re
import shlex
import struct
import tarfile
from pathlib import Path
from typing import Any

from layouts import Layout, tar

from hardener.rules.file_capabilities import NAMES

_PASSWD = "root:x:0:0:root:/root:/bin/sh\\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\\nnobody:x:65534:65534::/:/usr/sbin/nologin\\n"
_GROUP = "root:x:0:\\nshadow:x:42:\\nwww-data:x:33:\\nnogroup:x:65534:\\n"
BASES = {
    "scratch": "",
    "debian": f"""\
# debian.sh --arch 'amd64' out/ 'bookworm' '@1730000000'
  /bin -> usr/bin
  /etc/os-release = ID=debian\\nVERSION_ID="12"\\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\\n
  /etc/passwd = {_PASSWD}
  /etc/group = {_GROUP}
  /etc/shadow 0640 0:42 = root:*:19000:0:99999:7:::\\nwww-data:*:19000:0:99999:7:::\\n
  /tmp/ 1777
  /usr/bin/bash 0755 elf:amd64
  /usr/bin/dash 0755 elf:amd64
  /usr/bin/sh -> dash
  /usr/bin/su 4755 elf:amd64
  /usr/bin/dpkg 0755 300KB
  /usr/bin/apt-get 0755 50KB
  /var/log/ 0755
CMD ["bash"]
""",
    "alpine": f"""\
ADD alpine-minirootfs-3.22.2-x86_64.tar.gz /
  /etc/os-release = ID=alpine\\nVERSION_ID=3.22.2\\nPRETTY_NAME="Alpine Linux v3.22"\\n
  /etc/passwd = {_PASSWD}
  /etc/group = {_GROUP}
  /etc/shadow 0640 0:42 = root:*::0:::::\\n
  /tmp/ 1777
  /bin/busybox 0755 elf:amd64
  /bin/sh -> busybox
  /sbin/apk 0755 70KB
CMD ["/bin/sh"]
""",
    "distroless": f"""\
# bazel build //base:static
  /etc/os-release = ID=debian\\nVERSION_ID="12"\\nPRETTY_NAME="Distroless"\\n
  /etc/passwd = {_PASSWD}nonroot:x:65532:65532::/home/nonroot:/sbin/nologin\\n
  /etc/group = {_GROUP}nonroot:x:65532:\\n
  /tmp/ 1777
ENTRYPOINT []
""",
}
_INSTRUCTIONS = frozenset(
    {
        "RUN", "COPY", "ADD", "ENV", "ARG", "LABEL", "USER", "WORKDIR",
        "EXPOSE", "VOLUME", "CMD", "ENTRYPOINT", "HEALTHCHECK", "STOPSIGNAL", "SHELL", "MAINTAINER", "ONBUILD",
    }
)  # fmt: skip
_MACHINES = {"amd64": 0x3E, "arm64": 0xB7, "arm": 0x28, "riscv64": 0xF3}
_UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20}


class Spec:
    """An image as its text describes it. `lines` are its instructions, base included, as the history has them."""

    def __init__(self, text: str) -> None:
        self.name = "example.test/team/web:1.2"
        self.created = "2026-11-01T00:00:00Z"
        self.platform = "linux/amd64"
        self.base = 0  # instructions of the base
        self.lines: list[str] = []
        self.history: list[dict[str, Any]] = []
        self.layers: list[list[tuple[tarfile.TarInfo, bytes]]] = []
        self.config: dict[str, Any] = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
        self._read(text, is_base=False)

    def _read(self, text: str, *, is_base: bool) -> None:
        blocks: list[tuple[str, list[str]]] = []
        for line in text.splitlines():
            if line.startswith(" "):
                blocks[-1][1].append(line.strip())
            elif line.strip():
                blocks.append((line.rstrip(), []))
        for line, below in blocks:
            word, _, rest = line.partition(" ")
            match word:
                case "FROM":
                    self._read(BASES[rest.partition(":")[0]], is_base=True)
                    self.base = len(self.lines)
                case "IMAGE":
                    self.name = rest
                case "CREATED":
                    self.created = f"{rest}T00:00:00Z"
                case "PLATFORM":
                    self.platform = rest
                case _:
                    self._step(line, word, rest, below)

    def _step(self, line: str, word: str, rest: str, below: list[str]) -> None:
        arguments = [text[5:] for text in below if text.startswith("with ")]
        files = [text for text in below if not text.startswith("with ")]
        made = bool(files) or word in ("RUN", "COPY", "ADD") or word not in _INSTRUCTIONS
        self.lines.append(line)
        self.history.append({"created": self.created, "created_by": self._created_by(line, word, rest, arguments)})
        if made:
            self.layers.append([entry for text in files for entry in entries(text)])
        else:
            self.history[-1]["empty_layer"] = True

    def _created_by(self, line: str, word: str, rest: str, arguments: list[str]) -> str:
        config = self.config
        match word:
            case "RUN":
                given = f"|{len(arguments)} {' '.join(arguments)} " if arguments else ""
                return f"RUN {given}/bin/sh -c {rest} # buildkit"
            case "COPY" | "ADD":
                return f"{line} # buildkit"
            case "ENV" | "LABEL":
                pairs = dict(each.partition("=")[::2] for each in shlex.split(rest))
                if word == "LABEL":
                    config.setdefault("Labels", {}).update(pairs)
                else:
                    known = dict(each.partition("=")[::2] for each in config["Env"])
                    config["Env"] = [f"{name}={value}" for name, value in {**known, **pairs}.items()]
                return f"{word} " + " ".join(f"{name}={value}" for name, value in pairs.items())
            case "USER" | "WORKDIR" | "STOPSIGNAL":
                config[{"USER": "User", "WORKDIR": "WorkingDir", "STOPSIGNAL": "StopSignal"}[word]] = rest
            case "EXPOSE":
                ports: dict[str, dict[str, str]] = {(port if "/" in port else f"{port}/tcp"): {} for port in rest.split()}
                config.setdefault("ExposedPorts", {}).update(ports)
                return f"EXPOSE map[{' '.join(f'{port}:{{}}' for port in ports)}]"
            case "VOLUME":
                paths = json.loads(rest) if rest.startswith("[") else rest.split()
                config.setdefault("Volumes", {}).update({path: {} for path in paths})
                return f"VOLUME [{' '.join(paths)}]"
            case "CMD" | "ENTRYPOINT" | "SHELL":
                argv = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]
                config[{"CMD": "Cmd", "ENTRYPOINT": "Entrypoint", "SHELL": "Shell"}[word]] = argv
                return f"{word} [{' '.join(json.dumps(each) for each in argv)}]"
            case "HEALTHCHECK":
                if rest == "NONE":
                    config["Healthcheck"] = {"Test": ["NONE"]}
                    return 'HEALTHCHECK &{["NONE"] "0s" "0s" "0s" \'\\x00\'}'
                command = rest.partition("CMD ")[2]
                config["Healthcheck"] = {"Test": ["CMD-SHELL", command]}
                return f'HEALTHCHECK &{{["CMD-SHELL" {json.dumps(command)}] "30s" "3s" "0s" \'\\x03\'}}'
        return line

    def write(self, folder: Path) -> Path:
        """Write the image as a layout of its own; return the folder."""
        layout = Layout(folder)
        system, architecture, *variant = self.platform.split("/")
        descriptor = layout.image(
            *(tar(*layer) for layer in self.layers),
            architecture=architecture,
            config=self.config,
            described={
                **({"variant": variant[0]} if variant else {}),
                "os": system,
                "created": self.created,
                "history": self.history,
            },
        )
        layout.add(descriptor, "latest")
        return folder


def entries(text: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return what a line below an instruction stands for."""
    if text.startswith("- "):
        above, _, name = text[2:].strip("/ ").rpartition("/")
        return [(tarfile.TarInfo(f"{above}/.wh.{name}" if above else f".wh.{name}"), b"")]
    content = None
    if " = " in text:
        text, _, written = text.partition(" = ")
        content = written.replace("\\n", "\n").encode()
    path, *words = text.split()
    info = tarfile.TarInfo(path.strip("/"))
    info.mode = 0o644
    info.mtime = 1_730_000_000
    if path.endswith("/"):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    if words[:1] == ["->"]:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, words[1], 0o777
        words = []
    for word in words:
        size = re.fullmatch(r"(\d+)(B|KB|MB)", word)
        if size:
            content = bytes(int(size[1]) * _UNITS[size[2]])
        elif re.fullmatch(r"[0-7]{3,4}", word):
            info.mode = int(word, 8)
        elif re.fullmatch(r"\d+:\d+", word):
            info.uid, info.gid = map(int, word.split(":"))
        elif word.startswith("+"):
            value = b"\1\0\0\2" + bytes(3) if word == "+!" else capability(*word[1:].upper().split(","))
            info.pax_headers = {"SCHILY.xattr.security.capability": value.decode("utf-8", "surrogateescape")}
        elif word.startswith("elf"):
            kind, _, machine = word.partition(":")
            content = elf(machine, static=kind == "elf-static")
        else:
            info.type = {"block": tarfile.BLKTYPE, "char": tarfile.CHRTYPE, "fifo": tarfile.FIFOTYPE}[word]
    info.size = len(content or b"")
    return [(info, content or b"")]


def capability(*names: str) -> bytes:
    """Return the attribute that gives a program capabilities, permitted and effective."""
    bits = sum(1 << NAMES.index(name) for name in names)
    return struct.pack("<IIIII", 0x02000001, bits & 0xFFFFFFFF, 0, bits >> 32, 0)


def elf(machine: str, *, static: bool = False) -> bytes:
    """Return the head of a 64-bit program for a machine, with one program header."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, _MACHINES[machine], 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<II", 1 if static else 3, 4) + bytes(48)
