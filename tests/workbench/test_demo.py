"""The demo on the real servers, cut short: three photos and one quick link."""

import pytest

from midspan.cli import main
from midspan.emulator import LinkEmulator, LinkProfile
from midspan.workbench.demo import CHOSEN, POLICIES, run_demo, summarise
from midspan.workbench.photos import LabelledPhoto, at_several_sizes, bundled_photos
from midspan.workbench.picture import draw
from midspan_client import MidspanClientError

QUICK = LinkProfile("quick", up_mbps=40, down_mbps=80, delay_ms=2, jitter_ms=0.5)


@pytest.fixture(scope="module")
def photos():
    return at_several_sizes(bundled_photos()[:3], (160, None, 1600))


def test_a_short_run(server, photos):
    seen = []
    port = server.config.server.http_port
    rows = run_demo(server.kind, "127.0.0.1", port, photos, [QUICK], report=seen.append)
    assert seen == rows
    assert [row.policy for row in rows] == [*POLICIES] * 3
    by_policy = {summary.policy: summary for summary in summarise(rows)}
    original, resized = by_policy["always original"], by_policy["always resized"]
    assert original.routes == {"original": 3}
    assert resized.routes == {"resized": 3}
    assert original.bytes_up == sum(len(photo.data) for photo in photos)
    assert resized.bytes_up < original.bytes_up
    assert original.top1 >= 2 / 3
    assert set(by_policy[CHOSEN].routes) <= {"original", "resized"}
    assert all(row.measured_s > 0.004 for row in rows), "nothing is faster than the link's delay"
    assert draw(rows, summarise(rows), "A title").startswith(b"\x89PNG")


def test_a_photo_that_cannot_be_read_ends_it(server, photos):
    broken = [photos[0], LabelledPhoto("broken.jpg", photos[1].data[:200], 1)]
    with pytest.raises(MidspanClientError):
        run_demo(server.kind, "127.0.0.1", server.config.server.http_port, broken, [QUICK])


def test_a_server_that_is_gone_ends_it(server, photos):
    with LinkEmulator("127.0.0.1", 1, QUICK) as nobody, pytest.raises(MidspanClientError):
        run_demo(server.kind, "127.0.0.1", nobody.port, photos, [QUICK])


def test_the_command_fails_with_a_failed_request(tmp_path, bundle, capsys):
    (tmp_path / "labels.csv").write_text("file,class_index\nbroken.jpg,1\n", "utf-8")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    command = ["demo", "--images", str(tmp_path), "--bundle", str(bundle), "--output", str(tmp_path / "out")]
    assert main(command) == 1
    assert "a request failed, so the demo did" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
