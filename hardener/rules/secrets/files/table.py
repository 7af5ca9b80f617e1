"""Which files keep credentials: by the end of their path, in lower case, longest ends first."""

from functools import cache
from typing import Final

from hardener.finding import Severity
from hardener.rules.secrets.files import Keeper, decoded

_INI: Final = r"(?im)^[ \t]*(?:%s)[ \t]*[=:][ \t]*[\"']?(?P<value>[^\s\"'#;]+)"
_QUOTED: Final = r"""(?i)(?:%s)["']?\s*(?:=>|=|:|,)\s*(?P<quote>["'])(?P<value>(?:(?!(?P=quote))[^\\\n]|\\.)+)(?P=quote)"""
_YAML: Final = r"(?im)^[ \t-]*(?:%s)[ \t]*:[ \t]*[\"']?(?P<value>[^\s\"'#]+)"
_WORD: Final = r"(?im)^[ \t]*(?:%s)[ \t]+[\"']?(?P<value>[^\s\"'#]+)"
_URL: Final = r"(?i)https?://(?P<user>[^\s/:@\"'<>]{1,200}):(?P<value>[^\s/@\"'<>]{1,300})@"
_URL_TOKEN: Final = r"(?i)https?://(?P<value>[0-9a-z_-]{20,300})(?::x-oauth-basic)?@"  # noqa: S105  (a pattern)


def _password(title: str, *patterns: str, kind: str = "password", severity: Severity = Severity.HIGH) -> Keeper:
    return Keeper(title, patterns, None, kind, severity)


_PIP: Final = _password("pip's index", _URL, _URL_TOKEN)
_PHP: Final = _password(
    "a PHP configuration", _QUOTED % r"""['"$](?:db_?)?(?:password|passwd|pass|secret|crypt_key|dbpassword|wgdbpassword)"""
)
_AWS: Final = _password(
    "AWS", _INI % "aws_secret_access_key|aws_session_token|secret_key|secret_access_key", kind="aws-secret-key", severity=Severity.CRITICAL
)
_GIT: Final = _password("git", _URL, _URL_TOKEN)

