"""The roles matrix: every operation, tried by everybody, against acme's own things.

``stranger`` is the admin of another organisation: acme's ids are 404 for them, like unknown ones.
"""

from typing import Any

import pytest

from tests import factories
from tests.api.conftest import World
from wallets.models import Limit

ROLES = ("admin", "billing_admin", "auditor", "lead", "member", "stranger", "nobody")


def _ids(world: World) -> dict[str, str]:
    """Public ids of one thing of each kind, all of acme."""
    event = factories.spend(world.wallet(world.engineering), 1)
    account = factories.make_service_account(world.acme)
    limit = Limit.objects.create(
        organization=world.acme, team=world.engineering, period="day", amount=1
    )
    return {
        "org_wallet": world.wallet().public_id,
        "team_wallet": world.wallet(world.engineering).public_id,
        "member_wallet": world.member_wallet.public_id,
        "member": world.member.public_id,
        "lead": world.lead.public_id,
        "group": world.group.public_id,
        "group_key": factories.make_group_key(world.group).key.public_id,
        "member_key": factories.make_personal_key(world.engineering, world.member).key.public_id,
        "account_token": factories.make_token(world.acme, service_account=account).token.public_id,
        "account": account.public_id,
        "limit": limit.public_id,
        "event": event.pk,
    }


def _all(status: int, **others: int) -> dict[str, int]:
    return {**dict.fromkeys(ROLES, status), "stranger": 404, "nobody": 401, **others}


TEAM = {"team_id": "team_engineering"}
PRICE = {
    "provider": "openai", "model": "m", "input_cost_per_1k_tokens": 1,
    "output_cost_per_1k_tokens": 1,
}  # fmt: skip

