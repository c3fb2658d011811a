from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_plugins import Engine

from midspan.errors import (
    BadParameterError,
    BadPayloadError,
    InternalError,
    MidspanError,
    PayloadTooLargeError,
    PluginFailedError,
    UnavailableError,
    UnknownVariantError,
)
from midspan.hookspecs import hookimpl
from midspan.types import Decoded, Prepared, Request, Response


def ask(pipeline, payload=b"7", **parameters):
    return pipeline.infer([Request(payload, parameters=parameters)])[0]


def test_an_answer_has_predictions_scores_and_a_report_that_is_json(make_pipeline):
    answer = ask(make_pipeline(engine=Engine), top_k=2, id="photo 1", scores=True)
    assert answer.report["predictions"] == [
        {"index": 3, "label": "d", "score": 21.0},
        {"index": 2, "label": "c", "score": 14.0},
    ]
    assert answer.scores.tolist() == [0, 7, 14, 21]
    report = json.loads(answer.body)
    assert report == answer.report
    assert (report["variant"], report["cut"], report["batch_size"], report["id"]) == ("small", 0, 1, "photo 1")
    assert report["scores"] == [0, 7, 14, 21]


def test_stages_sum_to_the_server_time(make_pipeline):
    for answer in make_pipeline(engine=Engine).infer([Request(b"1"), Request(b"2")]):
        report = answer.report
        assert sum(report["stages_s"].values()) == pytest.approx(report["server_s"], rel=1e-6)
        assert set(report["stages_s"]) == {"queue", "decode", "select", "prepare", "run", "other"}


def test_in_a_batch_each_request_has_its_own_time_to_prepare_and_waits_for_its_mates(make_pipeline):
    now, records = [0.0], []

    class Slow(Engine):
        @hookimpl
        def midspan_prepare(self, request, decoded, variant):
            now[0] += decoded.value
            return super().midspan_prepare(request, decoded, variant)

    class Watcher:
        @hookimpl
        def midspan_observe(self, record):
            records.append(record)

    make_pipeline(clock=lambda: now[0], watcher=Watcher, slow=Slow).infer([Request(b"1"), Request(b"2"), Request(b"x")])
    assert [record.stages_s["prepare"] for record in records] == [1.0, 2.0, 0.0]
    assert [record.server_s for record in records] == [3.0] * 3
    assert [record.decoded and record.decoded.value for record in records] == [1, 2, None]


def test_requests_of_one_variant_run_together(make_pipeline):
    pipeline = make_pipeline(engine=Engine)
    engine = pipeline._plugins.get_plugin("engine")
    pipeline.infer([Request(b"1"), Request(b"2", parameters={"variant": "large"}), Request(b"3")])
    assert sorted(engine.batches) == [("large", 1), ("small", 2)]


@pytest.mark.parametrize(
    ("payload", "parameters", "error", "text"),
    [
        (b"x", {}, BadPayloadError, "wants digits"),
        (b"7", {"variant": "huge"}, UnknownVariantError, "there are small, large"),
        (b"7", {"top_k": "many"}, BadParameterError, "'top_k' must be a whole number"),
        (b"7", {"top_k": 0}, BadParameterError, "between 1 and 1000"),
        (b"7", {"top_k": True}, BadParameterError, "whole number"),
        (b"7", {"top_k": {"nested": 1}}, BadParameterError, "whole number"),
        (b"7", {"topk": 3}, BadParameterError, "did you mean 'top_k'"),
        (b"7", {"add": float("nan")}, BadParameterError, "a finite number"),
        (b"7", {"add": "1" * 100}, BadParameterError, "a finite number"),
        (b"7", {"id": "x" * 201}, BadParameterError, "201 characters"),
        (b"7", {"control": "self-destruct"}, BadParameterError, "there are catalog and health"),
        (b"666", {}, PluginFailedError, "plug-in 'engine' failed in midspan_run: ArithmeticError"),
        (b"503", {}, UnavailableError, "too busy"),
        (b"1" * 2000, {}, PayloadTooLargeError, "payload has 2000 bytes; at most 1024"),
    ],
)
def test_what_is_wrong_fails_alone_and_says_why(make_pipeline, payload, parameters, error, text):
    pipeline = make_pipeline(engine=Engine, server={"max_payload_bytes": 1024})
    good, bad, other = pipeline.infer([Request(b"1"), Request(payload, parameters=parameters), Request(b"2")])
    assert type(bad) is error
    assert text in str(bad)
    assert isinstance(good, Response)
    assert isinstance(other, Response)
    assert ask(pipeline).report["predictions"][0]["index"] == 3
    assert pipeline.store.counts(f"errors.{error.code}") == {f"errors.{error.code}": 1}


