"""How adapters load the pipeline, so that whoever reads the host's log finds the reason where loading failed."""

from __future__ import annotations

import gc
from collections.abc import Callable

from midspan.config import Config, ServerConfig
from midspan.errors import ConfigError
from midspan.hostqueue import Reading
from midspan.pipeline import Pipeline

__all__ = ["CANNOT_LOAD", "load_pipeline"]

CANNOT_LOAD = "midspan cannot load: "
"""What the one line in the log begins with; hosts print tracebacks, each in its own way, around it."""


def load_pipeline(configure: Callable[[], Config], read_queue: Callable[[ServerConfig], Reading]) -> Pipeline:
    """Load the pipeline of the configuration that `configure` reads. Prints the reason, and raises ConfigError.

    `read_queue` reads the host's counters of its queue.
    """
    try:
        pipeline = Pipeline.load(configure(), read_queue=read_queue)
    except ConfigError as error:
        print(CANNOT_LOAD + " ".join(str(error).split()), flush=True)
        raise
    # What is loaded stays for good: without it, the collector has next to nothing to look through while serving.
    gc.collect()
    gc.freeze()
    return pipeline
