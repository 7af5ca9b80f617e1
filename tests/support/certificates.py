"""Certificates of one's own for servers on this machine, and tokens signed with them."""

import base64
import datetime
import ipaddress
import json
import ssl
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID


class Certificate:
    """A certificate that signs itself, for 127.0.0.1, [::1], localhost and `host`, with its key, in two files."""

    def __init__(
        self, folder: Path, name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None, host: str = "localhost"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.key_path = folder / f"{name}.crt", folder / f"{name}.key"
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        names = [
            *[x509.DNSName(one) for one in dict.fromkeys(("localhost", host))],
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        private = serialization.PrivateFormat.TraditionalOpenSSL
        self.key_path.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))

    def server_context(self) -> ssl.SSLContext:
        """Return what a server of this name uses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key_path)
        return context


class Issuer:
    """Who signs the tokens of a registry (RS256, the certificate in the header), as docs.docker.com, "Token Authentication", has it."""

    def __init__(self, folder: Path, service: str = "test-registry", issuer: str = "test-issuer") -> None:
        self.service, self.issuer = service, issuer
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = Certificate(folder, "tokens", self.key)

    def token(self, repository: str, *actions: str, account: str = "", life_s: int = 300) -> str:
        """Return a token for a repository."""
        der = self.certificate.certificate.public_bytes(serialization.Encoding.DER)
        now = int(time.time())
        access = [{"type": "repository", "name": repository, "actions": list(actions)}] if repository else []
        claims: dict[str, Any] = {"iss": self.issuer, "sub": account, "aud": self.service, "exp": now + life_s, "nbf": now - 10, "iat": now}
        header = {"alg": "RS256", "typ": "JWT", "x5c": [base64.b64encode(der).decode()]}
        signed = f"{_part(header)}.{_part({**claims, 'jti': str(time.time_ns()), 'access': access})}"
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
