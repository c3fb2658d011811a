"""A TCP proxy that behaves like a mobile link."""
