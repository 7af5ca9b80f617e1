"""What a value looks like: a reference, a placeholder, a setting, a weak password, random characters.

Only literals count. Whatever is filled in elsewhere (`${VAR}`, `/run/secrets/x`, `<your-token>`) is no secret of this file.

The patterns are strings on purpose: `re` compiles each at its first use and keeps it, so a run without candidates pays for none.
"""

import re
from itertools import pairwise
from math import log2
from typing import Final

# Filled in elsewhere: shell and compose variables, command substitutions, templates of CI systems, Helm, Ansible, cmd, autoconf, code.
_REFERENCE: Final = r"""(?x)
      \$[A-Za-z_{(\[]                       # $VAR ${VAR} $(cmd) $[…]
    | ` | \{\{ | \#\{ | <%                  # `cmd` {{ x }} #{x} <%= x %>
    | ^<.*>$ | ^\{.*\}$ | ^\[.*\]$ | ^\(.*\)$
    | \{\w*\} | %\(\w+\)[sd] | %[sdrvq](?![0-9A-Za-z]) | ^%\w+%$   # {x} %(x)s %s %VAR%
    | ^@\w+@$ | ^__\w+__$ | ^:\w+$          # @VAR@ __VAR__ :param
    | ^(?:process\.env|os\.(?:environ|getenv)|env|secrets|vars?|local|data|module|ENV)[.\[(]
    | ^[A-Za-z_][\w.]*\(                    # call(…
"""
# Says where the secret is: schemes of secret stores, encrypted values.
_ELSEWHERE: Final = r"""(?xi)
      (?:file|env|vault|bao|secrets?|ssm|sops|op|bws?|awssm|awskms|gcpsm|gcpkms|kms|keyvault|keychain|keyring|pass|doppler|ref\+\w+):/
    | arn:aws | vault: | sops: | ENC[\[(] | \{cipher\} | !vault | \$ANSIBLE_VAULT | AQICAH | age1
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLACEHOLDER_WORDS: Final = _words(
    """
    bar baz blank buildtime censored changeit changeme changethis collectstatic dummy empty fake fixme foo foobar ignore ignored insert
    ipsum irrelevant lorem mock nil none notneeded notreal notset notused null placeholder redacted replaceme replacethis sample sanitized
    string stub tbc tbd temp temporary throwaway tmp todo undefined unknown unset unused value whatever your yourpassword yours
    yoursecret yourtoken
    """
)
# Two words in a row, whatever separates them: CHANGE-ME, replace_with_…, put-your-…, not_used, build only.
_PLACEHOLDER_PAIRS: Final = (
    (_words("change replace"), _words("before by in it me the this with your")),
    (
        _words("add enter fill paste provide put set supply type use"),
        _words("a an here in me my own real the this your"),
    ),
    (_words("not"), _words("a important needed real secret set used")),
    (_words("build for"), _words("build only phase time")),
    (_words("to"), _words("be change")),
)
_PLACEHOLDER_SIGNS: Final = r"(?i)\.{2,}|…|\*+|x{3,}.*|\?+|-+|_+|#+|=+|[0x-]+|n/a|abc|(.)\1{3,}"
# TOKEN=GITHUB_TOKEN, password: PASSWORD: the name of a variable stands where its value belongs.
_SHOUTED: Final = r"[A-Z]+(?:_[A-Z0-9]+)+|[A-Z]*(?:PASSWORD|TOKEN|SECRET|KEY|PASS)"

_SETTING: Final = r"""(?xis)
      [~^<>=]{0,2}\ ?(?:v|release-)?\d++(?:\.(?:\d++|x|\*))+(?:[-+~._]?[0-9A-Za-z]++){0,8}   # 1.2.3-rc1
    | \d+(?:\.\d+)?\s*(?:ns|us|ms|s|m|h|d|w|secs?|seconds?|mins?|minutes?|hours?|days?|[kmgt]i?b?|%)   # 30d 512MiB
    | \d{4}-\d\d-\d\d(?:[T ].*)?                                         # dates
    | alias/.+ | urn:.+
    | (?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+)\ .* | AAAA[BCE]3Nza.*      # public keys
    | -----BEGIN\ (?:[A-Z0-9 ]+\ )?(?:PUBLIC\ KEY|CERTIFICATE|X509\ CRL).*
    | (?:sha(?:1|224|256|384|512)|md5|blake2b)[:=-][0-9A-Za-z+/=]+          # digests, integrity hashes
