"""Files that hold keys in binary form: keystores, key rings, password databases, keytabs, DER keys. What is in them is not read.

They are advice: most are locked by a password, which is often `changeit`, and some hold certificates alone.
"""

import re
from typing import Final

from hardener.finding import Confidence, Severity
from hardener.rules.secrets import Secret, Verdict

# First bytes -> kind, title, severity. Sources: OpenJDK's JavaKeyStore, KeePass, MIT Kerberos (keytab.txt), RFC 7292.
_MAGIC: Final = (
    (b"\xfe\xed\xfe\xed", "keystore", "Java keystore", Severity.LOW),
    (b"\xce\xce\xce\xce", "keystore", "Java keystore (JCEKS)", Severity.LOW),
    (b"\x03\xd9\xa2\x9a", "keystore", "KeePass database", Severity.MEDIUM),
    (b"\x05\x02\x00\x00\x00", "keytab", "Kerberos keytab", Severity.HIGH),
)
_TRUST: Final = r"(?i)cacerts|trust|(?:^|/)ca[-_.]"  # certificates of others, not keys
_SSH_WIRE: Final = b"openssh-key-v1\x00"
_PKCS12: Final = re.compile(rb"0(?:\x80|[\x81-\x84].{1,4}?|[\x00-\x7f])\x02\x01\x03\x30", re.DOTALL)
# An RSA or EC private key and PKCS #8 in DER: SEQUENCE { INTEGER 0 or 1, then SEQUENCE (an algorithm), INTEGER (a modulus) or OCTET STRING.
_DER_KEY: Final = re.compile(
    rb"0(?:\x82..|\x81.|[\x20-\x7f])\x02\x01(?:\x00(?:\x30.{1,3}?\x06|\x02(?:\x82..|\x81.)\x00)|\x01\x04[\x10-\x50])", re.DOTALL
)
_KEY_NAME: Final = r"(?i)\.(?:key|der|p8|pk8|pkcs8)$"


def judge(path: str, head: bytes) -> Secret | None:
    """Return what a binary file is by its first bytes, and by its name where they are not enough; None for anything else."""
    for magic, kind, title, severity in _MAGIC:
        if head.startswith(magic):
            if kind == "keystore" and re.search(_TRUST, path):
                return None
            if kind == "keytab" and not re.search(r"(?i)keytab", path):
                return None
            return _secret(kind, title, severity, "it is as strong as its password" if kind == "keystore" else "it logs its owner in")
    if re.search(r"(?i)\.(?:p12|pfx|pkcs12)$", path) and _PKCS12.match(head) and not re.search(_TRUST, path):
        return _secret("keystore", "PKCS #12 keystore", Severity.LOW, "it is as strong as its password")
    if re.search(_KEY_NAME, path) and _DER_KEY.match(head):
        return _secret("private-key", "private key (DER)", Severity.CRITICAL, "a private key in plain form")
    if re.search(r"/(?:secring\.gpg|private-keys-v1\.d/[0-9A-Fa-f]{40}\.key)$", "/" + path):
        return _secret("private-key", "GnuPG private key", Severity.MEDIUM, "it is as strong as its passphrase")
    if _SSH_WIRE in head[:64]:
        return _secret("private-key", "private key", Severity.CRITICAL, "an OpenSSH private key in binary form")
    return None


def _secret(kind: str, title: str, severity: Severity, why: str) -> Secret:
    return Secret.of(kind, title, (0, 0), Verdict(Confidence.HIGH, why, severity))
