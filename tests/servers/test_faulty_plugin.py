"""A plug-in that raises in every hook in turn, on both real servers: its request fails alone, and says whose fault."""

from __future__ import annotations

import threading

import pytest

from midspan import hookspecs
from midspan.deploy.process import session_members
from midspan.errors import ConfigError
from midspan.hoststore import HostStore

AT_LOAD = ("midspan_configure", "midspan_parameters")
AT_END = ("midspan_close",)
ANSWERING = ("midspan_decode", "midspan_select_variant", "midspan_prepare", "midspan_run")
LISTENING = ("midspan_observe", "midspan_report")
CONTROL = ("midspan_control", "midspan_describe")


def test_every_hook_is_tried():
    known = {name for name in vars(hookspecs) if name.startswith("midspan_")}
    assert known == {*AT_LOAD, *AT_END, *ANSWERING, *LISTENING, *CONTROL}


@pytest.mark.parametrize("hook", ANSWERING)
def test_a_hook_that_answers_fails_its_own_request_with_500(hook, faulty):
    answer = faulty.classify(faulty.picture, {"fail_in": hook})
    assert (answer.status, answer.code) == (500, "plugin_failed"), str(answer)
    assert f"plug-in 'faulty' failed in {hook}: Fault: told to raise in {hook}" in answer.message
    assert faulty.good().report["predictions"][0]["index"] == faulty.expected


@pytest.mark.parametrize("hook", LISTENING)
def test_a_hook_that_only_listens_fails_nobody(hook, faulty):
    report = faulty.good({"fail_in": hook}).report
    assert report["predictions"][0]["index"] == faulty.expected
    assert (report["plugins"]["faulty"] is None) == (hook == "midspan_report")


def test_a_hook_for_controls_fails_its_control_with_500(faulty):
    answer = faulty.classify(b"\0", {"control": "catalog", "fail_in": "midspan_control"})
    assert (answer.status, answer.code) == (500, "plugin_failed"), str(answer)
    assert faulty.control("catalog")["plugins"]["faulty"] == {}


def test_a_description_that_fails_is_left_out_of_the_catalog(faulty):
    answer = faulty.classify(b"\0", {"control": "catalog", "fail_in": "midspan_describe"})
    assert answer.status == 200, str(answer)
    assert answer.report["plugins"]["faulty"] is None
    assert answer.report["plugins"]["preprocess"]["formats"]


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
@pytest.mark.parametrize("hook", AT_LOAD)
def test_a_hook_at_load_stops_the_load_with_one_error(hook, kind, start_server):
    options = {"enabled": ["faulty", "preprocess", "onnxruntime"], "faulty": {"fail_in": hook}}
    with pytest.raises(ConfigError, match=f"told to raise in {hook}") as caught:
        start_server(kind, plugins=options, server={"workers": 1})
    assert "plug-in 'faulty' of midspan-faulty 0.1.0" in str(caught.value)


@pytest.mark.parametrize("kind", ["triton", "torchserve"])
def test_a_hook_at_the_end_keeps_nothing_from_closing(kind, start_server, subject_of):
    options = {"enabled": ["faulty", "preprocess", "onnxruntime"], "faulty": {"fail_in": "midspan_close"}}
    server = start_server(kind, plugins=options, server={"workers": 1})
    subject_of(server).good()
    session = server.process.pid
    server.stop()
    assert session_members(session) == []
    store = HostStore(server.config.host.store)
    learned = store.counts()
    store.close()
    if kind == "triton":  # TorchServe may end a worker before it can say good-bye, within the store's loss window
        assert learned["answers"] >= 1, "the pipeline closes its store after the plug-ins, whatever they raise"


def test_in_one_batch_the_faulty_fail_alone(faulty, busy_worker, faulty_server):
    """Both workers are held until the others have gathered behind them, so that these really share batches."""
    hold = {"delay_s": 0.7}
    holders = [threading.Thread(target=faulty.good, args=(hold,)) for _ in range(2)]
    for holder in holders:
        holder.start()
    busy_worker(faulty_server)
    cases = [
        ({}, 200),
        ({"fail_in": "midspan_run"}, 500),
        ({"fail_in": "midspan_prepare"}, 500),
        ({"top_k": 0}, 400),
        ({"variant": "lite9"}, 404),
        ({"fail_in": "midspan_observe"}, 200),
    ] * 2
    answers = faulty.together([lambda case=case: faulty.classify(faulty.picture, case[0]) for case in cases])
    for holder in holders:
        holder.join()
    assert [answer.status for answer in answers] == [status for _, status in cases]
    reports = [answer.report for answer in answers if answer.report]
    assert {report["predictions"][0]["index"] for report in reports} == {faulty.expected}
    assert max(report["batch_size"] for report in reports) > 1
