"""Files that keep credentials, each in its own way; nothing here is a real one, and no line looks like one to a scanner."""

import json
from base64 import b64encode

import pytest
from secret_samples import alnum, hexa, pem, uuid

from hardener.finding import Severity
from hardener.rules.secrets.contents import Hit, inspect
from hardener.rules.secrets.files import places
from hardener.rules.secrets.files.table import KEEPERS, keeper_of

PW = "Xy9p" + "Q2rT"
TOKEN = alnum(40)
B64 = b64encode(f"me:{PW}".encode()).decode()
KEY64 = b64encode(pem().encode()).decode()
AWS = alnum(39) + "/"


def only(path: str, text: str) -> tuple[Hit, str]:
    hits = inspect(path, text.encode())
    assert len(hits) == 1, hits
    return hits[0], text[hits[0].start : hits[0].end]


CASES = [
    ("root/.npmrc", f"//registry.corp/:_authToken={TOKEN}\n", TOKEN),
    ("root/.npmrc", f"registry=https://npm.corp/\n_auth = {B64}\n", B64),
    ("root/.npmrc", f"//npm.corp/:_password={b64encode(PW.encode()).decode()}\n", None),
    ("root/.yarnrc.yml", f'npmRegistries:\n  "//npm.corp":\n    npmAuthToken: "{TOKEN}"\n', TOKEN),
    ("root/.pypirc", f"[corp]\nusername: me\npassword: {PW}\n", PW),
    ("etc/pip.conf", f"[global]\nextra-index-url = https://me:{PW}@pypi.corp/simple\n", PW),
    ("app/requirements.txt", f"--index-url https://me:{PW}@pypi.corp/simple\nflask\n", PW),
    ("root/.gem/credentials", f"---\n:corp_key: {TOKEN}\n", TOKEN),
    ("root/.bundle/config", f'---\nBUNDLE_GEMS__CORP: "me:{PW}"\n', f"me:{PW}"),
    ("root/.cargo/credentials.toml", f'[registries.corp]\ntoken = "{TOKEN}"\n', TOKEN),
    ("app/NuGet.Config", f'<add key="ClearTextPassword" value="{PW}" />', PW),
    ("root/.m2/settings.xml", f"<server><id>x</id><password>{PW}</password></server>", PW),
    ("root/.gradle/gradle.properties", f"corpPassword={PW}\n", PW),
    ("root/.composer/auth.json", json.dumps({"github-oauth": {"github.com": TOKEN}}), TOKEN),
    ("root/.composer/auth.json", json.dumps({"http-basic": {"repo.corp": {"username": "me", "password": PW}}}), PW),
    ("root/.git-credentials", f"https://me:{PW}@git.corp\n", PW),
    ("root/.git-credentials", f"https://{TOKEN}@git.corp\n", TOKEN),
    ("app/.git/config", f'[remote "origin"]\n\turl = https://me:{PW}@git.corp/x.git\n', PW),
    ("root/.config/gh/hosts.yml", f"github.com:\n    oauth_token: {TOKEN}\n    user: me\n", TOKEN),
    ("root/.config/glab-cli/config.yml", f"hosts:\n  gitlab.corp:\n    token: {TOKEN}\n", TOKEN),
    ("root/.netrc", f"machine git.corp\n  login me\n  password {PW}\n", PW),
    ("root/.docker/config.json", json.dumps({"auths": {"registry.corp": {"auth": B64}}}), B64),
    ("root/.dockercfg", json.dumps({"registry.corp": {"auth": B64, "email": "me@corp"}}), B64),
    ("root/.docker/config.json", json.dumps({"auths": {"r": {"identitytoken": TOKEN}}}), TOKEN),
    ("root/.kube/config", f"users:\n- name: me\n  user:\n    token: {TOKEN}\n", TOKEN),
    ("root/.kube/config", f"users:\n- name: me\n  user:\n    client-key-data: {KEY64}\n", KEY64),
    ("var/run/secrets/kubernetes.io/serviceaccount/token", TOKEN, TOKEN),
    ("root/.aws/credentials", f"[default]\naws_access_key_id = x\naws_secret_access_key = {AWS}\n", AWS),
    ("root/.s3cfg", f"secret_key = {AWS}\n", AWS),
    ("root/.config/gcloud/application_default_credentials.json", json.dumps({"client_id": "x", "refresh_token": TOKEN}), TOKEN),
    ("root/.azure/msal_token_cache.json", json.dumps({"RefreshToken": {"a": {"secret": TOKEN}}}), TOKEN),
    ("root/.azure/accessTokens.json", json.dumps([{"refreshToken": TOKEN}]), TOKEN),
    ("root/.config/doctl/config.yaml", f"access-token: {TOKEN}\n", TOKEN),
    ("root/.fly/config.yml", f"access_token: {TOKEN}\n", TOKEN),
    ("root/.oci/config", f"[DEFAULT]\nuser=x\npass_phrase={PW}\n", PW),
    ("root/.passwd-s3fs", f"AKID:{AWS}\n", AWS),
    ("srv/terraform.tfstate", json.dumps({"attributes": {"name": "db", "master_password": PW}}), PW),
    ("root/.terraform.d/credentials.tfrc.json", json.dumps({"credentials": {"app.terraform.io": {"token": TOKEN}}}), TOKEN),
    ("root/.terraformrc", f'credentials "x" {{\n  token = "{TOKEN}"\n}}\n', TOKEN),
    ("srv/prod.tfvars", f'db_password = "{PW}"\n', PW),
    ("root/.vault-token", TOKEN + "\n", TOKEN),
    ("root/.vault_pass", PW + "\n", PW),
    ("app/config/master.key", (MASTER := hexa(32)), MASTER),
    ("root/.ngrok2/ngrok.yml", f"authtoken: {TOKEN}\n", TOKEN),
    ("root/.config/rclone/rclone.conf", f"[s3]\ntype = s3\nsecret_access_key = {AWS}\n", AWS),
    ("etc/wireguard/wg0.conf", f"[Interface]\nPrivateKey = {alnum(43)}=\n", None),
    ("etc/client.ovpn", "-----BEGIN OpenVPN Static key V1-----\n" + "".join(hexa(32) + "\n" for _ in range(16)), None),
    ("etc/wpa_supplicant.conf", f'network={{\n  ssid="x"\n  psk="{PW}"\n}}\n', PW),
    ("root/.pgpass", f"db:5432:app:me:{PW}\n", PW),
    ("root/.pgpass", f"# host:port\ndb:5432:*:m\\:e:{PW}\n", PW),
    ("root/.my.cnf", f"[client]\nuser = root\npassword = {PW}\n", PW),
    ("etc/redis/redis.conf", f"bind 0.0.0.0\nrequirepass {PW}\n", PW),
    ("etc/msmtprc", f"account x\npassword {PW}\n", PW),
    ("etc/postfix/sasl_passwd", f"[smtp.corp]:587 me@corp:{PW}\n", PW),
    ("etc/ppp/chap-secrets", f'# client server secret\nme * "{PW}" *\n', PW),
    ("opt/tomcat/conf/tomcat-users.xml", f'<user username="me" password="{PW}" roles="manager-gui"/>', PW),
    ("root/.config/filezilla/sitemanager.xml", f'<Pass encoding="base64">{B64}</Pass>', B64),
    ("root/.smbcredentials", f"username=me\npassword={PW}\n", PW),
    ("var/www/html/wp-config.php", f"<?php\ndefine( 'DB_PASSWORD', '{PW}' );\n", PW),
    ("var/www/html/configuration.php", f"<?php class JConfig {{ public $password = '{PW}'; }}", PW),
    ("var/www/html/LocalSettings.php", f'$wgDBpassword = "{PW}";\n', PW),
    ("app/.env", f"DEBUG=1\nDB_PASSWORD={PW}\n", PW),
    ("app/.env.production", f"export API_TOKEN='{TOKEN}'\n", TOKEN),
    ("app/config/database.yml", f"production:\n  adapter: postgresql\n  password: {PW}\n", PW),
    ("app/main.py", f"def login(user, password='{PW}'):\n    token = request.token\n", PW),
    ("app/settings.py", f"SECRET_KEY = '{TOKEN}'\n", TOKEN),
    ("app/settings.py", f"DATABASES = {{'default': {{'PASSWORD': '{PW}'}}}}\n", PW),
    ("app/appsettings.json", json.dumps({"Main": f"Server=db;User Id=sa;Password={PW};Encrypt=yes"}), PW),
    ("app/application.properties", f"spring.datasource.password={PW}\n", PW),
    ("root/.bash_history", f"ls\nmysql -u root -p{PW} x\n", PW),
    ("root/.zsh_history", f": 1700000000:0;curl -u me:{PW} https://x.corp\n", PW),
    ("root/.ssh/id_ed25519", pem("OPENSSH ", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU" + alnum(200)), None),
    ("etc/nginx/server.key", pem(), None),
    ("srv/sa.json", json.dumps({"type": "service_account", "client_email": "a@b.iam", "private_key": pem(newline="\n")}), None),
    ("etc/shadow", f"root:$6${alnum(16)}${alnum(86)}:19000:0:99999:7:::\ndaemon:*:1::::::\n", None),
    ("etc/nginx/.htpasswd", f"me:$apr1${alnum(8)}${alnum(22)}\n", None),
    ("etc/nginx/.htpasswd", "me:{SHA}" + alnum(27) + "=\n", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "secret"), CASES, ids=[f"{case[0].rpartition('/')[2]}-{at}" for at, case in enumerate(CASES)])
def test_a_file_gives_its_credential(path: str, text: str, secret: str | None) -> None:
    hit, found = only(path, text)
    if secret is not None:
        assert found == secret
    assert hit.line == text[: hit.start].count("\n") + 1
    assert found not in hit.shown


SILENT = [
    ("root/.npmrc", "//registry.corp/:_authToken=${NPM_TOKEN}\nregistry=https://npm.corp/\n"),
    ("root/.pypirc", "[pypi]\nusername = __token__\n"),
    ("etc/pip.conf", "[global]\nindex-url = https://pypi.corp/simple\n"),
    ("root/.docker/config.json", json.dumps({"auths": {"registry.corp": {}}, "credsStore": "pass"})),
    ("root/.kube/config", "users:\n- name: me\n  user:\n    exec: {command: aws}\n"),
    ("root/.aws/config", "[default]\nregion = eu-west-1\n"),
    ("root/.pgpass", "#db:5432:app:me:secret\n"),
    ("root/.m2/settings.xml", "<password>{COQLCE6DU6GtcS5P=}</password><password>${env.PW}</password>"),
    ("srv/terraform.tfstate", json.dumps({"password_length": "16", "name": "x", "token_url": "https://x/y"})),
    ("var/www/html/wp-config.php", "define( 'DB_PASSWORD', getenv('PW') );\ndefine('AUTH_KEY', 'put your unique phrase here');"),
    ("etc/shadow", "root:*:19000:0:99999:7:::\nme:!:1::::::\nyou:!!:1::::::\n"),
    ("etc/nsswitch.conf", "passwd:         files systemd\nshadow:         files\n"),
    ("etc/redis/redis.conf", "# requirepass foobared\n"),
    ("app/config/master.key", "see 1Password"),
    ("app/.env", "DB_PASSWORD=${DB_PASSWORD}\nTOKEN_EXPIRY=3600\nAPI_TOKEN=changeme\n"),
    ("app/package-lock.json", json.dumps({"integrity": "sha512-" + alnum(86) + "==", "resolved": "https://x/y.tgz#" + hexa(40)})),
    ("app/page.html", f'<script integrity="sha384-{alnum(64)}" src="x"></script>'),
    ("app/commits.txt", "\n".join(hexa(40) for _ in range(50))),
    ("app/ids.yaml", "\n".join(f"id: {uuid()}" for _ in range(50))),
    ("app/keys.yaml", "aws_access_key_id: AK" + "IAIOSFODNN7EXAMPLE\naws_secret_access_key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"),
    ("app/main.py", "def login(user, password='postgres'):\n    token = request.token\n    key = secret.key\n"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text"), SILENT, ids=[f"{case[0].rpartition('/')[2]}-{at}" for at, case in enumerate(SILENT)])
def test_a_file_without_credentials_is_silent(path: str, text: str) -> None:
    assert [hit.secret for hit in inspect(path, text.encode())] == []


def test_every_end_is_lower_case_and_found() -> None:
    assert [end for end in KEEPERS if end != end.lower() or keeper_of("root" + end) is not KEEPERS[end]] == []
    assert keeper_of("root/.npmrc.md") is None
    assert keeper_of(".npmrc") is KEEPERS["/.npmrc"]
    assert keeper_of("x.npmrc") is None


@pytest.mark.parametrize(
    ("path", "data", "kind", "severity"),
    [
        ("app/key.jks", b"\xfe\xed\xfe\xed\0\0\0\2" + bytes(50), "keystore", Severity.LOW),
        ("app/server.p12", bytes.fromhex("308209c9020103308209") + bytes(50), "keystore", Severity.LOW),
        ("app/x.kdbx", b"\x03\xd9\xa2\x9a" + bytes(50), "keystore", Severity.MEDIUM),
        ("etc/krb5.keytab", b"\x05\x02\0\0\0\x50" + bytes(50), "keytab", Severity.HIGH),
        ("app/server.key", bytes.fromhex("308204be020100300d06092a864886f70d010101") + bytes(50), "private-key", Severity.CRITICAL),
        ("root/.gnupg/secring.gpg", b"\x95\x03\0" + bytes(50), "private-key", Severity.MEDIUM),
    ],
)
def test_a_keystore_is_known_by_its_first_bytes(path: str, data: bytes, kind: str, severity: Severity) -> None:
    (hit,) = inspect(path, data)
    assert (hit.secret.kind, hit.secret.severity, hit.line, hit.shown) == (kind, severity, 0, "")


@pytest.mark.parametrize("path", ["usr/lib/jvm/lib/security/cacerts", "app/truststore.jks", "app/readme.txt", "app/x.bin"])
def test_certificates_of_others_are_no_keystore(path: str) -> None:
    head = b"\xfe\xed\xfe\xed" if "." not in path or path.endswith("jks") else b"\x05\x02\0\0"
    assert inspect(path, head + bytes(50)) == []


def test_what_comes_with_a_package_is_no_leak() -> None:
    key = pem().encode()
    found = {path: [hit.secret.severity for hit in inspect(path, key)] for path in ("app/a.key", "app/tests/a.key")}
    assert found == {"app/a.key": [Severity.CRITICAL], "app/tests/a.key": [Severity.HIGH]}
    library = "usr/local/lib/python3.12/site-packages/"
    assert [hit.secret.severity for hit in inspect(library + "x/a.key", key)] == [Severity.MEDIUM]
    assert [hit.secret.severity for hit in inspect(library + "x/tests/a.key", key)] == [Severity.LOW]
    url = f"x = 'https://me:{PW}@host.corp/'".encode()
    assert inspect(library + "x/a.py", url) == []
    assert len(inspect("app/a.py", url)) == 1


def test_the_key_that_an_installation_makes_is_the_same_everywhere() -> None:
    (hit,) = inspect("etc/ssl/private/ssl-cert-snakeoil.key", pem().encode())
    assert (hit.secret.severity, hit.secret.why) == (Severity.MEDIUM, "a private key in plain text, and the same in every container")


@pytest.mark.parametrize("path", ["srv/test-app/config.yml", "app/latest/x.env", "app/documents/x.env", "home/specter/.env"])
def test_a_name_that_only_begins_like_a_test_is_none(path: str) -> None:
    assert not places.is_sample(path)


COMPOSE = """\
services:
  db:
    environment:
      - POSTGRES_PASSWORD={}
      # - OTHER_PASSWORD=changeme
  app:
    environment:
      DB_PASSWD: {}
"""


@pytest.mark.parametrize("password", ["gitea", "example_123", "changeme", "whalehello", "somewordpress", "mysecretpassword"])
def test_what_a_compose_file_says_is_in_force(password: str) -> None:
    text = COMPOSE.format(password, password)
    assert [hit.line for hit in inspect("app/compose.yaml", text.encode())] == [4, 8]


@pytest.mark.parametrize("password", ["${DB_PASSWORD}", "/run/secrets/db", "$DB_PASSWORD"])
def test_what_a_compose_file_takes_from_elsewhere_is_none(password: str) -> None:
    assert inspect("app/compose.yaml", COMPOSE.format(password, password).encode()) == []


CODE = [
    ("a.go", f'password := "{PW}"', 1),
    ("a.rb", f"config = {{ 'password' => '{PW}' }}", 1),
    ("a.ts", f'const apiKey = "{TOKEN}";', 1),
    ("a.go", 'const keyMultiPlatformArg = "build-arg:BUILDKIT_MULTI_PLATFORM"', 0),
    ("a.go", 'const credNamePassword = "UsernamePasswordCredential"', 0),
    ("a.h", "__token = _CUDA_VSTD::bit_cast<_Tp9>(__x2)", 0),
    ("a.py", "token = response['x']; password = getpass('Password: ')", 0),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "count"), CODE)
def test_code_has_literals_and_variables(path: str, text: str, count: int) -> None:
    assert len(inspect(path, text.encode())) == count
