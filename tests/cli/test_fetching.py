"""What fetches an image for a launch, seen from inside: elsewhere it runs in a process of its own."""

import os
from pathlib import Path

import pytest
from registries import TinyRegistry
from stored import BUSYBOX, layout

from hardener.cli import fetching
from hardener.errors import HardenError
from hardener.images.failures import how_to_log_in
from hardener.launch import stock
from hardener.runtime.places import places

pytestmark = pytest.mark.skipif(not BUSYBOX.exists(), reason="needs busybox-static: an image of one file")


@pytest.mark.parametrize("quiet", [True, False])
def test_what_is_said_while_an_image_is_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    here = places(os.geteuid(), {"HARDENER_ROOT": str(tmp_path / "records")})
    with TinyRegistry() as registry:
        digest = registry.push(layout(tmp_path / "layout", v1="one").path, "app:v1")
        name = f"{registry.host}/app:v1"
        fetching._pull(name, here, "", quiet=quiet)
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", "" if quiet else f"harden: fetching {name}\nharden: digest {digest}\n")
        (image,) = stock.reading(here).images()
        assert image.digest == digest
        with pytest.raises(HardenError, match="does not have it") as caught:
            fetching.fetch(f"{registry.host}/app:v2", here, "", quiet=True)
        assert caught.value.how == f"did you mean '{name}'?"


def test_where_a_login_is_wanted_no_other_name_is_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(*_: object, **__: object) -> None:
        raise HardenError("the registry wants a login", where="host", how=how_to_log_in("host"))

    monkeypatch.setattr(fetching, "_pull", pull)
    with pytest.raises(HardenError, match="wants a login") as caught:
        fetching.fetch("host/app", places(os.geteuid(), {"HARDENER_ROOT": str(tmp_path)}), "", quiet=True)
    assert caught.value.how.startswith("--creds USER, or `docker login host`")
    assert caught.value.how.endswith("--creds is for `harden pull`, and then harden run finds the image here")
