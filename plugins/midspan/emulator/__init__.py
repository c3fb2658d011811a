"""A TCP proxy that behaves like a mobile link."""

from __future__ import annotations

from midspan.emulator.link import PROFILES, LinkProfile, LinkTrace, TraceStep, named_profile
from midspan.emulator.proxy import LinkEmulator
from midspan.emulator.tracefile import read_trace

__all__ = ["PROFILES", "LinkEmulator", "LinkProfile", "LinkTrace", "TraceStep", "named_profile", "read_trace"]
