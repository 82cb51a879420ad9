"""The tokenizers of OpenAI's models, by bpe-openai.

The compiled binding is called directly: it counts without making a list. The package's own class
makes lists and refuses texts of 1,000,000 characters or 200,000 tokens. Special tokens such as
``<|endoftext|>`` in a text are text to both. A long text is counted in chunks, because other
threads stand still while one is counted (2 ms).
"""

from functools import cache, lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

O200K = "o200k_base"
CL100K = "cl100k_base"
CHUNK = 100_000
"""Characters counted at once. A cut adds at most a few tokens: a bound stays a bound."""

# Longest first within what overlaps: `gpt-4o` and `gpt-4.1` before `gpt-4`.
_FAMILIES = (
    *((prefix, O200K) for prefix in ("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-6")),
    *((prefix, O200K) for prefix in ("chatgpt-4o", "o1", "o3", "o4", "gpt-oss", "gpt-audio")),
    *((prefix, CL100K) for prefix in ("gpt-4", "gpt-3.5", "gpt-35", "text-embedding-")),
)


@lru_cache(maxsize=4096)
def family(model: str) -> str | None:
    """The encoding that ``model`` is known to use, or None. Fine-tuned models use their base's."""
    name = model.lower().removeprefix("ft:")
    for prefix, encoding in _FAMILIES:
        longer = name[len(prefix) :][:1].isdigit() and not prefix.endswith("-")
        if name.startswith(prefix) and not longer:
            return encoding
    return None


@cache
def _binding() -> Any:
    """The compiled part alone: its package reads every vocabulary into Python dictionaries too.

    That would cost each gateway process 60 MB and half a second, for nothing that is used here.
    """
    package = find_spec("bpe_openai")
    folders = package.submodule_search_locations if package else None
    for path in (Path(folder) for folder in folders or ()):
        for suffix in EXTENSION_SUFFIXES:
            spec = spec_from_file_location("_bindings", path / f"_bindings{suffix}")
            if spec and spec.loader and (path / f"_bindings{suffix}").exists():
                module = module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    raise ImportError("bpe-openai has no compiled part here; install its wheel")


@cache
def _tokenizer(encoding: str) -> Any:
    return _binding().tokenizer_for_encoding(encoding)


def count(encoding: str, text: str) -> int:
    """Tokens of ``text``."""
    tokenizer = _tokenizer(encoding)
    if len(text) <= CHUNK:
        return _counted(tokenizer, text)
    return sum(
        _counted(tokenizer, text[start : start + CHUNK]) for start in range(0, len(text), CHUNK)
    )


def _counted(tokenizer: Any, text: str) -> int:
    try:
        found: int = tokenizer.count(text)
    except UnicodeEncodeError:
        # Half a surrogate pair is no character; providers read a replacement character instead.
        found = tokenizer.count(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return found


def warm() -> None:
    """Load both encodings now (about 0.1 s, 100 MB) and not at the first request."""
    for encoding in (O200K, CL100K):
        count(encoding, "warm")
