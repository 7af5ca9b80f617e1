"""What a value looks like: a reference, a placeholder, a setting, a weak password, random characters.

Only literals count. Whatever is filled in elsewhere (`${VAR}`, `/run/secrets/x`, `<your-token>`) is no secret of this file.
"""

import re
from math import log2
from typing import Final

# Filled in elsewhere: shell and compose variables, command substitutions, templates of CI systems, Helm, Ansible, cmd, autoconf.
_REFERENCE: Final = re.compile(
    r"""
      \$[A-Za-z_{(\[]            # $VAR ${VAR} $(cmd) $[…]
    | `                          # `cmd`
    | \{\{ | \#\{ | <%           # {{ x }}  #{x}  <%= x %>
    | ^<.*>$ | ^\{.*\}$ | ^\[.*\]$ | ^\(.*\)$
    | %\(?\w*\)[sd] | ^%[sdvq]$ | ^%\w+%$   # %s  %(x)s  %VAR%
    | ^@\w+@$ | ^__\w+__$ | ^:\w+$          # @VAR@  __VAR__  :param
    | ^(?:process\.env|os\.(?:environ|getenv)|env|secrets|vars|var|local|data|module|ENV|System\.getenv)\b[.\[(]
    | ^[A-Za-z_][\w.]*\(.*\)?$              # call()
    """,
    re.VERBOSE,
)

# Says where the secret is: schemes of secret stores, encrypted values, mounted files.
_ELSEWHERE: Final = re.compile(
    r"""
      (?:file|env|vault|bao|secrets?|ssm|sops|op|bws?|awssm|awskms|gcpsm|gcpkms|kms|keyvault|keychain|keyring|projects|pass|doppler|infisical|ref\+\w+)
      :/
    | arn:aws | vault: | ENC[\[(] | \{cipher\} | AQICAH | !vault | \$ANSIBLE_VAULT | sops: | age1
    """,
    re.VERBOSE | re.IGNORECASE,
)

