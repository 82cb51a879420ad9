"""Limits and draw caps, as holds meet them."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from keeptrusts.lib import ids
from tests.factories import hold as hold_wallet
from tests.factories import (
    make_organization,
    make_personal_key,
    make_team,
    make_user,
    nano,
    organization_wallet,
    settle,
    team_wallet,
)
from wallets import allocations, cascade, keys, ledger, limits, people, tenancy
from wallets.errors import InvalidInput
from wallets.ledger import Result
from wallets.models import Limit, LimitCounter, Organization, Team, User, Wallet
from wallets.verification import verify

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


@pytest.fixture
def organization() -> Organization:
    return make_organization(credit=1000)


@pytest.fixture
def team(organization: Organization) -> Team:
    return make_team(organization, balance=100)


@pytest.fixture
def user(organization: Organization, team: Team) -> User:
    user = make_user(organization, member_of=(team,))
    Wallet.objects.create(
        organization=organization, scope="user", team=team, user=user, parent=team_wallet(team)
    )
    return user


def reserve(
    team: Team,
    dollars: object,
    *,
    user: User | None = None,
    key_id: int | None = None,
    at: datetime | None = None,
) -> Result:
    """A hold as the gateway takes it: limits and cascade from rows in memory."""
    at = at or timezone.now()
    organization = team.organization
    cards = {
        wallet.pk: cascade.WalletCard.of(wallet)
        for wallet in Wallet.objects.filter(organization=organization)
    }
    own = [card for card in cards.values() if card.team_id == team.pk]
    lowest = next(card for card in own if card.user_id == (user.pk if user else None))
    consumer = limits.Consumer(
        organization_id=organization.pk, zone=organization.time_zone, team_id=team.pk,
        user_id=user.pk if user else None, key_id=key_id,
    )  # fmt: skip
    rules = limits.rules([organization.pk]).get(organization.pk, {})
    operation = ledger.Reserve(
        organization_id=organization.pk, id=ids.uuid7(), amount=nano(dollars),  # type: ignore[arg-type]
        candidates=cascade.candidates(lowest, cards, consumer, at),
        counters=limits.uses(rules, consumer, at),
        team_id=team.pk, user_id=user.pk if user else None, key_id=key_id,
    )  # fmt: skip
    return ledger.post([operation])[0]


def paid_by(result: Result) -> str:
    assert result.refusal is None
    return Wallet.objects.get(pk=result.wallet_id).scope


def settle_at(reservation: UUID | None, dollars: object) -> None:
    assert reservation is not None
    from wallets.models import Reservation

    settle(Reservation.objects.get(pk=reservation), dollars)  # type: ignore[arg-type]


def test_the_first_scope_that_covers_the_whole_amount_pays(team: Team, user: User) -> None:
    allocations.allocate(
        organization=team.organization, target=Wallet.objects.get(scope="user"), amount=nano(5),
        actor="user_x",
    )  # fmt: skip
    assert [paid_by(reserve(team, amount, user=user)) for amount in (5, 1, 94, 2)] == [
        "user", "team", "team", "organization",
    ]  # fmt: skip


def test_a_team_that_may_not_draw_is_refused(organization: Organization) -> None:
    team = make_team(organization, balance=1, draws_on_parent=False)
    result = reserve(team, 2)
    assert result.refusal is not None
    assert result.refusal.code == "insufficient_balance"
    assert organization_wallet(organization).reserved == 0


def test_a_draw_cap_bounds_what_the_organization_pays_in_a_day(team: Team) -> None:
    Wallet.objects.filter(scope="team").update(draw_per_day=nano(150))
    assert paid_by(reserve(team, 101)) == "organization"
    assert reserve(team, 101).refusal is not None
    assert paid_by(reserve(team, 49 + 51)) == "team"


def test_a_limit_is_admitted_to_the_last_nano_dollar(team: Team) -> None:
    limits.set_limit(
        organization=team.organization, team=team, period="day", amount=nano(10), actor="user_x"
    )
    assert reserve(team, 10).ok
    result = reserve(team, "0.000000001")
    assert result.refusal is not None
    assert result.refusal.code == "daily_limit_exceeded"


def test_a_limit_counts_what_was_consumed_before_it_was_set(team: Team) -> None:
    settle_at(reserve(team, 7).reservation, 6)
    hold_wallet(team_wallet(team), 1)
    limits.set_limit(
        organization=team.organization, team=team, period="month", amount=nano(10), actor="user_x"
    )
    assert reserve(team, "3.000000001").refusal is not None
    assert reserve(team, 3).ok


def test_a_settle_frees_what_the_hold_took_too_much(team: Team) -> None:
    limits.set_limit(
        organization=team.organization, team=team, period="day", amount=nano(10), actor="user_x"
    )
    settle_at(reserve(team, 10).reservation, 4)
    assert reserve(team, 6).ok
    assert LimitCounter.objects.get().spent == nano(4)


def test_a_limit_of_zero_allows_nothing(team: Team) -> None:
    limits.set_limit(organization=team.organization, period="hour", amount=0, actor="user_x")
    result = reserve(team, "0.000000001")
    assert result.refusal is not None
    assert result.refusal.code == "hourly_limit_exceeded"


def test_a_refusal_by_a_limit_does_not_fall_through(team: Team, user: User) -> None:
    limits.set_limit(
        organization=team.organization, team=team, user=user, period="day", amount=nano(5),
        actor="user_x",
    )  # fmt: skip
    assert reserve(team, 6, user=user).refusal is not None
    assert reserve(team, 6).ok


def test_the_next_day_starts_afresh(team: Team) -> None:
    limits.set_limit(
        organization=team.organization, team=team, period="day", amount=nano(10), actor="user_x"
    )
    now = timezone.now()
    assert reserve(team, 10, at=now).ok
    assert reserve(team, 10, at=now + timedelta(days=1)).ok


def test_counters_equal_open_holds(team: Team) -> None:
    limits.set_limit(
        organization=team.organization, team=team, period="day", amount=nano(10), actor="user_x"
    )
    reserve(team, 3)
    assert verify().problems == []
    LimitCounter.objects.update(held=1)
    assert len(verify().problems) == 1


def test_a_limit_set_again_counts_what_was_consumed_without_it(team: Team) -> None:
    def set_ten() -> Limit:
        return limits.set_limit(
            organization=team.organization, team=team, period="day", amount=nano(10), actor="u"
        )

    limit = set_ten()
    assert reserve(team, 1).ok
    limits.remove_limit(limit=limit, actor="u")
    assert reserve(team, 8).ok
    set_ten()
    assert reserve(team, 2).refusal is not None
    assert reserve(team, 1).ok


def test_a_draw_cap_set_again_counts_what_was_drawn_without_it(
    organization: Organization, team: Team
) -> None:
    wallet, admin = team_wallet(team), tenancy.system()

    def cap(amount: int | None) -> None:
        people.set_draws(actor=admin, wallet=wallet, draw_per_day=amount)

    cap(nano(400))
    assert paid_by(reserve(team, 101)) == "organization"
    cap(None)
    assert paid_by(reserve(team, 250)) == "organization"
    cap(nano(400))
    assert reserve(team, 101).refusal is not None


def test_a_rotated_key_counts_together_with_its_successors(team: Team, user: User) -> None:
    key = make_personal_key(team, user).key
    limits.set_limit(
        organization=team.organization, key=key, period="day", amount=nano(10), actor="u"
    )
    actor = tenancy.of_user(user, organization=team.organization)
    second, _ = keys.rotate(actor=actor, key=key)
    third, _ = keys.rotate(actor=actor, key=second)
    allowed = [reserve(team, 4, key_id=pk).ok for pk in (key.pk, second.pk, third.pk)]
    assert allowed == [True, True, False]


def test_a_user_limit_needs_a_team(organization: Organization, user: User) -> None:
    with pytest.raises(InvalidInput) as refusal:
        limits.set_limit(
            organization=organization, user=user, period="day", amount=1, actor="user_x"
        )
    assert refusal.value.field == "team_id"


def test_setting_a_limit_again_changes_it(team: Team) -> None:
    for amount in (nano(1), nano(2)):
        limit = limits.set_limit(
            organization=team.organization, team=team, period="day", amount=amount, actor="user_x"
        )
    assert type(limit).objects.get().amount == nano(2)
