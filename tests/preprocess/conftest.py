from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# Shared helpers without making tests a package.
spec = importlib.util.spec_from_file_location("preprocess_pictures", Path(__file__).with_name("pictures.py"))
assert spec
assert spec.loader
module = importlib.util.module_from_spec(spec)
sys.modules["preprocess_pictures"] = module
spec.loader.exec_module(module)