_PLACEHOLDER: Final = re.compile(
    r"""
      (?:.*[\W_])?(?:change|replace)[-_ ]?(?:me|this|it|in|by|with|your|the|on|before)\b.*
    | (?:.*[\W_])?(?:change|replace)_?(?:me|this|it|with|before)(?:_.*|\d*)
    | (?:insert|enter|put|fill|provide|paste|type|set|add|use|supply)[-_ ](?:me|this|it|in|your|here|the|a|an|my|real|own)(?:[\W_].*)?
    | (?:.*[\W_])?your[-_ ]?.+ | .*[\W_](?:here|goes[-_ ]here|placeholder)
    | .*(?:example|placeholder|redacted|censored|sanitized|changeit|to[-_ ]?be[-_ ]?(?:set|replaced|filled|defined)).*
    | (?:.*[\W_])?(?:dummy|fake|todo|fixme|tbd|tbc|mock|stub|sample|throwaway|not[-_ ]?(?:a[-_ ])?(?:real|used|needed|set|secret|important)|nothing)(?:[\W_\d].*)?
    | (?:.*[\W_])?(?:unused|ignored?|irrelevant|whatever|build[-_ ]?(?:time|only|phase)|(?:only[-_ ])?for[-_ ]build|collectstatic|precompile|temp|tmp|temporary)(?:[\W_].*)?
    | foo|bar|baz|foobar|foo[-_]?bar|abc|lorem|ipsum|n/?a|unset|undefined|unknown|empty|none|null|nil|blank|value|string
    | \.{2,}|…|\*+|x{3,}.*|\?+|-+|_+|\#+|=+|0+|(.)\1{3,}
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
# TOKEN=GITHUB_TOKEN, password: PASSWORD: the name of a variable stands where its value belongs.
_SHOUTED: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?:[A-Z]+)?(?:PASSWORD|TOKEN|SECRET|KEY|PASS)")

_SETTING: Final = re.compile(
    r"""
      (?:v|release-)?\d+(?:\.(?:\d+|x|\*))+(?:[-+~._]?[0-9A-Za-z]+)*    # 1.2.3-rc1
    | \d+(?:\.\d+)?\s*(?:ns|us|ms|s|m|h|d|w|sec|secs|seconds?|min|mins|minutes?|hours?|days?|[kmgt]i?b?|%)   # 30d, 512MiB
    | [a-z][a-z0-9+.-]*:[a-z0-9/._-]+                                    # alias:x, urn:x
    | alias/.+
    | (?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+)\ .* | AAAA[BCE]3Nza.*   # public keys
    | -----BEGIN\ (?:[A-Z0-9 ]+\ )?(?:PUBLIC\ KEY|CERTIFICATE|CERTIFICATE\ REQUEST|X509\ CRL)-----.*
    | (?:sha(?:1|224|256|384|512)|md5|blake2b)[:=-][0-9A-Za-z+/=]+       # digests, integrity hashes
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_PATH: Final = re.compile(
    r"""
      (?:[A-Za-z]:)?[\\/].* | \.{1,2}/.* | ~(?:/.*)?
    | [a-z0-9_.-]{1,30}(?:/[a-z0-9_.-]{1,30})+/?                         # projects/x/y
    | [\w./-]+\.(?:pem|key|crt|cer|json|ya?ml|txt|env|conf|cfg|ini|toml|p12|pfx|jks|p8|keystore|properties|pub|asc|gpg|sh|py|[jt]sx?|xml|sock|log|html?|php|db|sqlite|enc)
    """,
    re.VERBOSE | re.DOTALL,
)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S*", re.IGNORECASE)
_DOTTED: Final = re.compile(r"[A-Za-z_][A-Za-z_]*(?:\.[A-Za-z_][A-Za-z_]+)+")  # com.example.Class, db.internal
_NUMBER: Final = re.compile(r"[-+]?\d+(?:[._,]\d+)*")

_BOOLEANS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "enabled", "disabled", "enable", "disable"})
_CHOICES: Final = frozenset(
    {
        "allow", "ask", "auto", "automatic", "aws", "azure", "basic", "bearer", "bool", "boolean", "bcrypt", "cert", "certificate", "cookie",
        "default", "deny", "digest", "dynamic", "env", "environment", "external", "file", "gcp", "google", "gssapi", "header", "hidden", "hs256",
        "hs384", "hs512", "inherit", "int", "integer", "interactive", "internal", "jwt", "kerberos", "keyring", "kubernetes", "ldap", "local",
        "manual", "masked", "md5", "mandatory", "memory", "mtls", "negotiate", "never", "number", "oauth", "oauth2", "object", "oidc", "optional",
        "peer", "plain", "plaintext", "prefer", "preferred", "prompt", "random", "reject", "remote", "require", "required", "rs256", "saml",
        "scram", "scram-sha-256", "sha1", "sha256", "sha512", "shared", "ssl", "sso", "static", "stdin", "str", "strict", "strong", "system",
        "text", "tls", "token", "trust", "user", "vault", "weak", "x509", "scrypt", "argon2", "lax", "always", "self", "this",
    }
)  # fmt: skip

# Real passwords of real deployments, and the first that an attacker tries.
_WEAK: Final = frozenset(
    {
        "password", "passwd", "passw0rd", "password1", "password123", "pass", "pass123", "secret", "mysecret", "secretkey", "supersecret",
        "topsecret", "verysecret", "letmein", "welcome", "qwerty", "admin", "administrator", "admin123", "root", "toor", "rootpassword",
        "guest", "test", "tester", "testing", "test123", "demo", "dev", "develop", "development", "prod", "production", "local", "localhost",
        "postgres", "postgresql", "mysql", "mariadb", "mongo", "mongodb", "redis", "rabbitmq", "minio", "minioadmin", "elastic", "kibana", "grafana",
        "wordpress", "drupal", "joomla", "magento", "nextcloud", "gitea", "keycloak", "sonar", "jenkins", "airflow", "superset", "docker",
        "oracle", "sa", "user", "username", "app", "api", "db", "database", "server", "master", "default", "service", "backend",
        "mysecretpassword", "my-secret-pw", "somewordpress", "passpass", "hunter2", "123", "1234", "12345", "123456", "1234567", "12345678",
        "123456789", "1234567890", "111111", "000000", "abc123", "abcd1234", "changeme", "change-me", "change_me", "changeit", "keyboard cat",
    }
)  # fmt: skip

