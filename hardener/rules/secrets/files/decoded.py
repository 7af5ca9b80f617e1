"""Files of credentials that take more than one expression: JSON of several shapes, base64 inside, lines of fields."""

import re
from collections.abc import Iterator
from typing import Final

from hardener.finding import Confidence, Severity
from hardener.rules.secrets import Secret, Verdict, proofs, values
from hardener.rules.secrets.files import literal

_JSON_TEXT: Final = r'"(?P<name>%s)"\s*:\s*"(?P<value>(?:[^"\\\n]|\\.)*)"'
_B64: Final = r"[A-Za-z0-9+/]{6,}={0,2}"


def docker_config(text: str) -> Iterator[Secret]:
    """Yield what `docker login` stored: base64 of user and password, or a token of the registry."""
    for match in re.finditer(_JSON_TEXT % "auth|identitytoken|registrytoken|password|Secret", text):
        value = match["value"]
        if match["name"] != "auth":
            if secret := literal(value, match.span("value"), "docker login"):
                yield secret
        elif (decoded := re.fullmatch(f"({_B64})", value)) and (verdict := proofs.basic_credentials(decoded)):
            yield Secret.of("basic-credentials", "credential of docker login", match.span("value"), verdict)


def composer_auth(text: str) -> Iterator[Secret]:
    """Yield what an auth.json holds: Composer's tokens and passwords, or those of `podman login`."""
    yield from docker_config(text)
    for match in re.finditer(r'"(?:github-oauth|gitlab-token|gitlab-oauth|bearer)"\s*:\s*\{(?P<body>[^{}]{1,5000})\}', text):
        for entry in re.finditer(r':\s*"(?P<value>[^"\n]+)"', match["body"]):
            at = match.start("body") + entry.start("value")
            if secret := literal(entry["value"], (at, at + len(entry["value"])), "Composer", kind="token"):
                yield secret


def npmrc(text: str) -> Iterator[Secret]:
    """Yield npm's tokens, and passwords that are base64."""
    for match in re.finditer(r"(?m)^[ \t]*(?:\S+:)?(?P<name>_authToken|_auth|_password)[ \t]*=[ \t]*\"?(?P<value>[^\s\"#;]+)", text):
        value = match["value"]
        if match["name"] == "_auth" and (decoded := re.fullmatch(f"({_B64})", value)):
            verdict = proofs.basic_credentials(decoded)
            if verdict is not None:
                yield Secret.of("npm-token", "credential of npm", match.span("value"), verdict)
                continue
        if secret := literal(value, match.span("value"), "npm", kind="npm-token"):
            yield secret


def netrc(text: str) -> Iterator[Secret]:
    """Yield the passwords of a netrc(5): words in any arrangement of lines."""
    for match in re.finditer(r"(?<!\S)password\s+(?P<value>\S+)", text):
        if secret := literal(match["value"], match.span("value"), "a .netrc"):
            yield secret


def pgpass(text: str) -> Iterator[Secret]:
    """Yield the passwords of a .pgpass: host:port:database:user:password, with `\\:` for a colon."""
    for match in re.finditer(r"(?m)^(?!#)(?:(?:[^:\\\n]|\\.)*:){4}(?P<value>(?:[^:\\\n]|\\.)+)$", text):
        if secret := literal(match["value"], match.span("value"), "a .pgpass"):
            yield secret


def htpasswd(text: str) -> Iterator[Secret]:
    """Yield the hashes of web users; an unsalted or outdated one is as good as the password."""
    pattern = r"(?m)^(?P<user>[^:\s#]{1,255}):(?P<value>\$(?:apr1|2[aby]|5|6|y)\$\S+|\{SHA\}[A-Za-z0-9+/]{27}=|[./A-Za-z0-9]{13})$"
    for match in re.finditer(pattern, text):
        weak = match["value"].startswith("{SHA}") or len(match["value"]) == 13
        why = f"the hash of {match['user']}'s password, {'which is quickly guessed' if weak else 'which can be guessed at leisure'}"
        severity = Severity.MEDIUM if weak else Severity.LOW
        yield Secret.of("password-hash", "password hash", match.span("value"), Verdict(Confidence.HIGH, why, severity))


def shadow(text: str) -> Iterator[Secret]:
    """Yield the hashes of accounts that somebody has given a password; `*` and `!` are none."""
    for match in re.finditer(r"(?m)^(?P<user>[^:\n]{1,64}):(?P<value>\$[^:\n]{10,}|[./A-Za-z0-9]{13}):", text):
        verdict = Verdict(Confidence.HIGH, f"every container of this image accepts the same password for {match['user']}", Severity.MEDIUM)
        yield Secret.of("password-hash", "password hash of an account", match.span("value"), verdict)


def kubeconfig(text: str) -> Iterator[Secret]:
    """Yield the tokens, passwords and client keys of a kubeconfig."""
    names = "token|password|client-key-data|id-token|refresh-token|access-token"
    pattern = rf'(?m)^[ \t-]*"?(?P<name>{names})"?[ \t]*:[ \t]*["\']?(?P<value>[^\s"\',]+)'
    for match in re.finditer(pattern, text):
        if match["name"] != "client-key-data":
            if secret := literal(match["value"], match.span("value"), "a kubeconfig", kind="kubernetes-token", severity=Severity.CRITICAL):
                yield secret
        elif match["value"].startswith("LS0tLS1CRUdJTi") and len(match["value"]) > 100:  # base64 of "-----BEGIN "
            verdict = Verdict(Confidence.HIGH, "the private key of a user of the cluster", Severity.CRITICAL)
            yield Secret.of("private-key", "client key of a kubeconfig", match.span("value"), verdict)


