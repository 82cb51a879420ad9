"""What policies make of the categories of a moderation."""

from typing import Any

import pytest

from gateway.moderation import verdict
from gateway.policy.schema import ContentFilter, ContentFilterConfig


def policy(*categories: str, name: str = "filter", action: str = "flag") -> ContentFilter:
    config = ContentFilterConfig(categories=list(categories))
    return ContentFilter(name=name, type="content_filter", action=action, config=config)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "flagged", "found"),
    [
        (["hate"], {"hate"}, ("hate",)),
        (["hate"], {"hate/threatening"}, ("hate/threatening",)),
        (["hate/threatening"], {"hate"}, None),
        (["hat"], {"hate"}, None),
        (["self_harm"], {"self-harm/intent"}, ("self-harm/intent",)),
        (["Violence"], {"violence/graphic", "sexual"}, ("violence/graphic",)),
        ([], {"sexual", "hate"}, ("hate", "sexual")),
        (["hate"], {verdict.UNNAMED}, (verdict.UNNAMED,)),
        (["hate"], set(), None),
    ],
)
def test_a_policy_finds_its_categories_and_what_is_below_them(
    wanted: list[str], flagged: set[str], found: tuple[str, ...] | None
) -> None:
    answer = verdict.findings([policy(*wanted)], frozenset(flagged))

    assert [one.categories for one in answer] == ([found] if found is not None else [])


@pytest.mark.parametrize(
    ("categories", "found"),
    [
        ({"hate": True, "sexual": False}, {"hate"}),
        ({"SelfHarm": True}, {"self-harm"}),
        ({"self_harm/intent": True}, {"self-harm/intent"}),
        ({"hate_and_discrimination": True}, {"hate"}),
        ({}, {verdict.UNNAMED}),
    ],
)
def test_categories_of_other_servers_have_their_usual_names(
    categories: dict[str, bool], found: set[str]
) -> None:
    answer = {"results": [{"flagged": True, "categories": categories}]}

    assert verdict.flagged(answer) == found


def test_the_results_of_all_texts_count() -> None:
    answer = {
        "results": [
            {"flagged": False, "categories": {"hate": False}},
            {"flagged": True, "categories": {"violence": True}},
        ]
    }

    assert verdict.flagged(answer) == {"violence"}


@pytest.mark.parametrize(
    "answer",
    [
        None, [], {}, {"results": []}, {"results": ["x"]}, {"results": [{"flagged": True}]},
        {"results": [{"categories": []}]}, {"results": [{"flagged": "no", "categories": {}}]},
    ],
)  # fmt: skip
def test_what_is_no_moderation_is_told_apart(answer: Any) -> None:
    with pytest.raises(verdict.Garbage):
        verdict.flagged(answer)