_HEX: Final = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FINGERPRINT: Final = re.compile(r"(?:0x)?(?:[0-9A-Fa-f]{2,8}[ :]){3,}[0-9A-Fa-f]{2,8}")
_WORDS_ONLY: Final = re.compile(r"[A-Za-z]+(?:[-_. ][A-Za-z]+)*\d{0,2}")
_SEQUENCES: Final = re.compile(
    r"0123456789|1234567890|12345678|abcdefgh|qwertyui|deadbeef|(?:0a1b2c|1a2b3c)|(.)\1{5}|(..)\2{3}|(...)\3{3}", re.I
)


def redact(value: str) -> str:
    """Return a value for messages: enough to recognise it, never enough to use it (at most four characters, a fifth of it)."""
    shown = min(4, len(value) // 5) if len(value) >= 12 else 0
    return f"{value[:shown]}… ({len(value)} characters)"


def entropy(text: str) -> float:
    """Return Shannon's entropy in bits per character."""
    size = len(text)
    if not size:
        return 0.0
    return -sum(count / size * log2(count / size) for count in map(text.count, set(text)))


def is_reference(value: str) -> bool:
    """Whether the value is filled in elsewhere, or says where the secret is."""
    return _REFERENCE.search(value) is not None or _ELSEWHERE.match(value) is not None


def is_placeholder(value: str) -> bool:
    """Whether the value asks to be replaced: `changeme`, `your-token-here`, `xxxx`, the name of a variable."""
    return _PLACEHOLDER.fullmatch(value) is not None or _SHOUTED.fullmatch(value) is not None


def is_made_up(value: str) -> bool:
    """Whether a would-be token was typed by a person: `abcdefgh…`, `1234567890`, one character repeated, EXAMPLE in it."""
    return _SEQUENCES.search(value) is not None or "EXAMPLE" in value.upper() or len(set(value)) < min(8, len(value) // 2)


def is_setting(value: str) -> bool:
    """Whether the value configures something: a switch, a choice, a number, a duration, a version, a path, an address."""
    lower = value.lower()
    return (
        lower in _BOOLEANS
        or lower in _CHOICES
        or _NUMBER.fullmatch(value) is not None
        or _SETTING.fullmatch(value) is not None
        or _PATH.fullmatch(value) is not None
        or _URL.fullmatch(value) is not None
        or _DOTTED.fullmatch(value) is not None
    )


def is_number(value: str) -> bool:
    """Whether the value is a number."""
    return _NUMBER.fullmatch(value) is not None


def is_weak(value: str) -> bool:
    """Whether the value is a password that everybody tries first."""
    return value.lower() in _WEAK


def is_digest(value: str) -> bool:
    """Whether the value may be a checksum, a commit, a fingerprint or an identifier, which are as random as a key and public."""
    if _UUID.fullmatch(value) or _FINGERPRINT.fullmatch(value):
        return True
    return len(value.removeprefix("0x")) in (7, 8, 12, 16, 32, 40, 56, 64, 96, 128) and _HEX.fullmatch(value) is not None


def is_wordy(value: str) -> bool:
    """Whether the value is made of words: letters with separators, and at most two digits at the end."""
    return _WORDS_ONLY.fullmatch(value) is not None and not (len(value) >= 20 and entropy(value) > 4.0)


def is_random(value: str) -> bool:
    """Whether the value looks generated, or like a strong password: nothing that a person would call a setting."""
    if len(value) < 8 or " " in value or is_made_up(value):
        return False
    if _HEX.fullmatch(value):
        return len(value) >= 16 and entropy(value) >= 2.8
    if is_wordy(value):
        return False
    kinds = sum((any(map(str.islower, value)), any(map(str.isupper, value)), any(map(str.isdigit, value)), not value.isalnum()))
    return kinds >= 3 or (kinds == 2 and len(value) >= 16 and entropy(value) >= 3.3 and any(map(str.isdigit, value)))
