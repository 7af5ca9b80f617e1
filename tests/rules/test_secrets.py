"""Every token here is generated, and built from pieces: nothing in this file looks like a credential to a scanner."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from secret_samples import TOKENS, VAGRANT, age, alnum, github, hexa, jwt, pem, uuid

from hardener.finding import Confidence, Severity
from hardener.rules.secrets import Secret, formats, values
from hardener.rules.secrets.detect import judge, scan


def only(text: str) -> Secret:
    found = list(scan(text))
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(("kind", "token"), TOKENS, ids=[f"{kind}-{index}" for index, (kind, _) in enumerate(TOKENS)])
def test_a_token_is_found_wherever_it_stands(kind: str, token: str) -> None:
    for around in ("{}", "RUN x --flag {} && y", 'a: "{}"', "\\n{}\\n", "https://x.io/?k={}&y", "({}),", "x={}&y"):
        text = around.format(token)
        found = [secret for secret in scan(text) if secret.kind == kind]
        assert [text[secret.start : secret.end] for secret in found] == [token]
        assert found[0].confidence >= Confidence.MEDIUM


def test_every_format_has_an_example() -> None:
    elsewhere = {
        *("aws-key-id", "azure-storage-key", "azure-access-key", "azure-sas", "databricks-token", "slack-webhook", "discord-webhook"),
        *("teams-webhook", "private-key", "url-password", "bearer-token", "basic-credentials"),
    }
    assert {form.kind for form in formats.FORMATS} == {kind for kind, _ in TOKENS} | elsewhere


@pytest.mark.parametrize(("kind", "token"), TOKENS, ids=[f"{kind}-{index}" for index, (kind, _) in enumerate(TOKENS)])
def test_a_piece_of_a_longer_word_is_no_token(kind: str, token: str) -> None:
    if token[0].isalnum():
        assert kind not in {secret.kind for secret in scan("x" + token)}


@pytest.mark.parametrize("token", [github("gh" + "p")[:-1] + "!", ("np" + "m_") + alnum(36), ("gl" + "sa_") + alnum(32) + "_00000001"])
def test_a_wrong_checksum_is_an_example(token: str) -> None:
    assert all((secret.confidence, secret.severity) == (Confidence.LOW, Severity.LOW) for secret in scan(token))


def test_a_wrong_bech32_checksum_is_an_example() -> None:
    token = age()
    wrong = token[:-1] + ("Q" if token[-1] != "Q" else "P")
    assert only(wrong).confidence is Confidence.LOW


TEAMS = f"https://c.webhook.office.com/webhookb2/{uuid()}@{uuid()}/IncomingWebhook/{hexa(32)}/{uuid()}"
CASES = [
    ("aws-key-id", "AK" + "IA2OGYBAH6STMMNXNN", "AK" + "IA2OGYBAH6STMMNXNN", Severity.LOW),
    ("azure-storage-key", "AccountName=x;AccountKey=" + alnum(86) + "==;", None, Severity.CRITICAL),
    ("azure-access-key", "Endpoint=sb://x/;SharedAccessKey=" + alnum(43) + "=", None, Severity.HIGH),
    ("azure-sas", "https://x/y?sv=2024-01-01&se=2027-01-01&sr=b&sig=" + alnum(43) + "%3D", None, Severity.HIGH),
    ("databricks-token", "DATABRICKS_TOKEN=da" + "pi" + hexa(32), None, Severity.HIGH),
    ("slack-webhook", "curl https://hooks.slack.com/services/T" + alnum(10) + "/B" + alnum(10) + "/" + alnum(24), None, Severity.MEDIUM),
    ("discord-webhook", "https://discord.com/api/webhooks/112233445566778899/" + alnum(68), None, Severity.MEDIUM),
    ("teams-webhook", TEAMS, None, Severity.MEDIUM),
    ("bearer-token", 'curl -H "Authorization: Bearer ' + alnum(40) + '" https://x', None, Severity.HIGH),
    ("basic-credentials", "Authorization: Basic " + b64encode(b"me:Xy9pQ2rT").decode(), None, Severity.HIGH),
    ("basic-credentials", '{"auths": {"r": {"auth": "' + b64encode(b"me:Xy9pQ2rT").decode() + '"}}}', None, Severity.HIGH),
    ("url-password", "git clone https://me:Xy9pQ2rT@git.corp/x", "Xy9pQ2rT", Severity.HIGH),
    ("url-password", "redis://:Xy9pQ2rT@redis:6379/0", "Xy9pQ2rT", Severity.HIGH),
    ("url-password", "pip install --extra-index-url https://me:Xy9pQ2rT@pypi.corp/simple x", "Xy9pQ2rT", Severity.HIGH),
    ("url-password", "mysql+pymysql://root:whalehello@db:3306/x", "whalehello", Severity.HIGH),
    ("url-password", "postgres://postgres:postgres@db/x", "postgres", Severity.MEDIUM),
    ("stripe-key", "sk" + "_test_" + (stripe_test := alnum(24)), "sk" + "_test_" + stripe_test, Severity.LOW),
    ("private-key", pem(), None, Severity.CRITICAL),
    ("private-key", pem(""), None, Severity.CRITICAL),
    ("private-key", pem("EC ", newline="\\n"), None, Severity.CRITICAL),
    ("private-key", pem("ENCRYPTED "), None, Severity.MEDIUM),
    ("private-key", pem("RSA ", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n" + alnum(200)), None, Severity.MEDIUM),
    ("private-key", pem("OPENSSH ", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU" + alnum(200)), None, Severity.CRITICAL),
    ("private-key", pem("OPENSSH ", "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni" + alnum(200)), None, Severity.MEDIUM),
    ("private-key", pem("RSA ", VAGRANT + alnum(200)), None, Severity.LOW),
    ("private-key", pem("PGP ", "Version: 1\n\n" + alnum(200)).replace("KEY-", "KEY BLOCK-"), None, Severity.CRITICAL),
    ("private-key", "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: x\nPrivate-Lines: 14\nAAAA", None, Severity.CRITICAL),
    ("private-key", "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: aes256-cbc\nComment: x\nPrivate-Lines: 14\nAAAA", None, Severity.MEDIUM),
    ("jwt", jwt(payload='{"iss":"supabase","role":"anon"}'), None, Severity.LOW),
    ("jwt", jwt(payload='{"iss":"supabase-demo","role":"service_role"}'), None, Severity.MEDIUM),
    ("jwt", jwt(payload='{"iss":"supabase","role":"service_role"}'), None, Severity.HIGH),
    ("aws-secret-key", "aws configure set aws_secret_access_key " + (aws := alnum(39) + "/"), aws, Severity.HIGH),
    ("aws-secret-key", f'{{"SecretAccessKey": "{aws}"}}', aws, Severity.HIGH),
    ("aws-secret-key", f"[default]\naws_secret_access_key = {aws}\n", aws, Severity.HIGH),
    ("npm-token", "//registry.npmjs.org/:_authToken=" + (npm := uuid()), npm, Severity.HIGH),
    ("password", "curl -u admin:Xy9pQ2rT https://x", "Xy9pQ2rT", Severity.HIGH),
    ("password", "echo 'root:Xy9pQ2rT' | chpasswd", "Xy9pQ2rT", Severity.HIGH),
    ("password", "chpasswd <<< root:Xy9pQ2rT", "Xy9pQ2rT", Severity.HIGH),
    ("password", "sshpass -p Xy9pQ2rT ssh x", "Xy9pQ2rT", Severity.HIGH),
    ("password", "mysql -u root -pXy9pQ2rT -e x", "Xy9pQ2rT", Severity.HIGH),
    ("password", "docker login -u me -p Xy9pQ2rT reg", "Xy9pQ2rT", Severity.HIGH),
    ("password", "printf 'machine x login me password Xy9pQ2rT' > ~/.netrc", "Xy9pQ2rT", Severity.HIGH),
    ("password", "[pypi]\nusername = me\npassword = Xy9pQ2rT\n", "Xy9pQ2rT", Severity.HIGH),
    ("password", "spring.datasource.password=Xy9pQ2rT", "Xy9pQ2rT", Severity.HIGH),
    ("password", "Server=db;User Id=sa;Password=Xy9pQ2rT!;Encrypt=yes", "Xy9pQ2rT!", Severity.HIGH),
    ("password", "Server=db;Uid=sa;Pwd=Xy9pQ2rT!;", "Xy9pQ2rT!", Severity.HIGH),
    ("password", "java -Djavax.net.ssl.keyStorePassword=Xy9pQ2rT -jar x", "Xy9pQ2rT", Severity.HIGH),
    ("password", "app --db-password=Xy9pQ2rT run", "Xy9pQ2rT", Severity.HIGH),
    ("password", "app --db-password 'Xy9pQ2rT' run", "Xy9pQ2rT", Severity.HIGH),
    ("password", "PGPASSWORD=Xy9pQ2rT psql", "Xy9pQ2rT", Severity.HIGH),
    ("password", "environment:\n  DB_PASSWORD: Xy9pQ2rT # x\n", "Xy9pQ2rT", Severity.HIGH),
    ("weak-password", "  - POSTGRES_PASSWORD=gitea\n", "gitea", Severity.MEDIUM),
    ("secret", 'curl -H "X-Api-Key: ' + (key := hexa(40)) + '" https://x', key, Severity.HIGH),
    ("secret", "https://x/api?apikey=" + key + "&t=1", key, Severity.HIGH),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "secret", "severity"), CASES, ids=[f"{case[0]}-{index}" for index, case in enumerate(CASES)])
def test_scan_finds(kind: str, text: str, secret: str | None, severity: Severity) -> None:
    found = only(text)
    assert (found.kind, found.severity) == (kind, severity)
    if secret is not None:
        assert text[found.start : found.end] == secret


def test_the_span_of_a_key_is_the_whole_block() -> None:
    key = pem("EC ", newline="\\n")
    text = f'{{"private_key": "{key}\\n", "type": "service_account"}}'
    found = only(text)
    assert text[found.start : found.end] == key


@pytest.mark.parametrize("end", ["", "\n-----END RSA PRIVATE KEY", " \n\n"])
def test_a_key_without_its_end_goes_as_far_as_its_letters(end: str) -> None:
    key = pem().rpartition("\n")[0]
    found = only(key + end)
    assert (found.start, found.end) == (0, len(key))


def test_findings_come_in_order_and_do_not_overlap() -> None:
    text = f"A_TOKEN={github('gh' + 'p')} postgres://u:Xy9pQ2rT@h DB_PASSWORD=Zz8kL3mN"
    assert [secret.kind for secret in scan(text)] == ["github-token", "url-password", "password"]


SILENT_TEXTS = [
    "apt-get install -y libcrypto3=3.1.4 && echo access.log=x",
    "git clone https://oauth2:${TOKEN}@gitlab.com/x",
    "git clone https://oauth2:$TOKEN@gitlab.com/x",
    "git clone https://x-access-token:TOKEN@github.com/x",
    "curl https://user:password@example.com/",
    "curl http://localhost:8080/x@y",
    "git clone ssh://git@host:22/x && git clone git@host:x/y",
    "docker pull docker://nginx:1.27@sha256:" + hexa(64),
    'curl -H "Authorization: Bearer $TOKEN" https://x',
    "curl -u $USER:$PASS https://x",
    "curl -u user:password https://x",
    "docker run -u 1000:1000 x",
    "mysql -u root -p$MYSQL_ROOT_PASSWORD && mysqladmin ping -uroot",
    "docker login -u me --password-stdin",
    "docker build --secret id=token,src=x .",
    "RUN --mount=type=secret,id=token cat /run/secrets/token",
    "//registry.npmjs.org/:_authToken=${NPM_TOKEN}",
    "PASSWORD=$(cat /run/secrets/x) app",
    "password = args.password",
    "password = getpass.getpass()",
    "connect(password=db_password, token=token)",
    "connect(password=getpass_unicode)",
    'api_token = response["Token"]',
    "password: string",
    "token: str = None",
    'f"password={password}"',
    "key: value",
    "# The token: see the documentation",
    "password: the user's password",
    'grep -q "BEGIN RSA PRIVATE KEY" f',
    "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PUBLIC KEY-----\n" + alnum(200) + "\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\n" + alnum(200) + "\n-----END CERTIFICATE-----",
    "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\n",
    "ghp_" + "x" * 36,
    "sk" + "_test_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "AK" + "IAIOSFODNN7EXAMPLE",
    "AK" + "IA" + "X" * 16,
    jwt(payload='{"sub":"1234567890","name":"John Doe","iat":1516239022}'),
    jwt(header='{"typ":"JWT"}'),
    jwt(header='{"alg":1}'),
    "DISCORD_TOKEN_ID=M" + alnum(24) + "." + alnum(6) + "." + alnum(38),
    "eyJhbGciOi.eyJhbGciOi.x",
    "Basic authentication, Bearer authentication",
    "Basic " + b64encode(b"no colon in it").decode(),
    "pk" + "_live_" + alnum(24),
    "?sig=" + alnum(43) + "%3D",
    "integrity: sha512-" + alnum(86) + "==",
    '"resolved": "https://x/y.tgz#' + hexa(40) + '"',
    "task-" + alnum(20),
    "s." + alnum(24),
    "----------------------------------------",
    '"NextToken": "' + alnum(60) + '"',
    "disk-" + hexa(40),
]  # fmt: skip


@pytest.mark.parametrize("text", SILENT_TEXTS)
def test_scan_is_silent(text: str) -> None:
    assert list(scan(text)) == []


HIGH, MEDIUM, LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW


@pytest.mark.parametrize(
    ("name", "value", "confidence"),
    [
        ("DB_PASSWORD", "Tr0ub4dor&3", HIGH),
        ("DB_PASSWORD", '"Tr0ub4dor&3"', HIGH),
        ("DB_PASSWORD", "correcthorse", MEDIUM),
        ("DB_PASSWORD", "postgres", LOW),
        ("MYSQL_ROOT_PASSWORD", "12345", LOW),
        ("LDAP_ROOTPASS", "fsociety", MEDIUM),
        ("JWT_SECRET", "secret", LOW),
        ("SECRET_KEY", "mysecret", LOW),
        ("API_KEY", hexa(40), HIGH),
        ("SECRET_KEY_BASE", hexa(128), HIGH),
        ("API_TOKEN", "aB3dE5", MEDIUM),
        ("RABBITMQ_ERLANG_COOKIE", "SWQOKODSQALRPCLNMEQG", HIGH),
        ("LDAP_AUTH", "admin:Tr0ub4dor&3", HIGH),
        ("REGISTRY_AUTH", b64encode(b"me:Xy9pQ2rT").decode(), HIGH),
        ("STRIPE_KEY", alnum(30), MEDIUM),
        ("AWS_SECRET_ACCESS_KEY", alnum(39) + "+", HIGH),
        ("HEROKU_API_KEY", uuid(), HIGH),
        ("TWILIO_AUTH_TOKEN", hexa(32), HIGH),
        ("DD_API_KEY", hexa(32), HIGH),
        ("APP_KEY", "base64:" + alnum(43) + "=", HIGH),
        ("DISCORD_TOKEN", "M" + b64encode(b"12345678901234567")[1:].decode().rstrip("=") + "." + alnum(6) + "." + alnum(38), HIGH),
        ("DATABASE_URL", "postgres://u:s3cr3tPw@db:5432/x", HIGH),
        ("JAVA_OPTS", "-Xmx1g -Dapi.password=Xy7pQ9zz", HIGH),
        ("GIT_AUTH_HEADER", "Authorization: Bearer " + alnum(40), MEDIUM),
        ("AWS_ACCESS_KEY_ID", "AK" + "IA2OGYBAH6STMMNXNN", MEDIUM),
        ("ANYTHING", github("gh" + "p"), HIGH),
    ],
)
def test_judge_finds(name: str, value: str, confidence: Confidence) -> None:
    found = judge(value, name=name)
    assert found is not None
    assert found.confidence is confidence
    assert 0 <= found.start < found.end <= len(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # filled in elsewhere
        ("DB_PASSWORD", ""),
        ("DB_PASSWORD", "''"),
        ("DB_PASSWORD", "${DB_PASSWORD}"),
        ("DB_PASSWORD", "$DB_PASSWORD"),
        ("DB_PASSWORD", "prefix-${X}"),
        ("DB_PASSWORD", "$(cat /run/secrets/x)"),
        ("DB_PASSWORD", "`cat x`"),
        ("DB_PASSWORD", "{{ vault_password }}"),
        ("DB_PASSWORD", "{{DB_PASSWORD}}"),
        ("DB_PASSWORD", "<password>"),
        ("DB_PASSWORD", "%DB_PASSWORD%"),
        ("DB_PASSWORD", "@DB_PASSWORD@"),
        ("DB_PASSWORD", "__DB_PASSWORD__"),
        ("DB_PASSWORD", "/run/secrets/db"),
        ("DB_PASSWORD", "file:/run/secrets/db"),
        ("DB_PASSWORD", "op://vault/item/field"),
        ("DB_PASSWORD", "arn:aws:secretsmanager:eu-west-1:1:secret:x"),
        ("DB_PASSWORD", "ENC[AES256_GCM,data:x]"),
        ("DB_PASSWORD_FILE", "Tr0ub4dor&3"),
        ("PASSWORD_FILE", "/run/secrets/db"),
        # placeholders
        ("DB_PASSWORD", "changeme"),
        ("DB_PASSWORD", "CHANGE_ME"),
        ("DB_PASSWORD", "please-change-me"),
        ("DB_PASSWORD", "changeme123"),
        ("DB_PASSWORD", "your-password-here"),
        ("DB_PASSWORD", "xxxxxxxx"),
        ("DB_PASSWORD", "********"),
        ("DB_PASSWORD", "example"),
        ("API_KEY", "your_api_key"),
        ("API_KEY", "<api-key>"),
        ("API_KEY", "INSERT_YOUR_KEY"),
        ("API_KEY", "replace-with-real-key"),
        ("SECRET_KEY_BASE", "dummy"),
        ("SECRET_KEY", "not-used"),
        ("SECRET_KEY", "build-time-only"),
        ("CLIENT_SECRET", "CLIENT_SECRET"),
        ("TOKEN", "GITHUB_TOKEN"),
        ("NPM_TOKEN", "00000000-0000-0000-0000-000000000000"),
        # settings about secrets
        ("TOKEN_EXPIRY", "3600"),
        ("PASSWORD_POLICY", "strict"),
        ("PASSWORD_MIN_LENGTH", "12"),
        ("KMS_KEY_ALIAS", "alias/x"),
        ("GOPASS_VERSION", "1.15.13"),
        ("AUTH_TYPE", "basic"),
        ("AUTH", "basic"),
        ("SECRET_NAME", "app-db"),
        ("KEYCLOAK_VERSION", "24.0.1"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("MAX_TOKENS", "4096"),
        ("API_TOKEN", "3600"),
        ("API_TOKEN", "30d"),
        ("API_TOKEN", "jwt"),
        ("API_TOKEN", "^4.0.0"),
        ("API_TOKEN", "true"),
        ("SECRET", "x"),
        ("PASSWORD", "true"),
        ("MYSQL_ALLOW_EMPTY_PASSWORD", "yes"),
        ("MYSQL_RANDOM_ROOT_PASSWORD", "1"),
        ("PASSWORD_HINT", "the name of the first cat"),
        ("PASSWORD", "must be at least eight characters"),
        ("PASSWORD", "com.example.Encoder"),
        ("ADMIN_KEY", "secp384r1.pem"),
        ("SSH_KEY", "~/.ssh/id_rsa"),
        ("TOKEN_URL", "https://x/token"),
        ("API_TOKEN", "https://x/token"),
        ("API_KEY", "2026-11-24T10:00:00Z"),
        ("PATH", "/usr/local/sbin:/usr/local/bin"),
        ("PWD", "/src"),
        # public
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D"),
        ("GPG_KEYS", hexa(40) + " " + hexa(40)),
        ("NGINX_KEY", "0x" + hexa(16)),
        ("SIGNING_KEY", "A035 C8C1 9219 BA82 1ECE A86B 64E6 28F8 D684 696D"),
        ("RELEASE_KEY", uuid()),
        ("NODE_SHA256", hexa(64)),
        ("GIT_COMMIT", hexa(40)),
        ("CHECKSUM", "sha256:" + hexa(64)),
        ("SECRET", "sha256:" + hexa(64)),
        ("DEPLOY_KEY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + alnum(43) + " me@x"),
        ("PUBLIC_KEY", alnum(64)),
        ("NEXT_PUBLIC_MAPBOX_TOKEN", alnum(64)),
        ("CACHE_KEY", alnum(40)),
        ("S3_KEY", "builds/releases/artifact.zip"),
        ("SETTING_KEY", "fs.s3.consistent.retryPeriodSeconds"),
        ("PART_KEY", "ROCKET_LAUNCHER_0001"),
        # examples that everybody knows
        ("AWS_ACCESS_KEY_ID", "AK" + "IAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPx" + "RfiCYEXAMPLEKEY"),
        ("DATABASE_URL", "postgres://db/x"),
        ("DATABASE_URL", "postgres://user:${PW}@db/x"),
        ("DATABASE_URL", "postgres://user:<password>@db/x"),
    ],
)
def test_judge_is_silent(name: str, value: str) -> None:
    assert judge(value, name=name) is None


def test_a_discord_token_without_a_bot_is_any_secret() -> None:
    for size in range(22, 29):
        found = judge("M" + alnum(size) + "." + alnum(6) + "." + alnum(38), name="DISCORD_TOKEN")
        assert found is not None
        assert found.kind == "secret"


def test_a_placeholder_in_force_is_the_password() -> None:
    assert judge("changeme", name="DB_PASSWORD") is None
    found = judge("changeme", name="DB_PASSWORD", in_force=True)
    assert found is not None
    assert (found.kind, found.confidence) == ("weak-password", MEDIUM)


def test_a_weak_password_in_force_is_surer() -> None:
    found = judge("gitea", name="POSTGRES_PASSWORD", in_force=True)
    assert found is not None
    assert found.confidence is MEDIUM


def test_judge_says_where_the_secret_stands() -> None:
    value = " 'Tr0ub4dor&3' "
    found = judge(value, name="DB_PASSWORD")
    assert found is not None
    assert value[found.start : found.end] == "Tr0ub4dor&3"


def test_the_account_of_an_aws_key_is_named() -> None:
    assert "account 7178" not in only("AK" + "IA2OGYBAH6STMMNXNN").why
    assert "of account 609629065308" in only("AS" + "IAY34FZKBOKMUTVV7A").why  # published with the decoding


@pytest.mark.parametrize("value", ["", "short", "Tr0ub4dor&3", github("gh" + "p"), "x" * 500])
def test_redact_never_shows_the_secret(value: str) -> None:
    shown = values.redact(value)
    assert f"({len(value)} characters)" in shown
    assert len(shown.partition("…")[0]) <= min(4, len(value) // 5)


@pytest.mark.parametrize(
    "unit",
    [
        "token=",
        "eyJ",
        "-eyJ",
        ".eyJ" + "a" * 20,
        'password="',
        "password='x\\",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----AAAAAAAAAAAAAA",
        "sk-",
        "glpat-",
        "curl ",
        "mysql -",
        "machine ",
        "login ",
        "root:x ",
        "a",
        "A",
        "1.2a",
        "://",
        "://a:",
        "a://b:c",
        "--token ",
        "--a-b-c-d-",
        "password: a-",
        "aA1-",
        "<{[(",
        "%a",
        "ab.",
        "your ",
    ],
)
def test_repetition_is_read_through(unit: str) -> None:
    # Anything worse than linear in this length would hold up the whole run; no clock is needed to notice.
    text = unit * (120_000 // len(unit))
    assert all(0 <= secret.start < secret.end <= len(text) for secret in scan(text))
    for found in (judge(text, name="DB_PASSWORD"), judge("1." + text + "!", name="SOME_KEY")):
        assert found is None or found.end <= len(text) + 3


@given(st.text(st.sampled_from("abAB019_-.:=/@\"'`$ {}\n\\~+<>|")), st.sampled_from(["", "DB_PASSWORD", "API_KEY", "X_AUTH", "SOME_KEY"]))
def test_any_text_is_judged(text: str, name: str) -> None:
    last = 0
    for secret in scan(text):
        assert last <= secret.start < secret.end <= len(text)
        last = secret.end
    found = judge(text, name=name)
    assert found is None or 0 <= found.start < found.end <= len(text)
