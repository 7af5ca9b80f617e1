"""The formats of credentials, one row each, and the one expression that finds where any of them may start.

A format is found by its *anchor*, a literal that stands in every such credential; its pattern is tried there and nowhere else, and a
proof judges what it matched. Patterns compile at their first use. Prefixes and lengths follow the vendors' documentation; where a
vendor publishes none, the patterns of gitleaks (MIT) and of GitHub's secret scanning were the reference.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from hardener.finding import Severity
from hardener.record import NamedTuple
from hardener.rules.secrets import Verdict, proofs
from hardener.text import Pattern

LOW, MEDIUM, HIGH, CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL


class Format(NamedTuple):
    """One kind of credential. The secret is the pattern's last group, or all of it."""

    kind: str
    title: str
    anchors: tuple[str, ...]
    pattern: str
    proof: Callable[[re.Match[str]], Verdict | None] = proofs.shape
    severity: Severity = HIGH
    back: int = 0  # how many characters before the anchor the pattern may start
    needs: str = ""  # what must stand in the 400 characters from the anchor on; spares a common anchor the pattern


_GITLAB: Final = (
    *("glpat-", "gldt-", "glrt-", "glrtr-", "glptt-", "glft-", "glimt-"),  # personal, deploy, runner, trigger, feed, incoming mail
    *("glcbt-", "glagent-", "gloas-", "glsoat-", "glffct-", "glwt-"),  # job, agent, OAuth, SCIM, feature flags, workspace
)

