"""No command that looks into an image, and no format of a report, quotes a credential of it."""

from pathlib import Path

import pytest
from layouts import Layout, entry, tar

from hardener import cli
from hardener.reports import FORMATS

MARK = "mKx7TvB3pLw8Rn5Y"
DOCKERFILE = f"""\
FROM debian:12
ENV DB_PASSWORD=Zq01{MARK}
RUN mysql -uroot -pZq02{MARK} -e x
ADD https://user:Zq03{MARK}@example.org/x.tgz /x
CMD ["/bin/app", "--password", "Zq04{MARK}"]
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    made = Layout(tmp_path / "one")
    history: list[dict[str, str | bool]] = [{"created_by": f"|1 NPM_TOKEN=Zq05{MARK} /bin/sh -c npm ci"}]
    history += [{"created_by": line, "empty_layer": not line.startswith(("ADD", "RUN"))} for line in DOCKERFILE.splitlines()[1:]]
    config = {
        "Cmd": ["/bin/app", "--password", f"Zq04{MARK}"],
        "Entrypoint": ["/bin/sh", "-c", f"curl -u admin:Zq06{MARK} https://x"],
        "Env": [f"DATABASE_URL=postgres://u:Zq07{MARK}@db/x", f"JAVA_OPTS=-Ddb.password=Zq08{MARK} -Xmx1g"],
        "Labels": {"api_token": f"Zq09{MARK}", "desc": f"password=Zq10{MARK}"},
        "Healthcheck": {"Test": ["CMD-SHELL", f"curl -H 'Authorization: Bearer Zq11{MARK}' http://x"]},
    }
    layers = [tar(entry("root/.env", f"DB_PASSWORD=Zq12{MARK}&x\n".encode())), tar(entry("root/.wh..env")), tar(entry("etc/x"))]
    made.add(made.image(*layers, config=config, described={"history": history}))
    other = Layout(tmp_path / "other")
    other.add(other.image(tar(entry("root/.netrc", f"machine x login y password Zq13{MARK}\n".encode()))))


@pytest.mark.parametrize(
    "command",
    [
        *[f"lint oci:one --format {name}" for name in FORMATS],
        *[f"lint oci:one --dockerfile Dockerfile --format {name}" for name in FORMATS],
        *[f"secrets oci:one --format {name}" for name in FORMATS],
        "layers oci:one --no-trunc --files",
        "layers oci:one --format json",
        "diff oci:one oci:other",
        "diff oci:other oci:one --format json",
        "sbom oci:one",
        "sbom oci:one --format spdx",
    ],
)
def test_a_credential_is_not_quoted(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", *command.split()]) in (0, 1)
    said = capsys.readouterr()
    assert said.out
    assert MARK not in said.out + said.err


def test_that_credentials_differ_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "diff", "oci:one", "oci:other"]) == 0
    said = capsys.readouterr().out
    assert "- Label api_token Zq09… (20 characters)\n" in said
    assert '- Cmd ["/bin/app", "--password", "Zq04… (20 characters)"]\n' in said
