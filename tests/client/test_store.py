"""What is learned outlives the process; a bad file never costs a request."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from midspan.estimate.linear import OnlineLinear
from midspan.estimate.link import LinkModel
from midspan.routing.route import Part, Route
from midspan_client import Client, Objective
from midspan_client import store as store_module
from midspan_client.learning import Memory
from midspan_client.providers.original import OriginalProvider
from midspan_client.providers.resized import ResizedProvider
from midspan_client.store import EVERYWHERE, FLUSH_S, MAX_NETWORKS, MAX_STATE_BYTES, LogRow, Store

ROW = LogRow(
    at=0.0, origin="o", network="0" * 16, device="d", route="r", provider="p", variant="v", attempts=1, degraded="",
    photo_bytes=9, width_px=3, height_px=2, predicted_bytes_up=1, predicted_device_s=0.1, predicted_send_s=0.1,
    predicted_server_s=0.1, predicted_prepare_s=None, predicted_device_sd_s=None, predicted_send_sd_s=None,
    predicted_server_sd_s=None, bytes_up=1, work_s=0.1, device_s=0.1, send_s=0.1, server_s=None, prepare_s=None,
    total_s=0.3, teaches=True,
)  # fmt: skip
LONG = ROW._replace(origin="o" * 100, device="d" * 100, route="r" * 100, provider="p" * 100, variant="v" * 100)


def rows(path, query):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def size(path):
    """Bytes on disk, the write-ahead log included."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def contents(path):
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_models_come_back(tmp_path):
    path = tmp_path / "s.sqlite"
    model = LinkModel().learn_one((1e5, 0.0), 0.3)
    store = Store(path, "http://a")
    wifi = store.network_id("wifi")
    store.use(wifi)
    store.save(wifi, "link", model.to_dict)
    store.save(EVERYWHERE, "p/m", model.to_dict)
    store.close()
    for origin, network, name, state in [
        ("http://a", "wifi", "link", model.to_dict()), ("http://b", "wifi", "link", None),
        ("http://a", "lte", "link", None), ("http://a", "wifi", "p/m", None),
    ]:  # fmt: skip
        with closing(Store(path, origin)) as again:
            assert again.load(again.network_id(network), name) == state
            assert (again.load(EVERYWHERE, "p/m") is not None) == (origin == "http://a")


def test_the_columns_are_those_of_a_row(tmp_path):
    path = tmp_path / "s.sqlite"
    with closing(Store(path, "o")) as store:
        store.log(ROW)
    columns = rows(path, "PRAGMA table_info(decisions)")
    assert [column[1] for column in columns] == ["id", *LogRow._fields]
    assert rows(path, "SELECT * FROM decisions") == [(1, *ROW)]
    for name in LogRow._fields:
        assert name in LogRow.__doc__ or name.startswith("predicted_")


def test_a_network_is_known_by_a_salted_hash_alone(tmp_path):
    first, second = tmp_path / "1.sqlite", tmp_path / "2.sqlite"
    ids = []
    for path, salt in [(first, b"a"), (first, b"b"), (second, b"c")]:
        with closing(Store(path, "o", urandom=lambda count, salt=salt: salt * count)) as store:
            ids.append(store.network_id("Müller's WLAN"))
            store.use(ids[-1])
            store.save(ids[-1], "link", LinkModel().to_dict)
    assert ids[0] == ids[1] != ids[2]  # the salt is made once a file
    assert ids[0] == "5c266db2f25a7cfd"
    assert Store(None, "o").network_id("home") != Store(None, "o").network_id("home")
    assert rows(first, "SELECT network FROM networks") == [(ids[0],)]


def test_no_name_of_a_network_gets_into_the_file(start, jpeg, tmp_path):
    path = tmp_path / "s.sqlite"
    with Client(
        start().url, providers=[OriginalProvider()], store=path, network="Gretas-WLAN", device="phone"
    ) as client:
        client.classify(jpeg)
        assert client.network == "Gretas-WLAN"
        client.network = "cell-26201-4711"
        client.classify(jpeg)
        client._store.flush(now=True)
        data = contents(path)
    assert b"WLAN" not in data + contents(path)
    assert b"4711" not in data + contents(path)
    networks = rows(path, "SELECT DISTINCT network, device FROM decisions")
    assert len(networks) == 2
    assert all(len(network) == 16 and int(network, 16) >= 0 and device == "phone" for network, device in networks)


