from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from midspan.config import Config
from midspan.errors import ConfigError

TOML = """
[plugins]
enabled = ["preprocess", "onnxruntime"]
[plugins.preprocess]
max_pixels = 1000000
[family]
bundle = "bundles/x"
[server]
workers = 3
[host]
store = "host.sqlite"
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "midspan.toml").write_text(TOML)
    return Config.from_toml(tmp_path / "midspan.toml")


def test_three_spellings_mean_the_same(config):
    assert Config.from_json(config.to_json()) == config
    assert Config.from_tables(yaml.safe_load(yaml.safe_dump(config.to_tables()))) == config


def test_relative_paths_start_at_the_file(config, tmp_path):
    assert config.family.bundle == (tmp_path / "bundles/x").resolve()
    assert config.host.store == (tmp_path / "host.sqlite").resolve()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"famly": {}}, "unknown option 'famly'; did you mean 'family'?"),
        ({"family": {}}, "missing option 'family.bundle'"),
        ({"family": {"bundle": 3}}, "family.bundle must be a path, got 3"),
        ({"family": {"bundle": ""}}, "family.bundle must be a path"),
        ({"family": []}, "family must be a table"),
        ({"plugins": {}}, "missing option 'plugins.enabled'"),
        ({"plugins": {"enabled": "preprocess"}}, "plugins.enabled must be a list"),
        ({"plugins": {"enabled": [1]}}, "plugins.enabled[0] must be text"),
        ({"plugins": {"enabled": [], "x": 1}}, "plugins.x must be a table"),
        ({"plugins": {"enabled": [], "x": {}}}, "'x' is not in plugins.enabled"),
        ({"plugins": 4}, "plugins must be a table"),
        ({"server": {"http_port": 0}}, "server.http_port must be between 1 and 65535, got 0"),
        ({"server": {"workers": True}}, "server.workers must be a whole number, got True"),
        ({"server": {"workers": 2.5}}, "server.workers must be a whole number"),
        ({"server": {"token_authorization": "yes"}}, "true or false"),
    ],
)
def test_errors_name_the_option_what_was_got_and_what_is_allowed(change, text):
    tables = {"plugins": {"enabled": []}, "family": {"bundle": "b"}}
    with pytest.raises(ConfigError) as caught:
        Config.from_tables({**tables, **change})
    assert text in str(caught.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        Config.from_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[plugins")
    with pytest.raises(ConfigError, match="not valid TOML"):
        Config.from_toml(tmp_path / "bad.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not valid TOML"):
        Config.from_toml(tmp_path / "bad.toml")
    (tmp_path / "big.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="at most 1000000"):
        Config.from_toml(tmp_path / "big.toml")
    with pytest.raises(ConfigError, match="not valid JSON"):
        Config.from_json("{")
    with pytest.raises(ConfigError, match="must be a table, got list"):
        Config.from_json("[]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = st.sampled_from(["plugins", "family", "server", "host", "other"])


@given(st.dictionaries(SECTIONS, JSON, max_size=5))
def test_any_json_is_read_or_refused_with_a_config_error(tables):
    try:
        config = Config.from_json(json.dumps(tables))
    except ConfigError:
        return
    assert Config.from_json(config.to_json()) == config
