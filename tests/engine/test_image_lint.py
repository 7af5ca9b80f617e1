"""What `harden image lint` reports, and where: fingerprints, anchors, ignores, baselines, and images that say things about themselves."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from image_specs import Spec

from hardener import cli

SCHEMA = Path(__file__).parents[1] / "fixtures" / "sarif" / "sarif-schema-2.1.0.json"
APP = """\
FROM debian
RUN install -m 4755 helper /opt/helper
  /opt/helper 4755 20KB
COPY app /usr/local/bin/app
  /usr/local/bin/app 0755 elf:amd64
ENV DB_PASSWORD=kR7vQ2xLm9wT
CMD ["app"]
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("hardener.cli.judging.today", lambda: "2026-11-24")  # images and distributions age


def image(text: str, folder: str = "image") -> str:
    """Write an image; return its name on the command line."""
    Spec(text).write(Path(folder))
    return f"oci:{folder}:latest"


def lint(capsys: pytest.CaptureFixture[str], *words: str, code: int | None = None, form: str = "json") -> Any:
    found = cli.main(["image", "lint", "--format", form, *words])
    shown = capsys.readouterr()
    assert code is None or found == code, shown.err
    return shown.out if form not in ("json", "sarif") else json.loads(shown.out)


def places(report: Any) -> list[tuple[str, str, int]]:
    return [(finding["rule"], finding["path"], finding["line"]) for finding in report["findings"]]


def prints(report: Any) -> dict[str, str]:
    return {finding["rule"]: finding["fingerprint"] for finding in report["findings"]}


def test_findings_stand_in_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    name = image(APP)
    assert places(lint(capsys, name, code=1)) == [
        *[("HI104", name, 3), ("HI301", name, 5), ("HI101", name, 6), ("HI201", name, 6)],
    ]


def test_a_well_made_image_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    text = APP.replace("4755", "0755").replace("ENV DB_PASSWORD=kR7vQ2xLm9wT", "HEALTHCHECK CMD app --health\nUSER 10001:10001")
    assert lint(capsys, image(text), code=0)["findings"] == []


