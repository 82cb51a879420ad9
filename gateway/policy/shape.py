"""Checks a document against the schema and says in plain words what does not fit."""

import re
import types
import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from gateway.policy import aliases
from gateway.policy.problems import did_you_mean
from gateway.policy.schema import PolicyDocument
from gateway.policy.source import Path

Misfit = tuple[Path, str, str]
"""Where, what is wrong, and a suggestion (may be empty)."""

_PATTERNS = {
    "api_key": "must start with 'kt_cg_' and have no spaces",
    "env": "must be the name of an environment variable, such as OPENAI_API_KEY",
    "token_env": "must be the name of an environment variable, such as KEEPTRUSTS_API_TOKEN",
}
_SHORT_NAME = "must be letters, digits, '.', '_' or '-', at most 60"
_EXPECTED = {
    "model_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
    "list_type": "must be a list",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def check(value: Any) -> tuple[PolicyDocument | None, list[Misfit]]:
    """The document, or None and everything that keeps ``value`` from being one."""
    if not isinstance(value, dict):
        return None, [((), "a policy file is a mapping that begins with version: '1'", "")]
    try:
        return PolicyDocument.model_validate(value), []
    except ValidationError as error:
        return None, [_misfit(details) for details in error.errors(include_url=False)]


def _misfit(details: Any) -> Misfit:
    path: Path = tuple(details["loc"])
    kind, context = details["type"], details.get("ctx", {})
    name = str(path[-1]) if path else "the file"
    if kind == "extra_forbidden":
        known = known_keys(path[:-1])
        return (path, f"unknown key '{name}'", did_you_mean(name, known) or _all_of(known))
    if kind == "missing":
        return path, f"'{name}' is missing", ""
    if kind == "literal_error":
        choices = context["expected"].replace("True", "true").replace("False", "false")
        return path, f"'{name}' must be {choices}", _near(details["input"], choices)
    if kind == "string_pattern_mismatch":
        return path, f"'{name}' {_PATTERNS.get(name, _SHORT_NAME)}", ""
    return path, f"'{name}' {_EXPECTED.get(kind) or _plain(details['msg'])}", ""


def _plain(message: str) -> str:
    return message.replace("Input should", "must").replace("String should", "must")


def _near(given: Any, choices: str) -> str:
    """The choice that was meant; a single one has just been named."""
    words = re.findall(r"[\w-]+", choices)
    return did_you_mean(str(given), words) if len(words) > 1 else ""


def _all_of(known: list[str]) -> str:
    return f"known here: {', '.join(known)}" if known else ""


def known_keys(path: Path) -> list[str]:
    """The keys, aliases included, that a mapping at ``path`` may have."""
    return sorted(fields(path) + list(_aliases(path)))


def fields(path: Path) -> list[str]:
    """The proper keys that a mapping at ``path`` may have."""
    model: Any = PolicyDocument
    for step in path:
        model = _step(model, step)
    return list(model.model_fields) if _is_section(model) else []


def _aliases(path: Path) -> dict[str, str]:
    if path == ():
        return aliases.SECTIONS | dict.fromkeys(aliases.BUDGET_ALERTS, "")
    if path == ("cost_tracking",):
        return aliases.COST_TRACKING
    return aliases.GROUP if path[:1] == ("consumer_groups",) and len(path) == 2 else {}


def _step(model: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return _unwrap(typing.get_args(model)[0]) if typing.get_args(model) else None
    field = model.model_fields.get(step) if _is_section(model) else None
    return _unwrap(field.annotation) if field is not None else None


def _unwrap(annotation: Any) -> Any:
    """The section or list behind ``X | None`` and ``Annotated``."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _unwrap(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return _unwrap(next(a for a in typing.get_args(annotation) if a is not type(None)))
    return annotation


def _is_section(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)