# End of the path in lower case; one that begins with `/` starts a name.
KEEPERS: Final = {
    # -- packages
    "/.npmrc": Keeper("npm", (), decoded.npmrc),
    "/npmrc": Keeper("npm", (), decoded.npmrc),
    "/.yarnrc": Keeper("npm", (), decoded.npmrc),
    "/.yarnrc.yml": _password("Yarn", _YAML % "npmAuthToken|npmAuthIdent", kind="npm-token"),
    "/.pypirc": _password("PyPI", _INI % "password", kind="pypi-token"),
    "/pip.conf": _PIP,
    "/pip.ini": _PIP,
    "/uv.toml": _PIP,
    "/requirements.txt": _PIP,
    "/pypoetry/auth.toml": _password("Poetry", _INI % r"password|[\w.-]*pypi-token[\w.-]*"),
    "/.gem/credentials": _password("RubyGems", r"(?m)^:[\w-]+:[ \t]*(?P<value>\S+)", kind="rubygems-token"),
    "/.bundle/config": _password("Bundler", r"(?m)^BUNDLE_\w+:[ \t]*\"?(?P<value>[^\s\":]+:[^\s\"]+)"),
    "/.cargo/credentials": _password("Cargo", _INI % "token", kind="crates-token"),
    "/.cargo/credentials.toml": _password("Cargo", _INI % "token", kind="crates-token"),
    "/nuget.config": _password("NuGet", r'(?i)key="ClearTextPassword"\s+value="(?P<value>[^"]+)"'),
    "/.m2/settings.xml": Keeper("Maven", (), decoded.maven_settings),
    "/.m2/settings-security.xml": Keeper("Maven", (), decoded.maven_settings),
    "/.gradle/gradle.properties": _password("Gradle", _INI % r"[\w.-]*(?:password|token|secret)[\w.-]*"),
    "/auth.json": Keeper("Composer", (), decoded.composer_auth),
    "/.condarc": _password("Conda", _URL, r"https?://[^\s/]+/t/(?P<value>[\w-]{16,})"),
    # -- version control
    "/.git-credentials": _GIT,
    "/.git/config": _GIT,
    "/.gitconfig": _GIT,
    "/gh/hosts.yml": _password("the GitHub CLI", _YAML % "oauth_token", kind="github-token"),
    "/.config/hub": _password("hub", _YAML % "oauth_token", kind="github-token"),
    "/glab-cli/config.yml": _password("the GitLab CLI", _YAML % "token", kind="gitlab-token"),
    "/.netrc": Keeper("a .netrc", (), decoded.netrc),
    "/_netrc": Keeper("a .netrc", (), decoded.netrc),
    # -- containers and clusters
    "/.docker/config.json": Keeper("docker login", (), decoded.docker_config),
    "/.dockercfg": Keeper("docker login", (), decoded.docker_config),
    "/.dockerconfigjson": Keeper("docker login", (), decoded.docker_config),
    "/.kube/config": Keeper("a kubeconfig", (), decoded.kubeconfig),
    "/kubeconfig": Keeper("a kubeconfig", (), decoded.kubeconfig),
    ".kubeconfig": Keeper("a kubeconfig", (), decoded.kubeconfig),
    "/kubernetes/admin.conf": Keeper("a kubeconfig", (), decoded.kubeconfig),
    "/kubernetes/kubelet.conf": Keeper("a kubeconfig", (), decoded.kubeconfig),
    "/k3s/k3s.yaml": Keeper("a kubeconfig", (), decoded.kubeconfig),
    "/serviceaccount/token": Keeper("a service account", (), decoded.whole, "kubernetes-token"),
    # -- clouds
    "/.aws/credentials": _AWS,
    "/.aws/config": _AWS,
    "/.boto": _AWS,
    "/boto.cfg": _AWS,
    "/.s3cfg": _AWS,
    "/application_default_credentials.json": Keeper("gcloud", (), decoded.service_account),
    "/.azure/accesstokens.json": Keeper("the Azure CLI", (), decoded.azure_tokens),
    "/.azure/msal_token_cache.json": Keeper("the Azure CLI", (), decoded.azure_tokens),
    "/.azure/service_principal_entries.json": Keeper("the Azure CLI", (), decoded.azure_tokens),
    "/doctl/config.yaml": _password("doctl", _YAML % "access-token", kind="digitalocean-token"),
    "/.fly/config.yml": _password("flyctl", _YAML % "access_token", kind="fly-token"),
    "/.oci/config": _password("the Oracle CLI", _INI % "pass_phrase"),
    "/.s3ql/authinfo2": _password("S3QL", _INI % "backend-password|fs-passphrase"),
    "/.passwd-s3fs": _password("s3fs", r"(?m)^[^:#\s]+:(?:[^:\s]+:)?(?P<value>[A-Za-z0-9/+]{30,})$", kind="aws-secret-key"),
    # -- infrastructure
    ".tfstate": Keeper("a Terraform state", (), decoded.terraform_state),
    ".tfstate.backup": Keeper("a Terraform state", (), decoded.terraform_state),
    "/.terraformrc": _password("Terraform", _INI % "token", kind="terraform-token"),
    "/credentials.tfrc.json": _password("Terraform", r'"token"\s*:\s*"(?P<value>[^"]+)"', kind="terraform-token"),
    "/.vault-token": Keeper("Vault", (), decoded.whole),
    "/.vault_pass": Keeper("Ansible Vault", (), decoded.whole),
    "/.vault_pass.txt": Keeper("Ansible Vault", (), decoded.whole),
    "/.vault_password": Keeper("Ansible Vault", (), decoded.whole),
    "/.erlang.cookie": Keeper("Erlang", (), decoded.whole),
    "/config/master.key": Keeper("Rails", (), decoded.master_key),
    "/config/credentials/production.key": Keeper("Rails", (), decoded.master_key),
    "/ngrok.yml": _password("ngrok", _YAML % "authtoken"),
    "/rclone.conf": Keeper("rclone", (), decoded.rclone),
    "/wireguard/wg0.conf": Keeper("WireGuard", (), decoded.wireguard),
    "/wg0.conf": Keeper("WireGuard", (), decoded.wireguard),
    ".ovpn": Keeper("OpenVPN", (), decoded.openvpn),
    "/wpa_supplicant.conf": _password("a wireless network", _INI % "psk|password"),
    # -- databases and services
    "/.pgpass": Keeper("a .pgpass", (), decoded.pgpass),
    "/pgpass.conf": Keeper("a .pgpass", (), decoded.pgpass),
    "/.my.cnf": _password("MySQL", _INI % "password"),
    "/my.cnf": _password("MySQL", _INI % "password"),
    "/debian.cnf": _password("MySQL", _INI % "password"),
    "/.mylogin.cnf": Keeper("MySQL"),
    "/redis.conf": _password("Redis", _WORD % "requirepass|masterauth"),
    "/msmtprc": _password("msmtp", _WORD % "password"),
    "/.msmtprc": _password("msmtp", _WORD % "password"),
    "/.fetchmailrc": _password("fetchmail", r"(?i)\bpass(?:word)?[ \t]+[\"']?(?P<value>[^\s\"']+)"),
    "/sasl_passwd": _password("Postfix", r"(?m)^(?!#)\S+[ \t]+[^\s:]+:(?P<value>\S+)"),
    "/chap-secrets": _password("PPP", r"(?m)^(?!#)\S+[ \t]+\S+[ \t]+[\"']?(?P<value>[^\s\"'*]+)"),
    "/pap-secrets": _password("PPP", r"(?m)^(?!#)\S+[ \t]+\S+[ \t]+[\"']?(?P<value>[^\s\"'*]+)"),
    "/tomcat-users.xml": _password("Tomcat", r'<user\b[^>]{0,300}?\bpassword="(?P<value>[^"]+)"'),
    "/sitemanager.xml": Keeper("FileZilla", (), decoded.filezilla),
    "/recentservers.xml": Keeper("FileZilla", (), decoded.filezilla),
    "/.davfs2/secrets": _password("davfs2", r"(?m)^(?!#)\S+[ \t]+\S+[ \t]+[\"']?(?P<value>[^\s\"']+)"),
    "/.smbcredentials": _password("Samba", _INI % "password"),
    # -- applications
    "/wp-config.php": Keeper("WordPress", (), decoded.wordpress),
    "/configuration.php": _PHP,
    "/localsettings.php": _PHP,
    "/settings.php": _PHP,
    "/database.php": _PHP,
    "/config.php": _PHP,
    "/config.inc.php": _PHP,
    "/env.php": _PHP,
    "/parameters.php": _PHP,
    # -- hashes
    "/.htpasswd": Keeper("web users", (), decoded.htpasswd),
    "/htpasswd": Keeper("web users", (), decoded.htpasswd),
    ".htpasswd": Keeper("web users", (), decoded.htpasswd),
    "/etc/shadow": Keeper("accounts", (), decoded.shadow),
    "/etc/shadow-": Keeper("accounts", (), decoded.shadow),
    "/etc/gshadow": Keeper("accounts", (), decoded.shadow),
}


@cache
def _ends() -> dict[str, list[str]]:
    """Return the ends by their last four characters."""
    found: dict[str, list[str]] = {}
    for end in sorted(KEEPERS, key=len, reverse=True):
        found.setdefault(end[-4:], []).append(end)
    return found


def keeper_of(path: str) -> Keeper | None:
    """Return what kind of credentials file a path (with `/` between its parts) names; None for none."""
    lower = "/" + path.lower().lstrip("/")
    for end in _ends().get(lower[-4:], ()):
        if lower.endswith(end):
            return KEEPERS[end]
    return None
