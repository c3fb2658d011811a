"""The tables of the store, in sqlite's SQL."""

from __future__ import annotations

__all__ = ["SCHEMA", "TABLES", "TRIM", "VERSION"]

VERSION = 2
TABLES = {1: {"models", "decisions"}, VERSION: {"meta", "networks", "models", "decisions"}}
"""By version of the layout."""
# A row that is replaced gets a new, highest id: so ids tell in all three tables what is newest, and no clock is asked.
SCHEMA = """
BEGIN IMMEDIATE;
DROP TABLE IF EXISTS models;
DROP TABLE IF EXISTS decisions;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE networks (id INTEGER PRIMARY KEY, network TEXT NOT NULL UNIQUE);
CREATE TABLE models (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL, network TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
    UNIQUE (origin, network, name));
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY, at REAL, origin TEXT, network TEXT, device TEXT, route TEXT, provider TEXT, variant TEXT,
    attempts INTEGER, degraded TEXT, photo_bytes INTEGER, width_px INTEGER, height_px INTEGER,
    predicted_bytes_up INTEGER, predicted_device_s REAL, predicted_send_s REAL, predicted_server_s REAL,
    predicted_prepare_s REAL, predicted_device_sd_s REAL, predicted_send_sd_s REAL, predicted_server_sd_s REAL,
    bytes_up INTEGER, work_s REAL, device_s REAL, send_s REAL, server_s REAL, prepare_s REAL, total_s REAL,
    teaches INTEGER);
"""
"""Begins a transaction, drops the tables of the first layout, and makes this one's."""
TRIM = (
    "DELETE FROM networks WHERE id <= (SELECT id FROM networks ORDER BY id DESC LIMIT 1 OFFSET :networks)",
    "DELETE FROM models WHERE network != '' AND network NOT IN (SELECT network FROM networks)",
    "DELETE FROM models WHERE id <= (SELECT id FROM models ORDER BY id DESC LIMIT 1 OFFSET :models)",
    "DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - :rows",
)
"""Keeps the newest: so many :networks, :models, :rows."""
