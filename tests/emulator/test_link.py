import math

import pytest

from midspan.emulator import PROFILES, LinkProfile, LinkTrace, TraceStep, named_profile, read_trace
from midspan.errors import ConfigError


@pytest.mark.parametrize("name", ["wifi", "lte", "3g"])
def test_the_named_profiles(name):
    profile = named_profile(name)
    assert profile.name == name
    assert profile is PROFILES[name]
    assert profile.jitter_ms <= profile.delay_ms


def test_an_unknown_name_is_told_which_there_are():
    with pytest.raises(ConfigError, match="'5g'; there are wifi, lte, 3g"):
        named_profile("5g")


@pytest.mark.parametrize("field", ["up_mbps", "down_mbps", "delay_ms", "jitter_ms"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 1e12])
def test_values_that_no_link_can_have(field, value):
    values = {"up_mbps": 1.0, "down_mbps": 1.0, "delay_ms": 1.0, "jitter_ms": 1.0, field: value}
    with pytest.raises(ConfigError, match=field):
        LinkProfile("x", **values)


def test_a_rate_is_zero_or_enough_to_be_a_rate():
    assert LinkProfile("outage", 0, 0).up[0].mbps == 0
    with pytest.raises(ConfigError, match=r"0 or 0\.001 to 10000 Mbit/s, got 1e-09"):
        LinkProfile("x", 1e-9, 1)


def test_a_trace_that_lets_nothing_pass_is_refused():
    with pytest.raises(ConfigError, match="a rate above 0"):
        LinkTrace("x", (TraceStep(5, 0, 0),), (TraceStep(5, 1, 0),))
    with pytest.raises(ConfigError, match="a rate above 0"):
        LinkTrace("x", (), ())


def write(tmp_path, text):
    path = tmp_path / "walk.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_trace_file(tmp_path):
    path = write(tmp_path, "duration_ms,mbps,latency_ms\n1000,1.5,100\n\n500,0.0,\r\n250.5,2e1,0\n")
    trace = read_trace(path, delay_ms=25, jitter_ms=2)
    steps = (TraceStep(1000, 1.5, 100), TraceStep(500, 0, 25), TraceStep(250.5, 20, 0))
    assert trace == LinkTrace("walk", steps, steps, 2)


HOSTILE = {
    "empty": ("", "first line"),
    "another header": ("time,rate\n1,2\n", "first line"),
    "no rows": ("duration_ms,mbps,latency_ms\n", "rate above 0"),
    "a missing value": ("duration_ms,mbps,latency_ms\n1000,1\n", "line 2: needs 3 values, got 2"),
    "a value too many": ("duration_ms,mbps,latency_ms\n1000,1,2,3\n", "line 2: needs 3 values, got 4"),
    "text": ("duration_ms,mbps,latency_ms\n1000,1,2\nsoon,1,2\n", "line 3: 'soon' is not a number"),
    "no rate": ("duration_ms,mbps,latency_ms\n1000,,2\n", "'' is not a number"),
    "a NaN": ("duration_ms,mbps,latency_ms\n1000,nan,2\n", "'nan' is not a number"),
    "infinite": ("duration_ms,mbps,latency_ms\n1000,1e999,2\n", "'1e999' is not a number"),
    "underscores": ("duration_ms,mbps,latency_ms\n1_000,1,2\n", "'1_000' is not a number"),
    "other digits": ("duration_ms,mbps,latency_ms\n\u0661\u0660\u0660,1,2\n", "is not a number"),
    "an endless number": ("duration_ms,mbps,latency_ms\n" + "9" * 100_000 + ",1,2\n", "is not a number"),
    "no time": ("duration_ms,mbps,latency_ms\n0,1,2\n", "more than 0"),
    "time runs back": ("duration_ms,mbps,latency_ms\n-5,1,2\n", "more than 0"),
    "a negative rate": ("duration_ms,mbps,latency_ms\n5,-1,2\n", "rate must be"),
    "a huge rate": ("duration_ms,mbps,latency_ms\n5,1e9,2\n", "rate must be"),
    "a huge delay": ("duration_ms,mbps,latency_ms\n5,1,1e9\n", "delay must be 0 to 60000 ms"),
    "all outage": ("duration_ms,mbps,latency_ms\n5,0,1\n", "rate above 0"),
    "not text": (b"\xff\xfe\x00\x00", "not UTF-8"),
    "NUL bytes": ("duration_ms,mbps,latency_ms\n5\0,1,1\n", "line"),
    "a quote left open": ('duration_ms,mbps,latency_ms\n5,1,"1\n' + "2\n" * 100_000, "line"),
    "too many steps": ("duration_ms,mbps,latency_ms\n" + "1,1,\n" * 500_001, "at most 500000 steps"),
    "too large": (b"duration_ms,mbps,latency_ms\n" + b" " * (16 << 20), "more than the 16777216 bytes"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_trace_files(tmp_path, case):
    text, reason = HOSTILE[case]
    with pytest.raises(ConfigError, match=reason) as caught:
        read_trace(write(tmp_path, text))
    assert len(str(caught.value)) < 600


def test_a_trace_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_trace(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="no regular file"):
        read_trace(tmp_path)
