"""Makes credentials of every kind for tests: generated, and built from pieces, so that none looks like one to a scanner."""

import random
import string
from base64 import urlsafe_b64encode
from zlib import crc32

VAGRANT = "MIIEogIBAAKCAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzI"  # published
DICE = random.Random(20)
ALNUM = string.ascii_letters + string.digits
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def alnum(size: int, alphabet: str = ALNUM) -> str:
    return "".join(DICE.choice(alphabet) for _ in range(size))


def hexa(size: int) -> str:
    return alnum(size, "0123456789abcdef")


def uuid() -> str:
    return "-".join(hexa(size) for size in (8, 4, 4, 4, 12))


def github(prefix: str) -> str:
    """Return a token with the right checksum."""
    body, rest, digits = alnum(30), 0, ""
    rest = crc32(body.encode())
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = BASE62[digit] + digits
    return f"{prefix}_{body}{digits}"


def grafana() -> str:
    body = "gl" + "sa_" + alnum(32)
    return f"{body}_{crc32(body.encode()).to_bytes(4, 'little').hex()}"


def age() -> str:
    """Return an age identity: Bech32 of 32 bytes."""
    prefix = "age-secret-key-"

    def polymod(data: list[int]) -> int:
        checksum = 1
        for value in data:
            top = checksum >> 25
            checksum = (checksum & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                checksum ^= generator if top >> bit & 1 else 0
        return checksum

    data = [DICE.randrange(32) for _ in range(51)] + [DICE.choice((0, 16))]
    expanded = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    rest = polymod(expanded + data + [0] * 6) ^ 1
    data += [rest >> 5 * (5 - index) & 31 for index in range(6)]
    return (prefix + "1" + "".join(BECH32[value] for value in data)).upper()


def jwt(header: str = '{"alg":"HS256","typ":"JWT"}', payload: str = '{"sub":"svc","role":"admin"}') -> str:
    parts = (urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, payload))
    return ".".join([*parts, alnum(43)])


def pem(kind: str = "RSA ", body: str = "", newline: str = "\n") -> str:
    lines = [body] if body else [alnum(64) for _ in range(6)]
    return newline.join(["-----BEGIN " + kind + "PRIVATE KEY-----", *lines, "-----END " + kind + "PRIVATE KEY-----"])
