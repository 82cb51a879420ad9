"""The real model: SmolLM2-135M-Instruct served by llama.cpp's own HTTP server, inside this
process."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

SLOTS = 4
CONTEXT_PER_SLOT = 4096  # tokens; a slot that is full ends its answer with finish_reason "length"
LONGEST_ANSWER = 1024  # tokens; a model this small wanders when it is left alone
PROMPT_CACHE_MIB = 0


def start(*, weights: Path, name: str, host: str, port: int) -> Any:
    """Load `weights` and answer on host:port; returns the running server, which must be kept
    referenced.

    Raises RuntimeError when the model cannot be loaded or the port cannot be bound.
    """
    runtime = import_module("xllamacpp")  # 50 ms and native code: only when it is used
    return runtime.Server(_parameters(runtime, weights, name, host, port))


def _parameters(runtime: Any, weights: Path, name: str, host: str, port: int) -> Any:
    params = runtime.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {name}
    params.hostnames = [host]
    params.port = port
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT_PER_SLOT
    params.n_predict = LONGEST_ANSWER
    params.cpuparams.n_threads = max(1, min(4, os.cpu_count() or 1))
    # Equal requests report equal usage: without this, later ones count part of the prompt as
    # cached.
    params.cache_prompt = False
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.endpoint_slots = False  # would show other callers' prompts
    params.ui = False
    params.verbosity = 0
    return params