def service_account(text: str) -> Iterator[Secret]:
    """Yield the key of a Google service account, or what `gcloud auth` keeps for its user."""
    email = re.search(r'"client_email"\s*:\s*"([^"\n]{1,200})"', text)
    owner = f" of {email[1]}" if email else ""
    for match in re.finditer(r'"private_key"\s*:\s*"(?P<value>-----BEGIN[^"]{100,})"', text):
        verdict = Verdict(Confidence.HIGH, f"the key of a Google service account{owner}", Severity.CRITICAL)
        yield Secret.of("private-key", "Google service account key", match.span("value"), verdict)
    for match in re.finditer(_JSON_TEXT % "refresh_token|client_secret|access_token", text):
        if secret := literal(match["value"], match.span("value"), "gcloud", kind="gcp-token"):
            yield secret


def azure_tokens(text: str) -> Iterator[Secret]:
    """Yield the tokens that `az login` keeps."""
    names = "accessToken|refreshToken|secret|client_secret|servicePrincipalSecret|clientSecret|password"
    for match in re.finditer(_JSON_TEXT % names, text):
        if secret := literal(match["value"], match.span("value"), "the Azure CLI", kind="azure-token"):
            yield secret


def terraform_state(text: str) -> Iterator[Secret]:
    """Yield the literals under secret names in a Terraform state, which keeps every attribute in clear text."""
    from hardener.rules.secrets.names import Likeness, is_secret_name

    for match in re.finditer(_JSON_TEXT % r"[A-Za-z0-9_]{2,80}", text):
        value = match["value"]
        if is_secret_name(match["name"]) < Likeness.SECRET or len(value) < 4 or values.is_setting(value):
            continue
        if secret := literal(value, match.span("value"), "a Terraform state"):
            yield secret


def wordpress(text: str) -> Iterator[Secret]:
    """Yield the password and the keys of a wp-config.php."""
    pattern = r"""define\(\s*(["'])(?P<name>DB_PASSWORD|\w*(?:_KEY|_SALT))\1\s*,\s*(["'])(?P<value>(?:(?!\3)[^\\\n]|\\.)+)\3"""
    for match in re.finditer(pattern, text):
        if match["value"] != "put your unique phrase here" and (
            secret := literal(match["value"], match.span("value"), "WordPress", severity=_wordpress_severity(match["name"]))
        ):
            yield secret


def _wordpress_severity(name: str) -> Severity:
    return Severity.HIGH if name == "DB_PASSWORD" else Severity.MEDIUM


def wireguard(text: str) -> Iterator[Secret]:
    """Yield the keys of a WireGuard interface: 32 bytes in base64."""
    for match in re.finditer(r"(?m)^[ \t]*(?P<name>PrivateKey|PresharedKey)[ \t]*=[ \t]*(?P<value>[A-Za-z0-9+/]{43}=)", text):
        verdict = Verdict(Confidence.HIGH, "a key of a WireGuard tunnel", Severity.CRITICAL)
        yield Secret.of("private-key", f"WireGuard {match['name']}", match.span("value"), verdict)


def openvpn(text: str) -> Iterator[Secret]:
    """Yield the static keys of an OpenVPN profile; certificates' keys are PEM and found as such."""
    for match in re.finditer(r"-----BEGIN OpenVPN Static key V1-----\s*(?P<value>(?:[0-9a-f]{32}\s+){4,})", text):
        verdict = Verdict(Confidence.HIGH, "a static key of an OpenVPN tunnel", Severity.HIGH)
        yield Secret.of("private-key", "OpenVPN static key", (match.start("value"), match.end("value")), verdict)


def master_key(text: str) -> Iterator[Secret]:
    """Yield the master key of a Rails application: 32 hexadecimal digits and nothing else."""
    match = re.fullmatch(r"\s*([0-9a-f]{32}|[0-9a-f]{64})\s*", text)
    if match and not values.is_made_up(match[1]):
        verdict = Verdict(Confidence.HIGH, "it decrypts the credentials of a Rails application", Severity.CRITICAL)
        yield Secret.of("secret", "Rails master key", match.span(1), verdict)


def whole(text: str) -> Iterator[Secret]:
    """Yield what is alone in its file, as in a `.vault-token` or a `.vault_pass`."""
    match = re.fullmatch(r"\s*(\S{8,512})\s*", text)
    if (
        match
        and not match[1].startswith(("#!", "/", "$ANSIBLE_VAULT"))
        and (secret := literal(match[1], match.span(1), "a file that holds nothing else"))
    ):
        yield secret


def rclone(text: str) -> Iterator[Secret]:
    """Yield the passwords of an rclone.conf, which are obscured by a key that everybody has, and its tokens."""
    for match in re.finditer(r"(?m)^(?:pass|password|password2|secret_access_key|client_secret|token)[ \t]*=[ \t]*(?P<value>\S.*)$", text):
        if secret := literal(match["value"], match.span("value"), "rclone"):
            yield secret


def maven_settings(text: str) -> Iterator[Secret]:
    """Yield the passwords of a Maven settings.xml; `{…}` is encrypted by a master password elsewhere."""
    for match in re.finditer(r"<(?P<name>password|passphrase)>(?P<value>[^<>\s{][^<>]*)</", text):
        if secret := literal(match["value"], match.span("value"), "Maven"):
            yield secret


def filezilla(text: str) -> Iterator[Secret]:
    """Yield the passwords of FileZilla's sites: plain, or base64."""
    for match in re.finditer(r"<Pass(?: encoding=\"base64\")?>(?P<value>[^<>\s]+)</Pass>", text):
        if secret := literal(match["value"], match.span("value"), "FileZilla"):
            yield secret
