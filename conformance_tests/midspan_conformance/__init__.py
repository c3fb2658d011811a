"""Checks that a server or a plug-in keeps Midspan's contract."""