def test_parameters_come_as_text_from_headers(make_pipeline):
    assert len(ask(make_pipeline(engine=Engine), top_k="2", add="0.5").report["predictions"]) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.binary(max_size=5) | st.integers(0, 700).map(lambda n: str(n).encode()),
            st.dictionaries(
                st.sampled_from(["variant", "top_k", "add", "control", "id", "bogus"]),
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                max_size=3,
            ),
        ),
        max_size=8,
    )
)
def test_any_batch_gets_one_answer_each_and_never_raises(make_pipeline, batch):
    pipeline = make_pipeline(engine=Engine)
    answers = pipeline.infer([Request(payload, parameters=parameters) for payload, parameters in batch])
    assert len(answers) == len(batch)
    assert all(isinstance(answer, Response | MidspanError) for answer in answers)


def misbehaving(hook_name, value):
    def hook(self):
        if isinstance(value, Exception):
            raise value
        return value

    hook.__name__ = hook_name
    return type("Bad", (), {hook_name: hookimpl(hook)})


@pytest.mark.parametrize(
    ("hook", "value"),
    [
        ("midspan_decode", ZeroDivisionError("oops")),
        ("midspan_select_variant", ZeroDivisionError("oops")),
        ("midspan_prepare", ZeroDivisionError("oops")),
        ("midspan_run", ZeroDivisionError("oops")),
    ],
)
def test_a_plugin_that_raises_is_named_and_costs_one_request(make_pipeline, hook, value):
    pipeline = make_pipeline(bad=misbehaving(hook, value), engine=Engine)
    answer = ask(pipeline)
    assert isinstance(answer, PluginFailedError)
    assert (answer.plugin, answer.hook, answer.status) == ("bad", hook, 500)
    assert "ZeroDivisionError: oops" in str(answer)


@pytest.mark.parametrize("hook", ["midspan_observe", "midspan_report", "midspan_describe"])
@pytest.mark.parametrize("value", [ZeroDivisionError("oops"), {"not": {"json"}}])
def test_a_plugin_that_fails_on_the_side_is_counted_and_silent(make_pipeline, hook, value):
    pipeline = make_pipeline(bad=misbehaving(hook, value), engine=Engine)
    assert isinstance(ask(pipeline), Response)
    assert isinstance(ask(pipeline, control="catalog"), Response)
    assert pipeline.store.counts("errors.") == {"errors.plugin_failed.bad": 1}


@pytest.mark.parametrize(
    ("hook", "value", "text"),
    [
        ("midspan_prepare", "a string", "a plug-in prepared"),
        ("midspan_prepare", Prepared(np.zeros((2, 4), np.float32)), "expected one row"),
        ("midspan_prepare", Prepared(np.zeros((1, 4), np.float32), cut=2), "a cut below 2"),
        ("midspan_run", np.zeros((1, 3), np.float32), "expected (1, 4)"),
        ("midspan_run", np.full((1, 4), np.nan, np.float32), "the score nan"),
        ("midspan_decode", "a string", "AttributeError"),
        ("midspan_control", Response({"not": {"json"}}), "is not JSON"),
    ],
)
def test_a_plugin_that_returns_nonsense_is_our_fault(make_pipeline, hook, value, text):
    control = "secret" if hook == "midspan_control" else ""
    answer = ask(make_pipeline(bad=misbehaving(hook, value), engine=Engine), control=control)
    assert isinstance(answer, InternalError)
    assert text in str(answer)