def test_fingerprints_survive_rebuilds_tags_and_moved_lines(capsys: pytest.CaptureFixture[str]) -> None:
    first = prints(lint(capsys, image(APP, "web")))
    again = APP.replace("RUN install", "RUN echo more\n  /etc/motd = hello\\n\nRUN install").replace("20KB", "30KB")
    Spec(f"CREATED 2026-11-20\n{again}").write(Path("second"))
    Path("web").rename("old")
    Path("second").rename("web")
    layout = json.loads(Path("web/index.json").read_text())
    layout["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "v2"
    Path("web/index.json").write_text(json.dumps(layout))
    second = prints(lint(capsys, "oci:web:v2"))
    assert second == first


def test_two_images_have_their_own_fingerprints(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (prints(lint(capsys, image(APP, folder))) for folder in ("one", "two"))
    assert one.keys() == two.keys()
    assert not set(one.values()) & set(two.values())


def test_two_images_of_one_dockerfile_stay_two_alerts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(DOCKERFILE)
    run = lint(capsys, image(APP, "one"), image(APP, "two"), "--dockerfile", "Dockerfile", form="sarif")["runs"][0]
    assert {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]} == {"Dockerfile"}
    assert len({result["partialFingerprints"]["hardener/v1"] for result in run["results"]}) == len(run["results"]) == 8


DOCKERFILE = """\
FROM golang:1.25 AS build
RUN go build -o helper .

FROM debian:12
# the helper
RUN install -m 4755 \\
      helper /opt/helper
COPY --from=build app /usr/local/bin/app
ENV DB_PASSWORD=kR7vQ2xLm9wT
CMD ["app"]
"""


def test_a_dockerfile_takes_the_findings(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(DOCKERFILE)
    report = lint(capsys, image(APP), "--dockerfile", "Dockerfile")
    assert places(report) == [
        ("HI104", "Dockerfile", 6),
        ("HI301", "Dockerfile", 9),
        ("HI101", "Dockerfile", 10),
        ("HI201", "Dockerfile", 10),
    ]
    (secret,) = [finding for finding in report["findings"] if finding["rule"] == "HI301"]
    assert DOCKERFILE[secret["start"] : secret["end"]] == "DB_PASSWORD=kR7vQ2xLm9wT"


def test_what_no_instruction_has_made_stands_at_the_from(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text("FROM debian:12\nCOPY app /app\n")
    base = APP + "USER 0\nFROM scratch\n"
    report = lint(capsys, image(base.replace("FROM scratch\n", "")), "--dockerfile", "Dockerfile")
    assert {place[1:] for place in places(report)} == {("Dockerfile", 1)}


def test_a_dockerfile_says_what_is_of_the_base(capsys: pytest.CaptureFixture[str]) -> None:
    """By its CMD alone, the history would have `RUN sudo` as the base image's."""
    text = 'FROM debian\nRUN sudo make\nCMD ["app"]\nCOPY app /app\n  /app 0755 elf:amd64\n'
    assert "HD204" not in prints(lint(capsys, image(text)))
    Path("Dockerfile").write_text('FROM debian:12\nRUN sudo make\nCMD ["app"]\nCOPY app /app\n')
    assert ("HD204", "Dockerfile", 2) in places(lint(capsys, "oci:image:latest", "--dockerfile", "Dockerfile"))


def test_a_stage_may_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text('FROM debian:12 AS app\nENV DB_PASSWORD=kR7vQ2xLm9wT\nCMD ["app"]\nFROM app AS test\nRUN pytest\n')
    report = lint(capsys, image(APP), "--dockerfile", "Dockerfile", "--target", "app")
    assert ("HI301", "Dockerfile", 2) in places(report)
    assert cli.main(["image", "lint", "oci:image:latest", "--dockerfile", "Dockerfile", "--target", "prod"]) == 2
    assert "there is no stage 'prod'" in capsys.readouterr().err


def test_ignores_in_the_dockerfile_count(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(DOCKERFILE.replace("# the helper", "# harden: ignore[HI104] needs raw sockets"))
    report = lint(capsys, image(APP), "--dockerfile", "Dockerfile")
    assert "HI104" not in prints(report)
    (ignored,) = report["suppressed"]
    assert (ignored["rule"], ignored["suppression"]["reason"]) == ("HI104", "needs raw sockets")


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("compose.yaml", "services:\n  web:\n    image: oci:image:latest\n", 3),
        ("run.sh", "#!/bin/sh\n# oci:image:latest is ours\nharden run oci:image:latest\ndocker run oci:image:latest\n", 4),
        ("Dockerfile", "FROM oci:image:latest\nRUN true\n", 1),
    ],
)
def test_findings_stand_where_a_file_names_the_image(file: str, text: str, line: int, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text(text)
    report = lint(capsys, image(APP), "--in", file)
    assert {(finding["path"], finding["line"]) for finding in report["findings"]} == {(file, line)}
    assert len(set(prints(report).values())) == len(report["findings"]) == 4


def test_a_comment_in_the_compose_file_answers_for_the_image(capsys: pytest.CaptureFixture[str]) -> None:
    Path("compose.yaml").write_text("services:\n  web:\n    image: oci:image:latest  # harden: ignore[HI101, HI104] old\n")
    assert set(prints(lint(capsys, image(APP), "--in", "compose.yaml"))) == {"HI201", "HI301"}


def test_a_file_that_does_not_name_the_image_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    Path("compose.yaml").write_text("services:\n  web:\n    image: nginx\n")
    assert cli.main(["image", "lint", image(APP), "--in", "compose.yaml"]) == 2
    assert "does not name the image" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--dockerfile", "nothing"),
        ("--dockerfile", "Dockerfile", "--in", "Dockerfile"),
        ("--target", "app"),
        ("--select", "HI999"),
        ("--output", "sarif"),
        ("nothing-here:1/x",),
    ],
)
def test_usage(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "lint", image(APP), *words]) == 2
    assert capsys.readouterr().err.startswith("harden: error: ")


