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


TOKENS = [
    ("github-token", github("gh" + "p")),
    ("github-token", github("gh" + "o")),
    ("github-token", github("gh" + "u")),
    ("github-token", github("gh" + "s")),
    ("github-token", github("gh" + "r")),
    ("github-token", "gh" + "s_123456_" + jwt()),
    ("github-token", "github" + "_pat_" + alnum(22) + "_" + alnum(59)),
    ("gitlab-token", "gl" + "pat-" + alnum(20)),
    ("gitlab-token", "gl" + "pat-" + alnum(40) + ".01." + alnum(9)),
    ("gitlab-token", "gl" + "dt-" + alnum(20)),
    ("gitlab-token", "gl" + "rt-" + alnum(20)),
    ("gitlab-token", "gl" + "cbt-64_" + alnum(20)),
    ("atlassian-token", "AT" + "ATT3" + alnum(186)),
    ("npm-token", github("np" + "m")),
    ("pypi-token", "py" + "pi-AgEIcHlwaS5vcmc" + alnum(120)),
    ("rubygems-token", "ruby" + "gems_" + hexa(48)),
    ("clojars-token", "CLO" + "JARS_" + hexa(60)),
    ("docker-token", "dckr" + "_pat_" + alnum(27)),
    ("artifactory-token", "AK" + "Cp" + alnum(69)),
    ("sonar-token", "sq" + "p_" + hexa(40)),
    ("sourcegraph-token", "sg" + "p_" + hexa(40)),
    ("circleci-token", "CCI" + "PAT_" + alnum(22) + "_" + hexa(40)),
    ("buildkite-token", "bk" + "ua_" + hexa(40)),
    ("aws-bedrock-key", "AB" + "SK" + alnum(120)),
    ("gcp-api-key", "AI" + "za" + alnum(35)),
    ("gcp-oauth-secret", "GO" + "CSPX-" + alnum(28)),
    ("gcp-access-token", "ya" + "29." + alnum(80)),
    ("azure-client-secret", "aB3" + "8Q" + "~" + alnum(34)),
    ("azure-key", alnum(52) + "JQQJ" + "99BG" + alnum(16) + "Z" + alnum(7)),
    ("digitalocean-token", "do" + "p_v1_" + hexa(64)),
    ("heroku-key", "HR" + "KU-AA" + alnum(58)),
    ("cloudflare-token", "cf" + "ut_" + alnum(48)),
    ("cloudflare-origin-key", "v1" + ".0-" + hexa(24) + "-" + hexa(146)),
    ("fly-token", "fo" + "1_" + alnum(43)),
    ("fly-token", "fm" + "2_" + alnum(120)),
    ("netlify-token", "nf" + "p_" + alnum(36)),
    ("planetscale-token", "pscale" + "_tkn_" + alnum(43)),
    ("supabase-key", "sb" + "p_" + hexa(40)),
    ("vault-token", "hv" + "s." + alnum(95)),
    ("terraform-token", alnum(14) + ".atlas" + "v1." + alnum(64)),
    ("pulumi-token", "pu" + "l-" + hexa(40)),
    ("doppler-token", "dp" + ".pt." + alnum(43)),
    ("doppler-token", "dp" + ".st.prod." + alnum(43)),
    ("tailscale-key", "ts" + "key-auth-" + alnum(12) + "-" + alnum(32)),
    ("openshift-token", "sha" + "256~" + alnum(43)),
    ("1password-token", "op" + "s_eyJ" + alnum(250)),
    ("age-key", age()),
    ("grafana-token", grafana()),
    ("grafana-token", "gl" + "c_eyJ" + alnum(80)),
    ("sentry-token", "sn" + "tryu_" + hexa(64)),
    ("sentry-token", "sn" + "trys_eyJ" + alnum(80) + "_" + alnum(43)),
    ("newrelic-key", "NR" + "AK-" + alnum(27, string.ascii_uppercase + string.digits)),
    ("dynatrace-token", "dt" + "0c01." + alnum(24, string.ascii_uppercase) + "." + alnum(64, string.ascii_uppercase + string.digits)),
    ("slack-token", "xo" + "xb-2345678901-3456789012-" + alnum(24)),
    ("slack-token", "xa" + "pp-1-A" + alnum(10, string.ascii_uppercase) + "-3456789012-" + hexa(64)),
    ("telegram-token", "987654" + "3210:AA" + alnum(33)),
    ("sendgrid-key", "S" + "G." + alnum(22) + "." + alnum(43)),
    ("mailgun-key", "ke" + "y-" + hexa(32)),
    ("mailchimp-key", hexa(32) + "-us" + "12"),
    ("brevo-key", "xkey" + "sib-" + hexa(64) + "-" + alnum(16)),
    ("stripe-key", "sk" + "_live_" + alnum(24)),
    ("stripe-key", "rk" + "_live_" + alnum(99)),
    ("stripe-webhook-secret", "wh" + "sec_" + alnum(32)),
    ("square-token", "sq" + "0atp-" + alnum(22)),
    ("shopify-token", "sh" + "pat_" + hexa(32)),
    ("openai-key", "sk" + "-proj-" + alnum(74) + "T3Blbk" + "FJ" + alnum(74)),
    ("openai-key", "sk" + "-" + alnum(20) + "T3Blbk" + "FJ" + alnum(20)),
    ("anthropic-key", "sk" + "-ant-api03-" + alnum(93) + "AA"),
    ("openrouter-key", "sk" + "-or-v1-" + hexa(64)),
    ("api-key", "sk" + "-" + alnum(48)),
    ("huggingface-token", "hf" + "_" + alnum(34)),
    ("replicate-token", "r8" + "_" + alnum(37)),
    ("groq-key", "gs" + "k_" + alnum(52)),
    ("xai-key", "xa" + "i-" + alnum(80)),
    ("perplexity-key", "pp" + "lx-" + alnum(48)),
    ("nvidia-key", "nv" + "api-" + alnum(64)),
    ("langsmith-key", "ls" + "v2_pt_" + hexa(32) + "_" + hexa(10)),
    ("linear-key", "lin" + "_api_" + alnum(40)),
    ("notion-token", "nt" + "n_" + "74839201563" + alnum(35)),
    ("notion-token", "sec" + "ret_" + alnum(43)),
    ("postman-key", "PM" + "AK-" + hexa(24) + "-" + hexa(34)),
    ("figma-token", "fi" + "gd_" + alnum(43)),
    ("hubspot-token", "pa" + "t-na1-" + uuid()),
    ("contentful-token", "CF" + "PAT-" + alnum(43)),
    ("mapbox-token", "sk" + ".eyJ" + alnum(60) + "." + alnum(22)),
    ("jwt", jwt()),
    ("password-hash", "$2" + "y$10$" + alnum(53)),
    ("password-hash", "$6" + "$" + alnum(16) + "$" + alnum(86)),
    ("password-hash", "$apr" + "1$" + alnum(8) + "$" + alnum(22)),
    ("password-hash", "$" + "y$j9T$" + alnum(22) + "$" + alnum(43)),
    ("password-hash", "$argon" + "2id$v=19$m=65536,t=3,p=4$" + alnum(22) + "$" + alnum(43)),
]