"""
_PATH: Final = r"""(?xs)
      (?:[A-Za-z]:)?[\\/].* | \.{1,2}/.* | ~(?:/.*)? | [a-z0-9_]+:/.*
    | [a-z0-9_.-]{1,30}(?:/[a-z0-9_.-]{1,30})+/?                            # projects/x/y
    | [\w./-]+\.(?:pem|key|crt|cer|p12|pfx|p8|jks|keystore|pub|asc|gpg|enc|json|ya?ml|xml|toml|ini|cfg|conf|env|properties|txt|log|html?
        |sh|py|php|[jt]sx?|sock|db|sqlite)
"""
_URL: Final = r"[A-Za-z][A-Za-z0-9+.-]*://\S*"
_DOTTED: Final = r"[A-Za-z_]+(?:\.[A-Za-z_]{2,})+"  # com.example.Class, db.internal
_NUMBER: Final = r"[-+]?\d+(?:[._,]\d+)*"

_SWITCHES: Final = _words("true false yes no on off y n t f enabled disabled enable disable")
_CHOICES: Final = _words(
    """
    allow always and argon2 ask auto automatic aws azure basic bcrypt bearer bool boolean cert certificate cookie default deny
    digest dynamic env environment external file flag gcp google gssapi header hidden hs256 hs384 hs512 inherit int integer
    interactive internal jwt kerberos keyring kubernetes lax ldap local mandatory manual masked md5 memory mtls negotiate never
    number oauth oauth2 object oidc option optional options or peer plain plaintext prefer preferred prompt random read reject remote
    require required rs256 saml scram scram-sha-256 scrypt self sha1 sha256 sha512 shared ssl sso static stdin str strict strong
    system text this tls token trust user vault weak write x509
    """
)

# Real passwords of real deployments, and the first that an attacker tries.
_WEAK: Final = _words(
    """
    password passwd passw0rd password1 password123 pass pass123 passpass secret mysecret secretkey supersecret topsecret verysecret letmein
    welcome qwerty hunter2 admin administrator admin123 root toor rootpassword guest user username test tester testing test123 demo dev
    develop development prod production local localhost default app api web backend service server master db database postgres postgresql
    mysql mariadb mongo mongodb redis rabbitmq minio minioadmin elastic kibana grafana wordpress somewordpress drupal joomla magento
    nextcloud gitea keycloak sonar jenkins airflow superset docker oracle sa mysecretpassword my-secret-pw abc123 abcd1234 0 1 123 1234
    12345 123456 1234567 12345678 123456789 1234567890 111111 000000 changeme change-me change_me changeit
    """
)

_HEX: Final = r"(?:0x)?[0-9a-fA-F]+"
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_FINGERPRINT: Final = r"(?:0x)?(?:[0-9A-Fa-f]{2,8}[ :]){3,}[0-9A-Fa-f]{2,8}"
_DIGEST_SIZES: Final = frozenset({7, 8, 12, 16, 32, 40, 56, 64, 96, 128})  # short and full commits, key ids, MD5 … SHA-512
_WORDS: Final = r"[A-Za-z]+\d{0,2}(?:[-_. /:](?:[A-Za-z]+\d{0,2}|\d{1,4}))*"
_TYPED: Final = r"(?i)01234567|12345678|abcdefgh|qwertyui|deadbeef|(.)\1{5}|(..)\2{3}|(...)\3{3}"


def redact(value: str) -> str:
    """Return a value for messages: enough to recognise it, never enough to use it (at most four characters, at most a fifth)."""
    shown = min(4, len(value) // 5) if len(value) >= 12 else 0
    return f"{value[:shown]}… ({len(value)} characters)"


def entropy(text: str) -> float:
    """Return Shannon's entropy in bits per character."""
    size = len(text)
    return -sum(count / size * log2(count / size) for count in map(text.count, set(text)))


