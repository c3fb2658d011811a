"""What is learned outlives the process; a bad file never costs a request."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing

import pytest

from midspan.estimate.link import LinkModel
from midspan_client import Client
from midspan_client import store as store_module
from midspan_client.providers.original import OriginalProvider
from midspan_client.store import FLUSH_S, Store

ROW = (0.0, "o", "n", "r", "p", "v", 1, "", 1, 0.1, 0.1, 0.1, 1, 0.1, 0.1, 0.1, 0.3)


def rows(path, query):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def test_models_come_back(tmp_path):
    path = tmp_path / "s.sqlite"
    model = LinkModel().learn_one(1e5, 0.3)
    store = Store(path, "http://a")
    store.save("wifi", "link", model.to_dict)
    store.close()
    assert Store(path, "http://a").load("wifi", "link") == model.to_dict()
    assert Store(path, "http://b").load("wifi", "link") is None
    assert Store(path, "http://a").load("lte", "link") is None


def test_writes_are_gathered(tmp_path):
    now = [0.0]
    path = tmp_path / "s.sqlite"
    with closing(Store(path, "o", lambda: now[0])) as store:
        store.log(ROW)
        store.flush()
        assert rows(path, "SELECT count(*) FROM decisions") == [(0,)]
        now[0] = FLUSH_S
        store.flush()
        assert rows(path, "SELECT count(*) FROM decisions") == [(1,)]


def test_the_log_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_ROWS", 10)
    path = tmp_path / "s.sqlite"
    with closing(Store(path, "o")) as store:
        for _ in range(5):
            for _ in range(7):
                store.log(ROW)
            store.flush(now=True)
    assert rows(path, "SELECT count(*), max(id) FROM decisions") == [(10, 35)]


def use(path, start, jpeg):
    with Client(start().url, providers=[OriginalProvider()], store=path) as client:
        answers = [client.classify(jpeg) for _ in range(3)]
        client._store.flush(now=True)
        client._store.flush(now=True)
    return answers


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file(start, jpeg, tmp_path, caplog, content):
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    assert use(path, start, jpeg)[-1].label == "cat"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert path.read_bytes() == content


def test_a_directory_in_its_place_and_one_that_is_missing(start, jpeg, tmp_path, caplog):
    use(tmp_path, start, jpeg)
    use(tmp_path / "no" / "such" / "s.sqlite", start, jpeg)
    assert len(caplog.records) == 2


def test_a_locked_file(start, jpeg, tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    use(path, start, jpeg)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        use(path, start, jpeg)
    assert len(caplog.records) == 1
    assert "locked" in caplog.text
    assert rows(path, "SELECT count(*) FROM decisions") == [(3,)]


def test_a_file_that_is_full(start, jpeg, tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    with Client(start().url, providers=[OriginalProvider()], store=path) as client:
        client._store._db.execute("PRAGMA max_page_count=1")
        for _ in range(600):
            client._store.log(ROW)
        client._store.flush(now=True)
        assert client.classify(jpeg).label == "cat"
    assert len(caplog.records) == 1
    assert "full" in caplog.text


def test_a_file_that_may_not_be_written(start, jpeg, tmp_path, caplog):
    with Client(start().url, providers=[OriginalProvider()], store=tmp_path / "s.sqlite") as client:
        client._store._db.execute("PRAGMA query_only=1")  # as read-only as root can be made to find it
        for _ in range(3):
            assert client.classify(jpeg).label == "cat"
            client._store.flush(now=True)
    assert len(caplog.records) == 1
    assert "readonly" in caplog.text


def test_a_newer_layout_is_left_alone(start, jpeg, tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    use(path, start, jpeg)
    assert "version 99" in caplog.text
    assert rows(path, "SELECT count(*) FROM sqlite_master") == [(0,)]


@pytest.mark.parametrize("state", ["{}", "[]", "null", "nonsense", '{"linear": {"weights": [1e999]}}', "deep"])
def test_a_damaged_model_is_dropped(start, jpeg, tmp_path, state):
    path, server = tmp_path / "s.sqlite", start()
    with Client(server.url, providers=[OriginalProvider()], store=path) as client:
        client.classify(jpeg)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE models SET state = ?", ("[" * 60_000 if state == "deep" else state,))
    with Client(server.url, providers=[OriginalProvider()], store=path) as client:
        assert client.classify(jpeg).label == "cat"
    assert all(isinstance(json.loads(row[0]), dict) for row in rows(path, "SELECT state FROM models"))


def test_a_model_of_another_shape_is_dropped(start, jpeg, tmp_path):
    path, server = tmp_path / "s.sqlite", start()
    with Client(server.url, providers=[OriginalProvider()], store=path) as client:
        client.classify(jpeg)
    state = json.loads(rows(path, "SELECT state FROM models WHERE name = 'original/server/lite0'")[0][0])
    linear = state["linear"]
    for name in ("prior_mean", "prior_weight", "weights"):
        linear[name] = [*linear[name], 1.0]
    linear["covariance"] = [[1.0] * 3] * 3
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE models SET state = ? WHERE name = 'original/server/lite0'", (json.dumps(state),))
    with Client(server.url, providers=[OriginalProvider()], store=path) as client:
        assert client.classify(jpeg).warnings == ()
