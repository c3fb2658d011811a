"""Midspan: plug-ins that join a device and a model server into one inference."""

__version__ = "0.1.0"