def is_reference(value: str) -> bool:
    """Return whether the value is filled in elsewhere, or says where the secret is."""
    if value.isalnum():  # most values are, and all that follows but two beginnings has a sign in it
        return value.lower().startswith(("aqicah", "age1"))
    return re.search(_REFERENCE, value) is not None or re.match(_ELSEWHERE, value) is not None


def is_placeholder(value: str) -> bool:
    """Return whether the value asks to be replaced: `changeme`, `your-token-here`, `xxxx`, the name of a variable."""
    lower = value.lower()
    words = [word.rstrip("0123456789") for word in re.split(r"[\W_]+", lower)]
    if not _PLACEHOLDER_WORDS.isdisjoint(words) or "example" in lower or words[-1] == "here":
        return True
    if any(first in heads and second in tails for first, second in pairwise(words) for heads, tails in _PLACEHOLDER_PAIRS):
        return True
    return re.fullmatch(_PLACEHOLDER_SIGNS, value) is not None or re.fullmatch(_SHOUTED, value) is not None


def is_made_up(value: str) -> bool:
    """Return whether a would-be token was typed by a person: a run of the keyboard, a repeated group, EXAMPLE in it."""
    return re.search(_TYPED, value) is not None or "EXAMPLE" in value.upper() or len(set(value)) < min(8, len(value) // 2)


def is_switch(value: str) -> bool:
    """Return whether the value turns something on or off."""
    return value.lower() in _SWITCHES


def is_setting(value: str) -> bool:
    """Return whether the value configures something: a switch, a choice, a duration, a version, a path, an address, a public key."""
    lower = value.lower()
    if lower in _SWITCHES or lower in _CHOICES:
        return True
    return any(re.fullmatch(pattern, value) for pattern in (_PATH, _URL, _SETTING, _DOTTED))


def is_number(value: str) -> bool:
    """Return whether the value is a number."""
    return re.fullmatch(_NUMBER, value) is not None


def is_weak(value: str) -> bool:
    """Return whether the value is a password that everybody tries first."""
    return value.lower() in _WEAK


def is_digest(value: str) -> bool:
    """Return whether the value may be a checksum, a commit, a fingerprint or an identifier: as random as a key, and public."""
    if re.fullmatch(_UUID, value) or re.fullmatch(_FINGERPRINT, value):
        return True
    return len(value.removeprefix("0x")) in _DIGEST_SIZES and re.fullmatch(_HEX, value) is not None


def is_wordy(value: str) -> bool:
    """Return whether the value is made of words: letters with separators, and few digits."""
    return re.fullmatch(_WORDS, value) is not None and not (len(value) >= 20 and entropy(value) > 4.0)


def is_random(value: str) -> bool:
    """Return whether the value looks generated, or like a strong password: nothing that a person would call a setting."""
    if len(value) < 8 or " " in value or is_made_up(value):
        return False
    if re.fullmatch(_HEX, value):
        return len(value) >= 16 and entropy(value) >= 2.8
    if is_wordy(value):
        # No word: English has 38 vowels in 100 letters, random letters 19.
        return len(value) >= 16 and value.isalpha() and sum(char in "aeiouAEIOU" for char in value) * 4 < len(value)
    digits = any(map(str.isdigit, value))
    kinds = digits + any(map(str.islower, value)) + any(map(str.isupper, value)) + (not value.isalnum())
    return kinds >= 3 or (kinds == 2 and digits and len(value) >= 16 and entropy(value) >= 3.3)
