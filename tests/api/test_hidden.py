"""What somebody may not know of is answered in the words for what does not exist."""

import pytest

from tests import factories
from tests.api.conftest import World

UNKNOWN = {
    "teams/team_marketing": "There is no team team_marketing.",
    "teams/marketing": "There is no team marketing.",
    "teams/team_marketing/members": "There is no team team_marketing.",
    "teams/team_nowhere": "There is no team team_nowhere.",
}


@pytest.mark.parametrize("path", UNKNOWN)
def test_a_team_of_others_is_answered_like_an_unknown_one(world: World, path: str) -> None:
    answer = world.callers["member"].get(path)
    assert answer.status == 404
    assert answer.error["message"] == UNKNOWN[path]


def test_a_person_a_wallet_and_a_group_of_others_are_answered_like_unknown_ones(
    world: World,
) -> None:
    group = factories.make_consumer_group(world.marketing)
    wallet = world.wallet(world.marketing)
    named = {
        f"users/{world.lead.public_id}": f"user {world.lead.public_id}",
        f"wallets/{wallet.public_id}": f"wallet {wallet.public_id}",
        f"wallets/{wallet.public_id}/transactions": f"wallet {wallet.public_id}",
        f"consumer-groups/{group.public_id}": f"consumer group {group.public_id}",
    }
    for path, name in named.items():
        answer = world.callers["member"].get(path)
        assert (answer.status, answer.error["message"]) == (
            404,
            f"There is no {name}.",
        )
