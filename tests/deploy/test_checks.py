from __future__ import annotations

import socket

import pytest

from midspan.deploy.checks import check_numpy, check_ports
from midspan.deploy.ports import PORT_OPTIONS, free_ports
from midspan.errors import ConfigError


@pytest.mark.parametrize("version", ["2.0.0", "2.4.1", "10.0", "2.0.0rc1"])
def test_numpy_that_garbles_tensors_is_refused(version):
    with pytest.raises(ConfigError, match=f"numpy {version}; the model's Python needs numpy below 2"):
        check_numpy(version)


@pytest.mark.parametrize("version", ["1.26.4", "1.22.0"])
def test_numpy_1_is_fine(version):
    check_numpy(version)


def test_a_port_in_use_is_named_with_its_option():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port} \(server\.http_port\): Address already in use"):
            check_ports("127.0.0.1", {"http_port": port})


def test_one_port_for_two_purposes_is_refused():
    with pytest.raises(ConfigError, match=r"server\.http_port and server\.grpc_port are both 8000"):
        check_ports("127.0.0.1", {"http_port": 8000, "grpc_port": 8000})


def test_an_address_that_is_not_ours_is_refused():
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):  # an address for documentation
        check_ports("192.0.2.1", {"http_port": 8000})


def test_free_ports_are_free_and_distinct():
    ports = free_ports()
    assert tuple(ports) == PORT_OPTIONS
    assert len(set(ports.values())) == len(ports)
    check_ports("127.0.0.1", ports)