def test_the_plugin_named_first_wins(make_pipeline):
    class First:
        @hookimpl
        def midspan_decode(self, request):
            return Decoded("number", 100) if request.payload == b"1" else None

    assert ask(make_pipeline(first=First, engine=Engine), b"1").scores[1] == 100
    assert ask(make_pipeline(engine=Engine, first=First), b"1").scores[1] == 1


def test_a_plugin_selects_the_variant_only_where_it_is_open(make_pipeline):
    class Selector:
        @hookimpl
        def midspan_select_variant(self, candidates, budget_s):
            assert budget_s is None
            return candidates[-1].name

    pipeline = make_pipeline(select=Selector, engine=Engine)
    assert ask(pipeline).report["variant"] == "large"
    assert ask(pipeline, variant="small").report["variant"] == "small"


def test_no_plugin_for_a_payload_or_a_graph(make_pipeline):
    class Decoder:
        @hookimpl
        def midspan_decode(self, request):
            return Decoded("number", 1) if request.payload else None

    nobody = make_pipeline(decoder=Decoder)
    assert "no plug-in knows this payload: 0 bytes" in str(ask(nobody, b""))
    assert "no plug-in prepares a payload of kind 'number'" in str(ask(nobody))


def test_reports_of_plugins_are_filed_under_their_names(make_pipeline):
    class Reporter:
        @hookimpl
        def midspan_report(self, record):
            return {"batch": record.batch_size}

        @hookimpl
        def midspan_describe(self):
            return {"version": 3}

        @hookimpl
        def midspan_control(self, request, control):
            return Response({"pong": True}) if control == "ping" else None

    pipeline = make_pipeline(reporter=Reporter, engine=Engine)
    assert ask(pipeline).report["plugins"] == {"reporter": {"batch": 1}}
    assert ask(pipeline, control="catalog").report["plugins"] == {"reporter": {"version": 3}}
    assert ask(pipeline, control="ping").report == {"pong": True}


def test_the_catalog_tells_variants_limits_and_learned_times(make_pipeline):
    pipeline = make_pipeline(engine=Engine)
    before = ask(pipeline, control="catalog").report
    assert before["variants"][0]["server_s"] == {}
    ask(pipeline)
    after = json.loads(json.dumps(ask(pipeline, control="catalog").report))
    assert set(after["variants"][0]["server_s"]) == {"decode", "prepare", "run"}
    assert after["catalog_version"] == 1
    assert after["default"] == "small"
    assert after["limits"] == {"max_payload_bytes": 32 * 2**20, "max_batch_size": 8}
    assert "add" in after["parameters"]
    assert ask(pipeline, control="health").report["counts"] == {"answers": 1}


def test_observers_see_what_was_answered_and_what_was_refused(make_pipeline):
    seen = []

    class Observer:
        @hookimpl
        def midspan_observe(self, record):
            seen.append((record.variant, record.error))

    pipeline = make_pipeline(observer=Observer, engine=Engine)
    pipeline.infer([Request(b"1"), Request(b"x"), Request(b"666"), Request(b"1", parameters={"control": "health"})])
    assert seen == [("small", ""), ("", "bad_payload"), ("small", "plugin_failed")]


def test_of_equal_scores_the_lower_index_comes_first():
    from midspan.report import top

    scores = np.array([1, 3, 3, 0], np.float32)
    assert [row["index"] for row in top(scores, 4, "abcd")] == [1, 2, 0, 3]
    assert [row["score"] for row in top(scores, 9, "abcd")] == [3, 3, 1, 0]
    assert top(scores, 1, "abcd")[0]["score"] == 3
