"""What a moderation answered, and what the policies of the file make of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.policy.schema import ContentFilter

UNNAMED = "other"
"""The category of an answer that is flagged without saying why."""
_ALIASES = {
    "hateanddiscrimination": "hate",
    "hatespeech": "hate",
    "violenceandthreats": "violence",
    "dangerousandcriminalcontent": "illicit",
    "suicide": "self-harm",
}
"""Names other servers give to the same thing, without case and separators."""


class Garbage(ValueError):
    """An answer that is no moderation."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one policy found: the flagged categories it cares for."""

    policy: str
    action: str
    categories: tuple[str, ...]


def flagged(answer: Any) -> frozenset[str]:
    """The flagged categories of all results together; raises ``Garbage``."""
    results = answer.get("results") if isinstance(answer, Mapping) else None
    if not isinstance(results, list) or not results:
        raise Garbage("no results")
    found: set[str] = set()
    for result in results:
        found |= _categories(result)
    return frozenset(found)


def _categories(result: Any) -> set[str]:
    if not isinstance(result, Mapping):
        raise Garbage("a result is no object")
    categories = result.get("categories")
    if not isinstance(categories, Mapping) or not isinstance(result.get("flagged", False), bool):
        raise Garbage("a result has no categories")
    found = {_name(name) for name, value in categories.items() if value is True}
    return found or ({UNNAMED} if result.get("flagged") else set())


def findings(policies: Iterable[ContentFilter], categories: frozenset[str]) -> list[Finding]:
    """One per policy that cares for a flagged category."""
    found = []
    for policy in policies:
        hit = _matching(policy.config.categories, categories)
        if hit:
            found.append(Finding(policy.name, policy.action, tuple(sorted(hit))))
    return found


def _matching(wanted: Sequence[str], categories: frozenset[str]) -> set[str]:
    """``hate`` means ``hate/threatening`` too; no list means all; so does what has no name."""
    if not wanted:
        return set(categories)
    names = {_name(name) for name in wanted}
    return {
        category
        for category in categories
        if category == UNNAMED
        or any(category == name or category.startswith(f"{name}/") for name in names)
    }


def _name(name: Any) -> str:
    """A category as OpenAI spells it: ``self-harm/intent`` of ``Self_Harm/Intent``."""
    text = str(name).strip().casefold().replace("_", "-").replace(" ", "-")
    bare = text.replace("-", "")
    if bare.startswith("selfharm"):
        text = "self-harm" + bare.removeprefix("selfharm")
    return _ALIASES.get(bare, text)[:60]