FORMATS: Final = (
    # -- source code and packages
    Format("github-token", "GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36}", proofs.crc_base62),
    Format("github-token", "GitHub installation token", ("ghs_",), r"ghs_\d+_eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}", severity=MEDIUM),
    Format("github-token", "GitHub fine-grained token", ("github_pat_",), r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    Format("gitlab-token", "GitLab token", _GITLAB, r"gl[a-z]{2,5}-[\w.-]{20,320}"),
    Format("atlassian-token", "Atlassian token", ("ATATT3", "ATCTT3"), r"AT[AC]TT3[\w=-]{100,250}"),
    Format("npm-token", "npm token", ("npm_",), r"npm_[A-Za-z0-9]{36}", proofs.crc_base62),
    Format("pypi-token", "PyPI token", ("pypi-AgE",), r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[\w-]{50,1000}"),
    Format("rubygems-token", "RubyGems token", ("rubygems_",), r"rubygems_[0-9a-f]{48}"),
    Format("clojars-token", "Clojars token", ("CLOJARS_",), r"CLOJARS_[0-9a-z]{60}"),
    Format("docker-token", "Docker Hub token", ("dckr_pat_", "dckr_oat_"), r"dckr_[po]at_[\w-]{27,32}"),
    Format("artifactory-token", "Artifactory key", ("AKCp",), r"AKCp[A-Za-z0-9]{69}"),
    Format("sonar-token", "SonarQube token", ("sqp_", "sqa_", "squ_"), r"sq[pau]_[0-9a-f]{40}"),
    Format("sourcegraph-token", "Sourcegraph token", ("sgp_",), r"sgp_(?:(?:[0-9a-f]{16}|local)_)?[0-9a-f]{40}"),
    Format("circleci-token", "CircleCI token", ("CCIPAT_", "CCIPRJ_"), r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{22}_[0-9a-f]{40}"),
    Format("buildkite-token", "Buildkite token", ("bkua_",), r"bkua_[0-9a-f]{40}"),
    # -- clouds
    Format("aws-key-id", "AWS access key id", ("AKIA", "ASIA", "ABIA", "ACCA"), r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}", proofs.aws_key_id),
    Format("aws-bedrock-key", "AWS Bedrock key", ("ABSK",), r"ABSK[A-Za-z0-9+/]{109,269}={0,2}"),
    Format("gcp-api-key", "Google API key", ("AIza",), r"AIza[\w-]{35}", severity=MEDIUM),
    Format("gcp-oauth-secret", "Google OAuth client secret", ("GOCSPX-",), r"GOCSPX-[\w-]{28}"),
    Format("gcp-access-token", "Google access token", ("ya29.",), r"ya29\.[\w-]{50,}", severity=MEDIUM),
    Format("azure-storage-key", "Azure storage key", ("AccountKey=",), r"AccountKey=([A-Za-z0-9+/]{86}==)", severity=CRITICAL),
    Format("azure-access-key", "Azure shared access key", ("SharedAccessKey=",), r"SharedAccessKey=([A-Za-z0-9+/]{43}=)"),
    Format("azure-sas", "Azure shared access signature", ("sig=",), r"sig=([A-Za-z0-9%+/]{43,64}(?:=|%3[Dd]))", proofs.azure_signature),
    Format(
        "azure-client-secret", "Azure client secret", tuple(f"{digit}Q~" for digit in range(10)), r"[\w.~]{3}\dQ~[\w.~-]{31,34}", back=3
    ),
    Format(
        "azure-key",
        "Azure key",
        ("JQQJ9",),
        r"[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9][A-L][A-Za-z0-9]{16}[A-Za-z][A-Za-z0-9]{7}(?:[A-Za-z0-9]{2}==)?",
        back=52,
    ),
    Format("digitalocean-token", "DigitalOcean token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"do[por]_v1_[0-9a-f]{64}"),
    Format("heroku-key", "Heroku key", ("HRKU-AA",), r"HRKU-AA[\w-]{58}"),
    Format("cloudflare-token", "Cloudflare token", ("cfk_", "cfut_", "cfat_"), r"cf(?:k|ut|at)_[A-Za-z0-9_-]{44,60}"),
    Format("cloudflare-origin-key", "Cloudflare origin CA key", ("v1.0-",), r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}"),
    Format("fly-token", "Fly.io token", ("fo1_", "fm1r_", "fm1a_", "fm2_"), r"fo1_[\w-]{43}|fm(?:1[ar]|2)_[A-Za-z0-9+/]{100,}={0,3}"),
    Format("netlify-token", "Netlify token", ("nfp_",), r"nfp_[A-Za-z0-9]{36}"),
    Format(
        "planetscale-token",
        "PlanetScale credential",
        ("pscale_tkn_", "pscale_pw_", "pscale_oauth_"),
        r"pscale_(?:tkn|pw|oauth)_[\w=.-]{32,64}",
    ),
    Format("supabase-key", "Supabase key", ("sbp_", "sb_secret_"), r"sbp_[0-9a-f]{40}|sb_secret_[\w-]{30,50}"),
    Format("databricks-token", "Databricks token", ("=dapi",), r"=(dapi[0-9a-f]{32}(?:-\d)?)"),
    # -- infrastructure
    Format("vault-token", "Vault token", ("hvs.", "hvb.", "hvr."), r"hv[sbr]\.[\w-]{24,300}"),
    Format("terraform-token", "Terraform Cloud token", (".atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}", back=14),
    Format("pulumi-token", "Pulumi token", ("pul-",), r"pul-[0-9a-f]{40}"),
    Format(
        "doppler-token",
        "Doppler token",
        ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa."),
        r"dp\.(?:pt|ct|sa|st(?:\.[\w-]{2,35})?)\.[A-Za-z0-9]{40,44}",
    ),
    Format(
        "tailscale-key",
        "Tailscale key",
        ("tskey-auth-", "tskey-api-", "tskey-client-"),
        r"tskey-(?:auth|api|client)-[A-Za-z0-9]{8,}-[A-Za-z0-9]{20,}",
    ),
    Format("openshift-token", "OpenShift token", ("sha256~",), r"sha256~[\w-]{43}"),
    Format("1password-token", "1Password service account token", ("ops_eyJ",), r"ops_eyJ[A-Za-z0-9+/]{200,}={0,3}", severity=CRITICAL),
    Format(
        "age-key", "age identity", ("AGE-SECRET-KEY-1",), r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", proofs.bech32, CRITICAL
    ),
    # -- observation
    Format("grafana-token", "Grafana token", ("glsa_",), r"glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}", proofs.crc_grafana),
    Format("grafana-token", "Grafana Cloud token", ("glc_eyJ",), r"glc_eyJ[A-Za-z0-9+/]{32,400}={0,3}"),
    Format(
        "sentry-token", "Sentry token", ("sntrys_eyJ", "sntryu_"), r"sntrys_eyJ[A-Za-z0-9+/=]{30,400}_[A-Za-z0-9+/]{43}|sntryu_[0-9a-f]{64}"
    ),
    Format("newrelic-key", "New Relic key", ("NRAK-", "NRII-"), r"NRAK-[A-Z0-9]{27}|NRII-[\w-]{32}"),
    Format("dynatrace-token", "Dynatrace token", ("dt0c01.",), r"dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    # -- messages
    Format(
        "slack-token",
        "Slack token",
        ("xoxb-", "xoxp-", "xoxa-", "xoxo-", "xoxr-", "xoxs-", "xoxe-", "xapp-"),
        r"(?:xox[abpores]|xapp)-\d+-[0-9A-Za-z-]{10,}",
    ),
    Format(
        "slack-webhook",
        "Slack webhook",
        ("://",),
        r"://(hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60})",
        severity=MEDIUM,
        needs="hooks.slack",
    ),
    Format(
        "discord-webhook",
        "Discord webhook",
        ("://",),
        r"://((?:ptb\.|canary\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{17,20}/[\w-]{60,80})",
        severity=MEDIUM,
        needs="webhooks/",
    ),
    Format(
        "teams-webhook",
        "Teams webhook",
        ("://",),
        r"://([\w-]+\.webhook\.office\.com/webhookb2/[\w@-]{36,80}/IncomingWebhook/[0-9a-f]{32}/[\w-]{36})",
        severity=MEDIUM,
        needs="webhookb2",
    ),
    Format("telegram-token", "Telegram bot token", (":AA",), r"\d{8,10}:AA[\w-]{33}", back=10),
    Format("sendgrid-key", "SendGrid key", ("SG.",), r"SG\.[\w-]{22}\.[\w-]{43}"),
    Format("mailgun-key", "Mailgun key", ("key-",), r"key-[0-9a-f]{32}"),
    Format("mailchimp-key", "Mailchimp key", ("-us",), r"[0-9a-f]{32}-us\d{1,2}", back=32),
    Format("brevo-key", "Brevo key", ("xkeysib-",), r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    # -- money
    Format(
        "stripe-key",
        "Stripe key",
        ("sk_live_", "rk_live_", "sk_test_", "rk_test_"),
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}",
        proofs.stripe,
    ),
    Format("stripe-webhook-secret", "Stripe webhook secret", ("whsec_",), r"whsec_[A-Za-z0-9+/]{32,64}=*", severity=MEDIUM),
    Format("square-token", "Square token", ("sq0atp-", "sq0csp-"), r"sq0atp-[\w-]{22}|sq0csp-[\w-]{43}"),
    Format("shopify-token", "Shopify token", ("shpat_", "shpca_", "shppa_", "shpss_"), r"shp(?:at|ca|pa|ss)_[0-9a-f]{32}"),
    # -- models
    Format(
        "openai-key", "OpenAI key", ("sk-",), r"sk-(?:(?:proj|svcacct|admin|None)-)?[\w-]{20,80}T3BlbkFJ[\w-]{20,80}"
    ),  # base64 of "OpenAI"
    Format("anthropic-key", "Anthropic key", ("sk-ant-",), r"sk-ant-[a-z]+\d\d-[\w-]{80,120}"),
    Format("openrouter-key", "OpenRouter key", ("sk-or-v1-",), r"sk-or-v1-[0-9a-f]{64}"),
    Format("api-key", "API key", ("sk-",), r"sk-[A-Za-z0-9]{32,64}", proofs.likely),
    Format("huggingface-token", "Hugging Face token", ("hf_", "api_org_"), r"(?:hf|api_org)_[A-Za-z0-9]{34}"),
    Format("replicate-token", "Replicate token", ("r8_",), r"r8_[A-Za-z0-9]{37}"),
    Format("groq-key", "Groq key", ("gsk_",), r"gsk_[A-Za-z0-9]{52}"),
    Format("xai-key", "xAI key", ("xai-",), r"xai-[A-Za-z0-9]{80}"),
    Format("perplexity-key", "Perplexity key", ("pplx-",), r"pplx-[A-Za-z0-9]{48}"),
    Format("nvidia-key", "NVIDIA key", ("nvapi-",), r"nvapi-[\w-]{64}"),
    Format("langsmith-key", "LangSmith key", ("lsv2_pt_", "lsv2_sk_"), r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    # -- work
    Format("linear-key", "Linear key", ("lin_api_", "lin_oauth_"), r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}"),
    Format("notion-token", "Notion token", ("ntn_", "secret_"), r"ntn_\d{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}"),
    Format("postman-key", "Postman key", ("PMAK-",), r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    Format("figma-token", "Figma token", ("figd_",), r"figd_[\w-]{40,48}"),
    Format("hubspot-token", "HubSpot token", ("pat-na1-", "pat-eu1-"), r"pat-(?:na|eu)1-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    Format("contentful-token", "Contentful token", ("CFPAT-",), r"CFPAT-[\w-]{43}"),
    Format("mapbox-token", "Mapbox secret token", ("sk.eyJ",), r"sk\.eyJ[\w-]{20,}\.[\w-]{20,}"),
    # -- forms that any service may use
    Format(
        "private-key", "private key", ("-----BEGIN ",), r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----", proofs.pem, CRITICAL
    ),
    Format("private-key", "PuTTY private key", ("PuTTY-User-Key-File-",), r"PuTTY-User-Key-File-[23]: \S+", proofs.putty, CRITICAL),
    Format("jwt", "JSON Web Token", ("eyJ",), r"eyJ[\w-]{10,}\.eyJ[\w-]{4,}\.[\w-]{20,}", proofs.jwt),
    Format(
        "url-password",
        "password in a URL",
        ("://",),
        r"""(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,15})://(?P<user>[^\s/?#:@"'<>`()]{0,100}):"""
        r"""(?=[^\s/?#@"'<>`]{1,200}@(?P<host>[^\s/:?#"'@]+))(?P<password>[^\s/?#@"'<>`]+)""",
        proofs.url_password,
        back=16,
        needs="@",
    ),
    Format("bearer-token", "Bearer token", ("Bearer ",), r"Bearer[ ]+([A-Za-z0-9._~+/-]{16,}=*)", proofs.likely),
    Format("basic-credentials", "Basic credentials", ("Basic ",), r"Basic[ ]+([A-Za-z0-9+/]{6,}={0,2})", proofs.basic_credentials),
    Format("password-hash", "password hash", ("$2a$", "$2b$", "$2y$"), r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", severity=MEDIUM),
    Format(
        "password-hash",
        "password hash",
        ("$1$", "$5$", "$6$", "$apr1$"),
        r"\$(?:[156]|apr1)\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{22,86}",
        severity=MEDIUM,
    ),
    Format("password-hash", "password hash", ("$y$",), r"\$y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}", severity=MEDIUM),
    Format(
        "password-hash",
        "password hash",
        ("$argon2",),
        r"\$argon2(?:id?|d)\$v=\d+\$[mtp=,\d]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]{20,}",
        severity=MEDIUM,
    ),
)

_RARE: Final = "-._$~:="  # signs that prose and commands have few of, most frequent first


class Anchors(NamedTuple):
    """Where formats may start: `pattern` finds the rarest character of an anchor with its two neighbours."""

    signs: frozenset[str]  # what `pattern` can start with: a text without any of these need not be searched
    pattern: Pattern
    before: dict[str, tuple[tuple[Format, str, int], ...]]  # key: the character and the two before it; values: form, anchor, index in it
    after: dict[str, tuple[tuple[Format, str, int], ...]]  # key: the character and the two after it


@cache
def anchors() -> Anchors:
    """Return the prefilter. Besides the anchors of `FORMATS` it stops at `=`, and at a `:` before a blank or a quote: assignments.

    An alternation of whole anchors would try dozens of literals at every letter. This one skips to the next rare character (the regex
    engine does that in one loop, as every alternative starts with a literal) and looks at two neighbours there.
    """
    before: dict[str, list[tuple[Format, str, int]]] = {}
    after: dict[str, list[tuple[Format, str, int]]] = {}
    for form in FORMATS:
        for anchor in form.anchors:
            at = _rarest(anchor)
            key, keys = (anchor[at - 2 : at + 1], before) if at >= 2 else (anchor[at : at + 3], after)
            keys.setdefault(key, []).append((form, anchor, at))
    alternatives = []
    for char in sorted({*_RARE, *(key[-1] for key in before), *(key[0] for key in after)}, key=lambda char: (_RARE + char).index(char)):
        behind = [re.escape(key) for key in before if key[-1] == char]
        ahead = [re.escape(key[1:]) for key in after if key[0] == char]
        tests = ["(?<=" + "|".join(behind) + ")"] if behind else []
        tests += ["(?:" + "|".join(ahead) + ")"] if ahead else []
        tests += {"=": [""], ":": ["(?=[ \t\"'])"]}.get(char, [])
        alternatives.append(re.escape(char) + "(?:" + "|".join(tests) + ")")
    signs = frozenset(key[-1] for key in before) | frozenset(key[0] for key in after) | {"=", ":"}
    return Anchors(signs, Pattern("|".join(alternatives)), *({key: tuple(rows) for key, rows in keys.items()} for keys in (before, after)))


def _rarest(anchor: str) -> int:
    """Return the index of the character to search for: a capital that stands third or later, a sign (but rules are drawn with dashes),
    or the first character."""
    usable = [at for at in range(len(anchor)) if at >= 2 or at <= len(anchor) - 3]
    signs = [at for at in usable if anchor[at] in _RARE and "--" not in anchor]
    capitals = [at for at in usable if anchor[at] in "BJ"]
    return (capitals or signs or [0])[-1]
