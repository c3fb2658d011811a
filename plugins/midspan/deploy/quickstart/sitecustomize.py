"""Spares TorchServe's workers the import of torch: 1.5 s of the 2.5 s after which a killed worker is back, and 200 MB.

Python runs this at the start of every worker of `midspan serve`, whose PYTHONPATH names this directory. In a worker,
TorchServe's own code imports torch only to ask whether a handler returned a tensor. While that one module is imported,
a stand-in answers to the name; afterwards `import torch` means torch again, for handlers and plug-ins alike.
"""

import importlib.util
import sys
import types
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

MODULE = "ts.protocol.otf_message_handler"


class StandIn(types.ModuleType):
    """Torch where somebody has imported it, else the knowledge that then nothing can be a tensor."""

    def __getattr__(self, name: str) -> Any:
        real = sys.modules.get("torch")
        if real is None and name == "Tensor":
            return type("NoTensor", (), {})
        return getattr(real or importlib.import_module("torch"), name)


class StandInLoader(Loader):
    """Loads the module as `loader` would, with the stand-in in the place of torch."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        """As `loader` does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module; a torch that is there already stays."""
        if "torch" in sys.modules:
            self._loader.exec_module(module)
            return
        sys.modules["torch"] = StandIn("torch")
        try:
            self._loader.exec_module(module)
        finally:
            del sys.modules["torch"]


class StandInFinder(MetaPathFinder):
    """Finds that one module, once."""

    def find_spec(self, name: str, path: Any, target: types.ModuleType | None = None) -> ModuleSpec | None:
        """The module's own spec, with the loader around its loader."""
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = StandInLoader(spec.loader)
        return spec


sys.meta_path.insert(0, StandInFinder())
