"""What one step did to many files is one finding, with a count, and about the same whatever else is there."""

from pathlib import Path

import pytest
from image_specs import Spec
from test_image_examples import TODAY, contents_of

from hardener.engine.dispatch_images import ImageDispatch
from hardener.engine.ready import Judged
from hardener.finding import Severity
from hardener.rules.context import ImageContext
from hardener.rules.load import builtin


def judged(text: str, rule: str, folder: Path) -> list[tuple[Severity, str, str]]:
    sources = [source for source in builtin() if source.rule.id == rule]
    results = ImageDispatch(sources).judge(ImageContext(contents_of(Spec(text), folder), today=TODAY))
    assert all(isinstance(one, Judged) for one in results)
    return [
        (one.match.severity or one.rule.severity, one.message.partition(":")[0], one.match.about)
        for one in results
        if isinstance(one, Judged)
    ]


DEVICES = "FROM scratch\nADD rootfs.tar /\n  /dev/agpgart 0660 char\n" + "".join(f"  /dev/loop{at} 0660 block\n" for at in range(7))


@pytest.mark.parametrize(
    ("text", "rule", "found"),
    [
        (
            DEVICES,
            "HI116",
            [
                (
                    Severity.MEDIUM,
                    "/dev/loop0 is a block device, beside 7 more in /dev",
                    "devices:dev",
                )
            ],
        ),
        (
            "FROM scratch\nRUN mknod\n  /dev/agpgart 0660 char\n  /dev/pts/9 0660 char\n",
            "HI116",
            [
                (Severity.LOW, "/dev/agpgart is a character device", "devices:dev"),
                (Severity.LOW, "/dev/pts/9 is a character device", "devices:dev/pts"),
            ],
        ),
        (
            "FROM debian\nRUN mkdir\n  /srv/a/ 0777\n  /srv/a/in/ 0777\n  /srv/b/ 0777\n  /data/ 0777\n  /logs/ 0777\n",
            "HI108",
            [
                (Severity.MEDIUM, "/data has mode 0777", "folders:data"),
                (Severity.MEDIUM, "/logs has mode 0777", "folders:logs"),
                (Severity.MEDIUM, "/srv/a has mode 0777 (like 1 more in /srv)", "folders:srv"),
            ],
        ),
        (
            "FROM debian\nRUN mkdir\n  /usr/games/ 0777\n  /usr/local/ 0755\n  /usr/sbin/ 0777\n",
            "HI108",
            [(Severity.HIGH, "/usr/sbin has mode 0777 (like 1 more in /usr)", "folders:usr")],
        ),
        (
            "FROM debian\nRUN install\n  /etc/ssh/ssh_host_ed25519_key 0600 1KB\n  /etc/ssh/ssh_host_rsa_key 0600 1KB\n",
            "HI401",
            [
                (
                    Severity.HIGH,
                    "/etc/ssh/ssh_host_ed25519_key (like 1 more in /etc/ssh) is the same in every container of the image, "
                    "and in the hands of everybody who can pull it",
                    "host-keys:etc/ssh",
                )
            ],
        ),
    ],
)
def test_one_cause_is_one_finding(tmp_path: Path, text: str, rule: str, found: list[tuple[Severity, str, str]]) -> None:
    assert sorted(judged(text, rule, tmp_path / "image"), key=lambda one: one[2]) == found
