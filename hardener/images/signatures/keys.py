"""Public keys, and nothing but checking signatures with them. The only module that imports cryptography, and only when a key is used.

How a signature is made follows from the key alone, never from what stands beside a signature: nobody can talk us into another algorithm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey

LARGEST: Final = 64 << 10  # bytes of a file with a key
RSA_BITS: Final = (2048, 16384)
# The first is cosign's for each; since version 3 it takes for larger curves the hash of their size.
CURVES: Final = {"secp256r1": ("SHA256",), "secp384r1": ("SHA256", "SHA384"), "secp521r1": ("SHA256", "SHA512")}
_HOW: Final = "a public key in PEM, as `cosign generate-key-pair` writes to cosign.pub: ECDSA P-256, P-384 or P-521, Ed25519, RSA"
_BEGIN: Final = b"-----BEGIN "


class Key:
    """A public key.

    `name` is the file it is from, or what a policy calls it, `kind` what it is for people; `fingerprint`: see there.
    """

    __slots__ = ("_verify", "fingerprint", "kind", "name")

    def __init__(self, name: str, kind: str, fingerprint: str, verify: Callable[[bytes, bytes], bool]) -> None:
        self.name = name
        self.kind = kind
        self.fingerprint = fingerprint
        self._verify = verify

    def has_signed(self, content: bytes, signature: bytes) -> bool:
        """Tell whether a signature is over exactly these bytes, and of this key."""
        return self._verify(content, signature)

    def __repr__(self) -> str:
        return f"Key({self.name}, {self.kind}, {self.fingerprint})"


def read(path: str) -> Key:
    """Return the key in a file. Raises `HardenError` for anything that is none, or none that can be relied on."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no path"
        raise HardenError(f"cannot read the key: {reason}", where=path, how=_HOW) from None
    return parse(content, path)


def parse(content: bytes, name: str) -> Key:
    """Return the key in a text; `name` is where it stands."""
    check_shape(content, name)
    require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        public = serialization.load_pem_public_key(content.strip() + b"\n")
    except (ValueError, UnsupportedAlgorithm) as error:
        raise HardenError(f"this is no public key: {error}"[:200], where=name, how=_HOW) from None
    kind, verify = _checker(public, name)
    return Key(name, kind, fingerprint(content), verify)


def fingerprint(content: bytes) -> str:
    """Return the SHA-256 of what is between the lines of PEM, in hexadecimal: of the key's DER."""
    import hashlib
    from binascii import Error, a2b_base64

    lines = [line for line in content.strip().splitlines() if line.strip() and not line.startswith(b"-----")]
    try:
        return hashlib.sha256(a2b_base64(b"".join(lines))).hexdigest()
    except Error:
        return ""


def check_shape(content: bytes, name: str) -> None:
    """Raise `HardenError` unless a text looks like one public key; what the key is good for takes cryptography to tell."""
    if len(content) > LARGEST:
        raise HardenError("this is too large for a key", where=name, how=_HOW)
    if content.count(_BEGIN) > 1:
        raise HardenError("there are several keys in it", where=name, how="one file for each: which of them counts is not to be guessed")
    kind = content.strip().partition(_BEGIN)[2].partition(b"-----")[0]
    if not content.strip().startswith(_BEGIN) or kind not in (b"PUBLIC KEY", b"RSA PUBLIC KEY"):
        raise HardenError(f"this is {_look(kind)}, not a public key", where=name, how=_instead(kind))


def _look(kind: bytes) -> str:
    if b"PRIVATE KEY" in kind:
        return "a private key"
    return "a certificate" if kind == b"CERTIFICATE" else "something else"


def _instead(kind: bytes) -> str:
    if b"PRIVATE KEY" in kind:
        return "checking takes the public one, cosign.pub; keep the private one where nobody else reads it"
    return "openssl x509 -pubkey -noout -in FILE shows the key in it" if kind == b"CERTIFICATE" else _HOW


def require_library() -> None:
    """Raise `HardenError` where signatures cannot be checked."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise HardenError("checking signatures takes the package cryptography", how="pip install 'hardener[verify]'") from None


def _checker(public: object, name: str) -> tuple[str, Callable[[bytes, bytes], bool]]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    if isinstance(public, ec.EllipticCurvePublicKey):
        names = CURVES.get(public.curve.name)
        if names is None:
            raise HardenError(f"keys of the curve {public.curve.name} are not taken", where=name, how=_HOW)
        schemes = [ec.ECDSA(known()) for known in (hashes.SHA256, hashes.SHA384, hashes.SHA512) if known.__name__ in names]
        return f"ECDSA P-{public.curve.key_size}", _any_of([_curve_check(public, scheme) for scheme in schemes])
    if isinstance(public, ed25519.Ed25519PublicKey):
        return "Ed25519", _any_of([lambda text, made: public.verify(made, text)])
    if isinstance(public, rsa.RSAPublicKey):
        least, most = RSA_BITS
        if not least <= public.key_size <= most:
            raise HardenError(f"the RSA key has {public.key_size} bits", where=name, how=f"{least} to {most} can be relied on")
        scheme = padding.PKCS1v15()
        return f"RSA {public.key_size}", _any_of([lambda text, made: public.verify(made, text, scheme, hashes.SHA256())])
    raise HardenError(f"keys of this kind are not taken: {type(public).__name__}", where=name, how=_HOW)


def _curve_check(public: EllipticCurvePublicKey, scheme: ECDSA) -> Callable[[bytes, bytes], None]:
    return lambda text, made: public.verify(made, text, scheme)


def _any_of(ways: list[Callable[[bytes, bytes], None]]) -> Callable[[bytes, bytes], bool]:
    """Return what tells whether any of several ways to check does not raise."""
    from cryptography.exceptions import InvalidSignature

    def verify(content: bytes, signature: bytes) -> bool:
        for way in ways:
            try:
                way(content, signature)
            except InvalidSignature:
                continue
            return True
        return False

    return verify