MATRIX: list[tuple[str, str, dict[str, Any] | None, dict[str, int]]] = [
    ("GET", "wallets/{org_wallet}", None, _all(200, lead=403, member=403)),
    ("GET", "wallets/{team_wallet}", None, _all(200, member=403)),
    ("GET", "wallets/{member_wallet}", None, _all(200)),
    ("GET", "wallets/{team_wallet}/transactions", None, _all(200, member=403)),
    ("GET", "wallets/{team_wallet}/history", None, _all(200, member=403)),
    ("GET", "wallets/balance?team_id=team_engineering", None, _all(200, member=403)),
    (
        "GET", "wallets/balance?team_id=team_engineering&user_id={member}", None, _all(200),
    ),
    ("GET", "wallets/balance", None, _all(200, lead=403, member=403, stranger=200)),
    ("PATCH", "wallets/{team_wallet}", {"frozen": True},
     _all(403, admin=200, billing_admin=200)),
    ("POST", "wallets/allocate", {**TEAM, "amount": 1}, _all(403, admin=200, billing_admin=200)),
    ("POST", "wallets/allocate", {"user_id": "{member}", "amount": 1},
     _all(403, admin=200, billing_admin=200, lead=200)),
    ("POST", "wallets/allocate/bulk", {"allocations": [{**TEAM, "amount": 1}]},
     _all(403, admin=200, billing_admin=200)),
    ("POST", "wallets/reclaim", {**TEAM, "amount": 1}, _all(403, admin=200, billing_admin=200)),
    ("POST", "wallets/reclaim", {"user_id": "{member}", "amount": 1},
     _all(403, admin=200, billing_admin=200, lead=200)),
    ("POST", "wallets/credit", {"amount": 1, "description": "x"},
     _all(403, admin=200, billing_admin=200, stranger=200)),
    ("POST", "wallets/adjust", {"event_id": "{event}", "amount": 1, "description": "x"},
     _all(403, admin=200, billing_admin=200)),
    ("POST", "wallets/users", {**TEAM, "user_id": "{lead}", "amount": 1},
     _all(403, admin=201, billing_admin=201, lead=201, member=404)),
    ("GET", "limits", None, _all(200, stranger=200)),
    ("POST", "limits", {**TEAM, "period": "day", "amount": 1}, _all(403, admin=200)),
    ("POST", "limits", {**TEAM, "user_id": "{member}", "period": "day", "amount": 1},
     _all(403, admin=200, lead=200)),
    ("POST", "limits", {"period": "day", "amount": 1}, _all(403, admin=200, stranger=200)),
    ("DELETE", "limits/{limit}", None, _all(403, admin=204)),
    ("GET", "teams", None, _all(200, stranger=200)),
    ("GET", "teams/team_engineering", None, _all(200)),
    ("GET", "teams/team_marketing", None, _all(200, lead=404, member=404)),
    ("PATCH", "teams/team_engineering", {"name": "E"}, _all(403, admin=200)),
    ("POST", "teams", {"slug": "new", "name": "New", "draws_on_organization": True},
     _all(403, admin=201, stranger=201)),
    ("GET", "teams/team_engineering/members", None, _all(200, member=403)),
    ("POST", "teams/team_engineering/members", {"user_id": "{member}"},
     _all(403, admin=200, lead=200)),
    ("DELETE", "teams/team_engineering/members/{member}", None, _all(403, admin=204, lead=204)),
    ("GET", "users", None, _all(200, stranger=200)),
    ("GET", "users/{member}", None, _all(200)),
    ("GET", "users/{lead}", None, _all(200, member=404)),
    ("POST", "users", {"username": "new"}, _all(403, admin=201, stranger=201)),
    ("PATCH", "users/{member}", {"role": "auditor"}, _all(403, admin=200)),
    ("DELETE", "users/{member}", None, _all(403, admin=204)),
    ("GET", "consumer-groups", None, _all(200, stranger=200)),
    ("GET", "consumer-groups/{group}", None, _all(200, billing_admin=403, member=403)),
    ("POST", "consumer-groups", {**TEAM, "name": "n"}, _all(403, admin=201, lead=201)),
    ("PATCH", "consumer-groups/{group}", {"name": "n"}, _all(403, admin=200, lead=200)),
    ("DELETE", "consumer-groups/{group}", None, _all(403, admin=204, lead=204)),
    ("GET", "keys", None, _all(200, stranger=200)),
    ("GET", "keys/{group_key}", None, _all(200, billing_admin=403, member=403)),
    ("GET", "keys/{member_key}", None, _all(200, billing_admin=403)),
    ("POST", "keys", {"consumer_group_id": "{group}"}, _all(403, admin=201, lead=201)),
    ("POST", "keys/{group_key}/rotate", {}, _all(403, admin=201, lead=201)),
    ("POST", "keys/{member_key}/rotate", {}, _all(403, member=201)),
    ("DELETE", "keys/{group_key}", None, _all(403, admin=204, lead=204)),
    ("DELETE", "keys/{member_key}", None, _all(403, admin=204, lead=204, member=204)),
    ("GET", "tokens", None, _all(200, stranger=200)),
    ("GET", "tokens/{account_token}", None, _all(403, admin=200, auditor=200)),
    ("POST", "tokens", {"role": "member"}, _all(201, auditor=403, stranger=201)),
    ("POST", "tokens", {"role": "member", "service_account_id": "{account}"},
     _all(403, admin=201)),
    ("DELETE", "tokens/{account_token}", None, _all(403, admin=204)),
    ("GET", "service-accounts", None,
     _all(403, admin=200, auditor=200, stranger=200)),
    ("POST", "service-accounts", {"name": "n"}, _all(403, admin=201, stranger=201)),
    ("DELETE", "service-accounts/{account}", None, _all(403, admin=204)),
    ("GET", "stops", None, _all(200, lead=403, member=403, stranger=200)),
    ("POST", "stops", {"scope": "team", "target": "team_engineering"}, _all(403, admin=201)),
    ("POST", "stops", {"scope": "key", "target": "{member_key}"},
     _all(403, admin=201, lead=201, member=201)),
    ("GET", "audit-log", None, _all(403, admin=200, auditor=200, stranger=200)),
    ("GET", "events", None, _all(200, stranger=200)),
    ("GET", "events?team=engineering", None, _all(200)),
    ("GET", "events/{event}", None, _all(200, member=404)),
    ("GET", "usage", None, _all(200, stranger=200)),
    ("GET", "spend", None, _all(200, member=403, stranger=200)),
    ("GET", "spend?team=engineering", None, _all(200, member=403)),
    ("GET", "model-pricing", None, _all(200, stranger=200)),
    ("POST", "model-pricing", PRICE, _all(403, admin=201, stranger=201)),
]  # fmt: skip


def _filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, ids) for item in value]
    return value.format(**ids) if isinstance(value, str) else value


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    MATRIX,
    ids=[f"{method} {path} {number}" for number, (method, path, *_) in enumerate(MATRIX)],
)
def test_who_may_do_what(
    world: World,
    role: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    statuses: dict[str, int],
) -> None:
    ids = _ids(world)
    before = world.balances()
    answer = world.callers[role].call(method, path.format(**ids), _filled(body, ids))
    assert answer.status == statuses[role], answer.text
    if answer.status >= 400:
        assert answer.error["message"]
        assert world.balances() == before
