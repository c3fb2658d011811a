"""Writing what an existing server loads, and starting a local one."""