def test_a_baseline_holds_for_the_next_build(capsys: pytest.CaptureFixture[str]) -> None:
    lint(capsys, image(APP), "--write-baseline", "known.json", code=0)
    Path("image").rename("before")
    again = APP.replace("20KB", "21KB").replace("CMD", "RUN chmod 4755 /opt/other\n  /opt/other 4755 1KB\nCMD")
    report = lint(capsys, image(f"CREATED 2026-11-20\n{again}"), "--baseline", "known.json", code=1)
    assert [finding["message"] for finding in report["findings"]] == ["/opt/other is setuid: it runs as root, whoever starts it"]
    assert len(report["suppressed"]) == 4
    assert report["notices"] == []


def test_configuration_applies(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".harden.yaml").write_text("ignore: [HI101]\nseverity: {HI104: critical}\n")
    report = lint(capsys, image(APP), "--fail-on", "critical", code=1)
    assert "HI101" not in prints(report)
    assert [finding["severity"] for finding in report["findings"] if finding["rule"] == "HI104"] == ["critical"]
    assert lint(capsys, "oci:image:latest", "--isolated", "--fail-on", "critical", code=0)


@pytest.mark.parametrize("form", ["text", "concise", "json", "sarif", "github", "gitlab", "junit", "html"])
def test_no_report_shows_a_credential(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = APP.replace('CMD ["app"]', 'RUN curl -H "Authorization: Bearer kR7vQ2xLm9wTzB4nH8pY5sJ1" https://example.com/x\nCMD ["app"]')
    out = lint(capsys, image(text), form=form)
    shown = out if isinstance(out, str) else json.dumps(out)
    assert "HI301" in shown
    assert "HI302" in shown
    assert "kR7vQ2xLm9wT" not in shown


def test_an_image_cannot_ignore_its_own_findings(capsys: pytest.CaptureFixture[str]) -> None:
    text = APP.replace("FROM debian\n", "FROM debian\n# harden: ignore-file[all] nothing to see\n  /etc/motd = x\\n\n")
    assert {"HI101", "HI104", "HI301"} <= set(prints(lint(capsys, image(text), code=1)))


@pytest.mark.parametrize("form", ["text", "concise", "json", "sarif", "github", "gitlab", "junit", "html"])
def test_a_history_drives_no_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = Spec(APP)
    spec.history[3]["created_by"] = "RUN echo \x1b[2J\x07\u202e\x00 && sudo make\r\n::error::x # buildkit"
    spec.history[5]["created_by"] = "ENV DB_PASSWORD=kR7vQ2xLm9wT \x9b31m"
    spec.write(Path("image"))
    out = lint(capsys, "oci:image:latest", form=form)
    shown = out if isinstance(out, str) else json.dumps(out)
    assert not {"\x1b", "\x07", "\x00", "\x9b", "\u202e"} & set(shown)
    assert not any(line.startswith("::error::x") for line in shown.splitlines())


def test_a_history_that_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    spec = Spec(APP)
    del spec.history[1:4]
    spec.write(Path("image"))
    report = lint(capsys, "oci:image:latest")
    assert [finding["message"] for finding in report["findings"] if finding["rule"] == "HI507"] == [
        "the history has 1 steps with a layer, the image 3 layers: nobody can tell what made them"
    ]
    assert "HI104" in prints(report)


def test_an_image_without_any_history(capsys: pytest.CaptureFixture[str]) -> None:
    spec = Spec('FROM scratch\nUSER 0\nENV A_TOKEN=kR7vQ2xLm9wTzB4nH8\nEXPOSE 22/tcp\nVOLUME ["/proc"]\nLABEL a=b\nCMD ["x"]\n')
    spec.history.clear()
    spec.write(Path("image"))
    report = lint(capsys, "oci:image:latest")
    assert set(prints(report)) == {"HI101", "HI201", "HI203", "HI205", "HI214", "HI301"}
    assert len({finding["line"] for finding in report["findings"]}) == 5


def test_bytes_behind_the_end_of_a_layer(capsys: pytest.CaptureFixture[str]) -> None:
    from layouts import Layout, entry, tar

    layout = Layout(Path("image"))
    layer = tar(entry("a", b"x")) + tar(entry("hidden", b"y"))
    layout.add(layout.image(layer, described={"history": [{"created_by": "COPY a /a # buildkit"}]}), "latest")
    (finding,) = lint(capsys, "oci:image:latest")["findings"]
    assert (finding["rule"], finding["line"]) == ("HI506", 1)
    assert "behind the end of the tar" in finding["message"]


def test_a_rule_of_ones_own_on_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules").mkdir()
    Path("rules/ACME001-helper.yaml").write_text(
        "id: ACME001\nname: helper\non: image.file\nseverity: high\nconfidence: high\ntitle: t\nwhy: w\nhow: h\n"
        'message: "{file.path} of {file.owner} has mode {file.mode} in {image.distribution}"\n'
        "match: {file.setuid: true, file.own: true, image.packages: {lacks: [doas]}}\n"
    )
    report = lint(capsys, image(APP), "--rules", "rules", "--select", "ACME001")
    assert [finding["message"] for finding in report["findings"]] == ["/opt/helper of root has mode 4755 in debian"]


def test_known_programs_count_only_while_they_are_those_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    listed = "  /var/lib/dpkg/info/passwd.md5sums = d41d8cd98f00b204e9800998ecf8427e  usr/bin/su\\n\n"
    status = "  /var/lib/dpkg/status = Package: passwd\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: 1\\n\n"
    text = f"FROM debian\nRUN replace\n{listed}{status}  /usr/bin/su 4755 = other\nUSER 1000\n"
    report = lint(capsys, image(text))
    assert [finding["message"] for finding in report["findings"] if finding["rule"] == "HI104"] == [
        "/usr/bin/su is setuid: it runs as root, whoever starts it, and is not the file that the distribution ships"
    ]


def test_sarif_is_valid_wherever_findings_stand(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(DOCKERFILE)
    for words in ((), ("--dockerfile", "Dockerfile")):
        log = lint(capsys, image(APP, f"image{len(words)}"), *words, form="sarif")
        jsonschema.validate(log, json.loads(SCHEMA.read_text(encoding="utf-8")))
        for result in log["runs"][0]["results"]:
            region = result["locations"][0]["physicalLocation"]["region"]
            assert region["snippet"]["text"].startswith(("CMD", "DB_", "RUN install"))


def test_the_summary_counts_images(capsys: pytest.CaptureFixture[str]) -> None:
    out = lint(capsys, image(APP, "one"), image(APP, "two"), form="text")
    assert "8 findings in 2 of 2 images: 2 high, 4 medium, 2 low" in out


@pytest.mark.parametrize(
    ("step", "rule"),
    [
        ("RUN apt-get update", "HD421"),
        ("RUN sudo make install", "HD204"),
        ("RUN curl -sSL https://example.com/install.sh | sh", "HD501"),
        ("RUN apt-get install -y --allow-unauthenticated tool", "HD441"),
        ("RUN dnf install -y --nogpgcheck tool", "HD441"),
        ("RUN apk add --allow-untrusted tool.apk", "HD441"),
        ("RUN pip install --trusted-host example.com tool", "HD508"),
        ("RUN curl -k -o /tool https://example.com/tool", "HD507"),
        ("RUN echo 'deb [trusted=yes] https://example.com stable main' > /etc/apt/sources.list.d/a.list", "HD442"),
        ("ADD http://example.com/tool /tool", "HD513"),
        ("ADD tool /tool", "HD515"),
    ],
)
def test_rules_on_dockerfiles_judge_ones_own_history(step: str, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--select", rule, "--fail-on", "never"]
    assert rule in prints(lint(capsys, image(f"FROM debian\n{step}\nUSER 1000\n", "own"), *words))
    based = f'{step}\nCMD ["bash"]\nCOPY app /app\nUSER 1000\n'
    assert prints(lint(capsys, image(f"FROM scratch\n{based}", "based"), *words)) == {}


def test_an_image_with_many_entries(capsys: pytest.CaptureFixture[str]) -> None:
    spec = Spec(APP)
    spec.history[:0] = [{"created_by": f"ENV A{number}_TOKEN=kR7vQ2xLm9wTzB4n{number:04}", "empty_layer": True} for number in range(2_000)]
    spec.write(Path("image"))
    report = lint(capsys, "oci:image:latest", "--select", "HI302", "--select", "HI104")
    assert len(report["findings"]) == 2_001
    assert "kR7vQ2xLm9wT" not in json.dumps(report)
