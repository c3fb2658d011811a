import signal
import socket
import subprocess
import sys

import pytest

from midspan.cli import main
from midspan.cli.link import describe, parse_target
from midspan.emulator import PROFILES, LinkTrace, TraceStep
from midspan.errors import ConfigError

MIDSPAN = "import sys; from midspan.cli import main; sys.exit(main())"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_runs_until_it_is_told_to_end(number):
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-c", MIDSPAN, "link", "--profile", "wifi", "--target", target]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as link:
            try:
                said = link.stdout.readline()
                assert said.startswith("midspan link: 127.0.0.1:")
                port = int(said.split()[2].rpartition(":")[2])
                with socket.create_connection(("127.0.0.1", port)) as device:
                    device.sendall(b"hello")
                    end, _ = server.accept()
                    with end:
                        assert end.recv(5) == b"hello"
                    link.send_signal(number)
                    assert link.wait(20) == 0
                assert "5 bytes up, 0 bytes down" in link.stderr.read()
            finally:
                link.kill()


def test_what_the_command_refuses(tmp_path, capsys):
    assert main(["link", "--profile", "lte", "--target", "nowhere"]) == 1
    assert "must be HOST:PORT" in capsys.readouterr().err
    assert main(["link", "--trace", str(tmp_path / "no.csv"), "--target", "127.0.0.1:1"]) == 1
    assert "cannot read trace" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["link", "--target", "127.0.0.1:1"])


def test_targets():
    assert parse_target("127.0.0.1:80") == ("127.0.0.1", 80)
    assert parse_target("example.org:65535") == ("example.org", 65535)
    assert parse_target("[::1]:8000") == ("::1", 8000)
    for text in (
        "",
        "80",
        ":80",
        "host:",
        "host:0",
        "host:65536",
        "host:port",
        "host:-1",
        "hôst:80",
        "host:" + "9" * 99,
    ):
        with pytest.raises(ConfigError):
            parse_target(text)


def test_links_in_words():
    assert describe(PROFILES["3g"]) == "3g: 0.768 Mbit/s up, 1.6 down, 150 ± 30 ms each way"
    steps = (TraceStep(90_000, 1, 0),) * 2
    assert describe(LinkTrace("walk", steps, steps)) == "trace walk (2 steps, 3.0 min, over and over)"
