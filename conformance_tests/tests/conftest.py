from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# Shared helpers without making tests a package.
for name in ("tiny_server", "mutants"):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
