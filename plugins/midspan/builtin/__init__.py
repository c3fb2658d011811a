"""The built-in plug-ins: hook implementations, glue only."""