def test_the_first_layout_is_dropped_with_its_names(start, jpeg, tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE models (origin TEXT, network TEXT, name TEXT, state TEXT)")
        db.execute("CREATE TABLE decisions (id INTEGER PRIMARY KEY, at REAL, origin TEXT, network TEXT)")
        db.executemany("INSERT INTO decisions VALUES (NULL, 0, 'o', ?)", [("Gretas-WLAN",)] * 1000)
        db.execute("INSERT INTO models VALUES ('o', 'Gretas-WLAN', 'link', '{}')")
        db.execute("PRAGMA user_version=1")
    assert b"WLAN" in contents(path)
    for _ in range(2):
        with Client(start().url, providers=[OriginalProvider()], store=path) as client:
            assert b"WLAN" not in contents(path)  # from the start, also if this process is killed now
            for _ in range(3):
                client.classify(jpeg)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "made anew" in caplog.text
    assert rows(path, "SELECT count(*) FROM decisions") == [(6,)]


def test_two_processes_make_one_file(tmp_path):
    path = tmp_path / "s.sqlite"
    with closing(Store(path, "o")) as one, closing(Store(path, "o")) as other:
        assert one.network_id("n") == other.network_id("n")
        for store in (one, other):
            store.log(ROW)
    assert rows(path, "SELECT count(*) FROM decisions") == [(2,)]


def test_the_networks_used_last_are_kept(tmp_path):
    path = tmp_path / "s.sqlite"
    with closing(Store(path, "o")) as store:
        memory = Memory(store, "home")
        for number in range(3 * MAX_NETWORKS):
            memory.move(f"train {number}")
            memory.link(memory.place)
            memory.learned("link", memory.place)
            memory.move("home")
            memory.link(memory.place)
            assert len(memory._models) <= MAX_NETWORKS + 1
            assert len(store._dirty) + len(store._used) + len(store._networks) <= 3 * MAX_NETWORKS
            if number % 10 == 0:
                store.flush(now=True)
                memory.learned("link", memory.place)
        lately = {store.network_id(name) for name in ["home", *(f"train {n}" for n in range(129, 192))]}
    assert {network for (network,) in rows(path, "SELECT network FROM networks")} == lately
    assert {network for (network,) in rows(path, "SELECT network FROM models")} == lately
    with closing(Store(path, "o")) as store:
        assert store.use(store.network_id("new")) == [store.network_id("train 129")]
        assert store.load(store.network_id("train 129"), "link") is None
        assert store.load(store.network_id("train 130"), "link") is not None


def test_what_another_process_forgot_is_learned_again(tmp_path):
    path = tmp_path / "s.sqlite"
    with closing(Store(path, "o")) as slow, closing(Store(path, "o")) as quick:
        home = Memory(slow, "home")
        for number in range(100):
            Memory(quick, f"train {number}")
        quick.flush(now=True)
        home.link(home.place)
        home.learned("link", home.place)
        slow.flush(now=True)
    assert rows(path, "SELECT count(*) FROM networks") == [(MAX_NETWORKS,)]
    assert rows(path, "SELECT network FROM models") == [(home.place.network,)]


def test_the_file_stops_growing(tmp_path):
    path = tmp_path / "s.sqlite"
    sizes = []
    with closing(Store(path, "o")) as store:
        memory = Memory(store, "home")
        for number in range(150):
            memory.move(f"train {number}")
            for name in ("link", "a", "b", "c"):
                prior = [0.0] * (number % 16 + 1)
                memory.model(memory.place.network, name, lambda prior=prior: OnlineLinear(prior))
            memory.learned("", memory.place)
            for _ in range(250):
                store.log(LONG._replace(degraded="x" * (number * 97 % 500)))
            store.flush(now=True)
            sizes.append(size(path))
    assert rows(path, "SELECT count(*), max(id) FROM decisions") == [(10_000, 37_500)]
    assert max(sizes) < 16e6
    assert max(sizes[100:]) < 1.1 * max(sizes[:100])  # full with the rows of 40 flushes and 64 networks
    print(max(sizes), size(path))
    assert size(path) < 16e6


def test_models_are_bounded_whatever_brings_them(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_MODELS", 10)
    path = tmp_path / "s.sqlite"
    for number in range(8):
        with closing(Store(path, f"http://127.0.0.1:{number}")) as store:
            for name in "abc":
                store.save(EVERYWHERE, name, OnlineLinear((0.0,)).to_dict)
    assert rows(path, "SELECT count(*), min(origin) FROM models") == [(10, "http://127.0.0.1:4")]


@pytest.mark.parametrize("state", [
    lambda: {"x": "y" * MAX_STATE_BYTES}, lambda: {"x": object()}, lambda: 1 / 0,
])  # fmt: skip
def test_a_model_that_cannot_be_written_costs_itself_alone(tmp_path, caplog, state):
    path = tmp_path / "s.sqlite"
    with closing(Store(path, "o")) as store:
        store.save(EVERYWHERE, "p/bad", state)
        store.save(EVERYWHERE, "p/good", OnlineLinear((0.0,)).to_dict)
        store.log(ROW)
    assert rows(path, "SELECT name FROM models") == [("p/good",)]
    assert rows(path, "SELECT count(*) FROM decisions") == [(1,)]
    assert "p/bad is not saved" in caplog.text


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
        now[0] = -1e9  # a clock that is set back puts nothing off
        store.log(ROW)
        store.flush()
        assert rows(path, "SELECT count(*) FROM decisions") == [(2,)]


def test_the_log_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_ROWS", 10)
    path = tmp_path / "s.sqlite"
    with closing(Store(path, "o")) as store:
        for _ in range(5):
            for _ in range(7):
                store.log(ROW)
            store.flush(now=True)
    assert rows(path, "SELECT count(*), max(id) FROM decisions") == [(10, 35)]


def logged(path, columns):
    return rows(path, f"SELECT {columns} FROM decisions")


def test_a_request_is_logged_with_all_that_models_of_time_need(start, jpeg, tmp_path):
    path, server = tmp_path / "s.sqlite", start()
    server.report["stages_s"] = {"queue": 0.0, "decode": 2**-30, "prepare": 2**-31, "run": 5}
    with Client(server.url, objective=Objective("bytes"), providers=[ResizedProvider()], store=path) as client:
        answers = [client.classify(jpeg) for _ in range(2)]
    last = answers[-1]
    assert logged(path, "photo_bytes, width_px, height_px, bytes_up")[-1] == (len(jpeg), 800, 600, last.bytes_up)
    assert logged(path, "predicted_bytes_up, predicted_device_s, predicted_send_s, predicted_server_s")[-1] == (
        last.route.bytes_up, last.route.device_s, last.route.send_s, last.route.server_s
    )  # fmt: skip
    work_s, device_s, send_s, server_s, prepare_s, total_s = logged(
        path, "work_s, device_s, send_s, server_s, prepare_s, total_s"
    )[-1]
    assert 0 < work_s < device_s == last.measured.device_s
    assert (send_s, server_s, total_s) == (last.measured.send_s, last.measured.server_s, last.total_s)
    assert prepare_s == 3 * 2**-31
    assert [bool(teaches) for (teaches,) in logged(path, "teaches")] == [
        True,
        True,
    ]  # the catalog opened the connection


def test_what_the_server_does_not_say_is_null(start, jpeg, tmp_path):
    path, server = tmp_path / "s.sqlite", start()
    server.report["server_s"] = None
    with Client(server.url, providers=[OriginalProvider()], store=path) as client:
        client.classify(jpeg)
    assert logged(path, "server_s, prepare_s, teaches") == [(None, None, 0)]


def test_what_does_not_tell_of_the_link_is_marked(start, jpeg, tmp_path, faults):
    path, server = tmp_path / "s.sqlite", start()
    with Client(server.url, providers=[OriginalProvider()], store=path) as client:
        client.classify(jpeg)
        server.faults.append(lambda handler: faults.send(handler, 503, b"{}"))
        assert client.classify(jpeg).attempts == 2
        client._wire._transport._idle.pop().close()
        client.classify(jpeg)
    assert logged(path, "attempts, teaches") == [(1, 1), (2, 0), (1, 0)]


def test_a_queue_that_hides_the_link_is_marked(start, jpeg, tmp_path):
    path, server = tmp_path / "s.sqlite", start()
    server.report.update(server_s=60.0, queue_max_s=60.0, stages_s={"queue": 60.0})
    with Client(server.url, providers=[OriginalProvider()], store=path) as client:
        client.classify(jpeg)
    assert logged(path, "send_s, teaches") == [(0.0, 0)]


@pytest.mark.parametrize(("stages_s", "logged_s"), [
    ({"queue": 0.0, "decode": 1.0, "prepare": 2.0}, None), ({"queue": 0.0, "decode": 0.0, "prepare": 0.0}, 0.0),
])  # fmt: skip
def test_a_server_cannot_claim_more_than_the_exchange_took(start, jpeg, tmp_path, stages_s, logged_s):
    path, server = tmp_path / "s.sqlite", start()
    server.report.update(server_s=3600.0, stages_s=stages_s)
    outcomes = []

    class Witness(OriginalProvider):
        def learn(self, route, outcome):
            outcomes.append(outcome)

    with Client(server.url, providers=[Witness()], store=path) as client:
        answer = client.classify(jpeg)
    assert outcomes[0].server_s == answer.measured.server_s <= answer.total_s < 60
    assert logged(path, "server_s, prepare_s") == [(answer.measured.server_s, logged_s)]


class Stranger(OriginalProvider):
    """Names and numbers that are allowed, but that no file can hold."""

    def predict(self, candidate, context):
        parts = (Part("device", 1.0, 0.5), Part("link", 2.0), Part("prepare", 3.0, 0.3), Part("fixed", 4.0, 0.4))
        return Route("\ud800" * 200, self.name, "lite0", 10**30, 0, 0, 0, parts=(*parts, Part("own", 1.0)),
                     plan={"variant": candidate.variant})  # fmt: skip

    def learn(self, route, outcome):
        pass


def test_a_strangers_words_cannot_poison_the_log(start, jpeg, tmp_path, caplog):
    path, server = tmp_path / "s.sqlite", start()
    server.report["variant"] = "\ud800" * 200
    with Client(server.url, providers=[Stranger()], store=path) as client:
        assert client.classify(jpeg).degraded == ""
    assert logged(path, "route, variant, predicted_bytes_up") == [("?" * 100, "?" * 100, 2**53)]
    assert logged(
        path, "predicted_prepare_s, predicted_device_sd_s, predicted_send_sd_s, predicted_server_sd_s"
    ) == [(3.0, 0.5, None, 0.5)]  # fmt: skip
    assert caplog.records == []


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


def test_a_file_that_is_damaged_inside(start, jpeg, tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    use(path, start, jpeg)
    whole = path.read_bytes()
    for position in range(1024, len(whole), 4096):
        path.write_bytes(whole[:position] + b"\xff" * 3072 + whole[position + 3072 :])
        caplog.clear()
        assert use(path, start, jpeg)[-1].label == "cat"
        assert len(caplog.records) <= 1
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET value = 'xy'")
    caplog.clear()
    use(path, start, jpeg)
    assert "salt is damaged" in caplog.text


def test_a_file_that_breaks_while_it_is_open(start, jpeg, tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    with Client(start().url, providers=[OriginalProvider()], store=path) as client:
        client.classify(jpeg)
        client._store.flush(now=True)
        client._store._db.execute("DROP TABLE decisions")
        for _ in range(3):
            assert client.classify(jpeg).label == "cat"
            client._store.flush(now=True)
    assert len(caplog.records) == 1
    assert "no such table" in caplog.text


def test_a_file_that_is_locked_while_it_is_opened(start, jpeg, tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE t (x)")
        assert use(path, start, jpeg)[-1].label == "cat"
    assert len(caplog.records) == 1
    assert "locked" in caplog.text


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


def test_a_file_of_somebody_else(caplog):
    """Read-only as an ordinary user finds it, who can neither write the file nor into its directory."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="midspan-readonly-") as directory:
        path = Path(directory, "s.sqlite")
        with closing(Store(path, "o")) as store:
            store.save(EVERYWHERE, "p/m", OnlineLinear((7.0,)).to_dict)
        path.chmod(0o444)
        Path(directory).chmod(0o555)
        try:
            if root:
                os.seteuid(65534)
            with closing(Store(path, "o")) as store:
                for _ in range(3):
                    store.log(ROW)
                    store.save(EVERYWHERE, "p/m", OnlineLinear((8.0,)).to_dict)
                    store.flush(now=True)
        finally:
            if root:
                os.seteuid(0)
            Path(directory).chmod(0o755)
        assert len(caplog.records) == 1
        assert "7.0" in rows(path, "SELECT state FROM models")[0][0]


def test_a_newer_layout_is_left_alone(start, jpeg, tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    use(path, start, jpeg)
    assert "version 99" in caplog.text
    assert rows(path, "SELECT count(*) FROM sqlite_master") == [(0,)]


@pytest.mark.parametrize("version", [0, 1, 2])
def test_another_programs_file_is_left_alone(start, jpeg, tmp_path, caplog, version):
    path = tmp_path / "s.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE models (x)")
        db.execute(f"PRAGMA user_version={version}")
    whole = contents(path)
    use(path, start, jpeg)
    assert [record.message.rpartition(": ")[2] for record in caplog.records] == ["is another program's file"]
    assert contents(path) == whole


MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e12) SELECT count(*) FROM n"
HOSTILE = {
    "trigger": ["CREATE TRIGGER t AFTER INSERT ON decisions BEGIN DELETE FROM models; END"],
    "endless trigger": [f"CREATE TRIGGER t AFTER INSERT ON decisions BEGIN INSERT INTO networks {MANY}; END"],
    "view": ["CREATE VIEW v AS SELECT 1"],
    "view in place": ["ALTER TABLE networks RENAME TO n", f"CREATE VIEW networks AS {MANY}", "DROP TABLE n"],
    "computed column": ["ALTER TABLE decisions ADD COLUMN big AS (length(zeroblob(1e9)))"],
    "index": ["CREATE INDEX i ON decisions (length(zeroblob(1e9 + id)))"],
    "table": ["CREATE TABLE another (x)"],
    "virtual table": ["DROP TABLE networks", "CREATE VIRTUAL TABLE networks USING rtree(id, network, x)"],
}


@pytest.mark.parametrize("statements", HOSTILE.values(), ids=HOSTILE)
def test_a_file_in_which_something_else_would_run_is_left_alone(start, jpeg, tmp_path, caplog, statements):
    path = tmp_path / "s.sqlite"
    Store(path, "o").close()
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)
    whole = contents(path)
    assert use(path, start, jpeg)[-1].label == "cat"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "going on in memory" in caplog.text
    assert contents(path) == whole


@pytest.mark.parametrize("extra", ["TRIGGER t AFTER DELETE ON decisions BEGIN SELECT 1; END", "VIEW v AS SELECT 1"])
def test_the_first_layout_may_hold_nothing_else_either(start, jpeg, tmp_path, caplog, extra):
    path = tmp_path / "s.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE models (x)")
        db.execute("CREATE TABLE decisions (x)")
        db.execute(f"CREATE {extra}")
        db.execute("PRAGMA user_version=1")
    whole = contents(path)
    use(path, start, jpeg)
    assert "is another program's file" in caplog.text
    assert contents(path) == whole


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


def test_a_model_of_another_shape_is_dropped(tmp_path, caplog):
    for size, seen in [(2, 0), (2, 1), (3, 0)]:  # the last is another version, with one feature more
        with closing(Store(tmp_path / "s.sqlite", "o")) as store:
            memory = Memory(store, "home")
            model = memory.model(EVERYWHERE, "p/m", lambda size=size: OnlineLinear([0.0] * size))
            assert (len(model.weights_), model.seen_) == (size, seen)
            model.learn_one([1.0] * size, 1.0)
            memory.learned("p/", memory.place)
    assert "another shape" in caplog.text
