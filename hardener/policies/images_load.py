"""The `images:` of a policy file from YAML.

    images:
      allowed-registries: [docker.io, "ghcr.io/acme/*"]
      require-digest: true
      require-signature:
        - {registry: "ghcr.io/acme/*", key: keys/acme.pub}                       # relative to the policy; or the key itself
        - {registry: "mirror.example.org", key: [a.pub, b.pub], signed-as: "ghcr.io/acme/*"}

Keys are read here, and checked to be keys where they are used: to judge text takes no cryptography.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hardener.errors import HardenError, suggest
from hardener.images.signatures.keys import LARGEST, check_shape
from hardener.policies.images import IMAGES_KEYS, SIGNATURE_KEYS, Allowed, Images, KeyText, Signed, tighter
from hardener.sources import yaml_nodes

if TYPE_CHECKING:
    from hardener.text import SourceFile

FILES = ("oci:", "oci-archive:", "docker-archive:", "docker-daemon:")
"""How patterns for images in files begin."""


def read(node: yaml_nodes.Node, file: SourceFile, policy: str, base: Images | None, files: list[str]) -> Images:
    """Return what a mapping asks for, laid over what the policy extends; the paths of keys that were read go to `files`."""
    reader = _Reader(file, policy, files)
    own = reader.images(node)
    if base is None:
        return own
    if reader.digest is False and base.digest_where is not None:
        what = f"require-digest asks for less than what it extends does ({base.digest_where})"
        raise HardenError(what, where=reader.digest_at, how="a policy only tightens what it extends: leave it out")
    return tighter(base, own)


class _Reader:
    def __init__(self, file: SourceFile, policy: str, files: list[str]) -> None:
        self._file = file
        self._policy = policy
        self._files = files
        self.digest: bool | None = None
        self.digest_at = ""

    def _wrong(self, node: yaml_nodes.Node, what: str, how: str) -> HardenError:
        return HardenError(what, where=self._file.at(node.place), how=how)

    def _entries(self, node: yaml_nodes.Node, label: str, known: dict[str, str]) -> tuple[yaml_nodes.Entry, ...]:
        if not isinstance(node, yaml_nodes.Mapping):
            raise self._wrong(node, f"{label} is a mapping", f"keys: {', '.join(known)}")
        for entry in node.entries:
            if entry.key.text not in known:
                how = suggest(entry.key.text, tuple(known)) or f"known: {', '.join(known)}"
                raise self._wrong(entry.key, f"unknown key {entry.key.text!r}", how)
        return node.entries

    def _text(self, node: yaml_nodes.Node, label: str) -> str:
        if not isinstance(node, yaml_nodes.Scalar) or not node.text.strip():
            raise self._wrong(node, f"{label} is a text", "write it behind the colon")
        return node.text.strip()

    def _texts(self, node: yaml_nodes.Node, label: str) -> list[tuple[str, yaml_nodes.Node]]:
        items = node.items if isinstance(node, yaml_nodes.Sequence) else (node,)
        if not items:
            raise self._wrong(node, f"{label} is empty", "leave the key out, or name some")
        return [(self._text(item, label), item) for item in items]

    def images(self, node: yaml_nodes.Node) -> Images:
        made = Images(policy=self._policy)
        for entry in self._entries(node, "images", IMAGES_KEYS):
            where = self._file.at(entry.key.place)
            match entry.key.text:
                case "allowed-registries":
                    patterns = [self._pattern(text, item) for text, item in self._texts(entry.value, "allowed-registries")]
                    made.allowed = (Allowed(registries=tuple(patterns), where=where),)
                case "require-digest":
                    value = entry.value
                    if not isinstance(value, yaml_nodes.Scalar) or not isinstance(value.value, bool):
                        raise self._wrong(value, "require-digest is true or false", "write one of them")
                    self.digest, self.digest_at = value.value, where
                    made.digest_where = where if value.value else None
                case _:
                    made.signed = self._signed(entry.value)
        return made

    def _signed(self, node: yaml_nodes.Node) -> tuple[Signed, ...]:
        if not isinstance(node, yaml_nodes.Sequence) or not node.items:
            raise self._wrong(node, "require-signature is a list", "as in [{registry: 'ghcr.io/acme/*', key: cosign.pub}]")
        return tuple(self._rule(item) for item in node.items)

    def _rule(self, node: yaml_nodes.Node) -> Signed:
        made = Signed(where=self._file.at(node.place))
        for entry in self._entries(node, "an entry of require-signature", SIGNATURE_KEYS):
            match entry.key.text:
                case "registry":
                    made.registry = self._pattern(self._text(entry.value, "registry"), entry.value)
                case "key":
                    made.keys = tuple(self._key(text, item) for text, item in self._texts(entry.value, "key"))
                case _:
                    made.signed_as = tuple(self._pattern(text, item) for text, item in self._texts(entry.value, "signed-as"))
        if not made.registry:
            raise self._wrong(node, "the entry does not say which images it is about", "add `registry:`; '*' is all of them")
        if not made.keys:
            raise self._wrong(node, "the entry has no key", "add `key:`, a file with a public key")
        return made

    def _pattern(self, text: str, node: yaml_nodes.Node) -> str:
        if text.startswith(FILES):
            return text
        if "@" in text or (":" in text.rpartition("/")[2] and "/" in text.removeprefix("https://").removeprefix("http://")):
            raise self._wrong(node, f"{text!r} names an image, not where images are", "a registry, with a repository or not, and no tag")
        host = text.partition("/")[0]
        if not any(character in host for character in ".:*") and host != "localhost":
            raise self._wrong(node, f"{host!r} is no registry", f"Docker Hub's are docker.io/library/NAME and docker.io/{host}/NAME")
        return text

    def _key(self, text: str, node: yaml_nodes.Node) -> KeyText:
        where = self._file.at(node.place)
        if "-----BEGIN" in text:
            check_shape(text.encode(), where)
            return KeyText(name=where, pem=text)
        path = os.path.join(os.path.dirname(self._file.path), text)
        try:
            with open(path, "rb") as stream:
                content = stream.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "this is no path"
            raise HardenError(f"cannot read the key {text!r:.200}: {reason}", where=where, how="a file beside the policy") from None
        self._files.append(path)
        check_shape(content, path)
        return KeyText(name=path, pem=content.decode("ascii", "replace"))
