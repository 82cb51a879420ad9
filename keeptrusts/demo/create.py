"""Makes the demo once, through the same operations that everybody uses.

Rows and keys come in one transaction, the secrets are on the disk before it commits. Money follows,
wallet by wallet, each only while it has never held any: a start that was interrupted goes on where
it stopped, and a wallet that somebody has emptied since stays empty.
"""

import secrets as random
from pathlib import Path

from django.db import transaction

from keeptrusts.demo import secrets
from keeptrusts.demo.secrets import Demo, Person
from keeptrusts.lib import money
from wallets import allocations, credits, groups, keys, limits, people, tenancy
from wallets.models import Membership, Organization, Team, TeamMembership, User, Wallet

ORGANIZATION = "acme"
CREDIT = 10_000
TEAMS = {"engineering": 500, "support": 800, "marketing": 100}
ON_THEIR_OWN = {"marketing"}  # may not draw on the organisation wallet
USER_BALANCE, USER_DAILY_LIMIT = 20, 5
ADMIN = "admin"
ACTOR = tenancy.system("demo")


def create_once(directory: Path) -> Demo | None:
    """Make what is missing of the demo; the secrets when they are new, None when it was there.

    `directory` gets `demo.json`. An organisation *acme* of another data directory is left alone.
    """
    file, pending = directory / secrets.FILE, secrets.pending(directory)
    demo = None
    if not Organization.objects.filter(slug=ORGANIZATION).exists():
        with transaction.atomic():
            demo = _people_and_keys()
            secrets.write(pending, demo)
        pending.replace(file)
    elif pending.exists() and not file.exists():
        pending.replace(file)  # interrupted right after the commit
    if file.exists():
        _fund(Organization.objects.get(slug=ORGANIZATION))
    return demo


def _people_and_keys() -> Demo:
    organization = people.create_organization(
        actor=ACTOR,
        slug=ORGANIZATION,
        name="Acme",
        funding_mode=Organization.FundingMode.INTERNAL,
    )
    teams = {slug: _team(organization, slug) for slug in TEAMS}
    admin, password = _person(organization, ADMIN, Membership.Role.ADMIN)
    _make_platform_administrator(admin)
    return Demo(
        api_token=_api_token(organization),
        admin=(ADMIN, password),
        users=_users(organization, teams["engineering"]),
        consumer_groups={slug: _group_key(team) for slug, team in teams.items()},
    )


def _team(organization: Organization, slug: str) -> Team:
    return people.create_team(
        actor=ACTOR,
        organization=organization,
        slug=slug,
        name=slug.capitalize(),
        draws_on_organization=slug not in ON_THEIR_OWN,
    )


def _users(organization: Organization, engineering: Team) -> dict[str, Person]:
    _, password = _person(organization, "billing", Membership.Role.BILLING_ADMIN)
    lead, lead_secrets = _engineer(engineering, "lead", TeamMembership.Role.LEAD)
    member, member_secrets = _engineer(engineering, "member", TeamMembership.Role.MEMBER)
    people.create_user_wallet(actor=ACTOR, team=engineering, user=member)
    limits.set_limit(
        organization=organization,
        period="day",
        amount=USER_DAILY_LIMIT * money.NANO,
        actor=ACTOR.public_id,
        team=engineering,
        user=member,
    )
    return {"billing": Person(password), "lead": lead_secrets, "member": member_secrets}


def _person(organization: Organization, username: str, role: str) -> tuple[User, str]:
    password = random.token_urlsafe(12)
    user = people.create_person(
        actor=ACTOR,
        organization=organization,
        username=username,
        email=f"{username}@{ORGANIZATION}.example",
        password=password,
        role=role,
    )
    return user, password


def _engineer(team: Team, username: str, role: str) -> tuple[User, Person]:
    user, password = _person(team.organization, username, Membership.Role.MEMBER)
    people.add_to_team(actor=ACTOR, team=team, user=user, role=role)
    themself = tenancy.of_user(user, organization=team.organization)
    _, key = keys.issue_user_key(actor=themself, team=team, user=user, name="demo")
    _, token = keys.issue_api_token(
        actor=themself,
        organization=team.organization,
        owner=user,
        role=Membership.Role.MEMBER,
        name="demo",
    )
    return user, Person(password, key, token)


def _make_platform_administrator(user: User) -> None:
    """On one machine the administrator of the demo runs the platform too."""
    user.is_superuser = user.is_staff = True
    user.save(update_fields=["is_superuser", "is_staff"])


def _api_token(organization: Organization) -> str:
    account = people.create_service_account(
        actor=ACTOR, organization=organization, name="demo", role=Membership.Role.ADMIN
    )
    _, secret = keys.issue_api_token(
        actor=ACTOR,
        organization=organization,
        owner=account,
        role=Membership.Role.ADMIN,
        name="demo",
    )
    return secret


def _group_key(team: Team) -> str:
    group = groups.create_group(actor=ACTOR, team=team, name=team.slug)
    _, secret = keys.issue_group_key(actor=ACTOR, group=group, name="demo")
    return secret


def _fund(organization: Organization) -> None:
    """Put the first money into every wallet that has never held any, from the top down."""
    own = Wallet.objects.get(organization=organization, scope=Wallet.Scope.ORGANIZATION)
    if own.seq == 0:
        credits.credit(
            organization=organization,
            amount=CREDIT * money.NANO,
            actor=ACTOR.public_id,
            notes="Demo credit",
            by_platform=True,
        )
    unfunded = Wallet.objects.filter(organization=organization, seq=0).select_related("parent")
    for slug, amount in TEAMS.items():
        for wallet in unfunded.filter(scope=Wallet.Scope.TEAM, team__slug=slug):
            _allocate(wallet, amount, "Demo budget")
    for wallet in unfunded.filter(scope=Wallet.Scope.USER, user__username="member"):
        _allocate(wallet, USER_BALANCE, "Demo wallet")


def _allocate(wallet: Wallet, amount: int, notes: str) -> None:
    allocations.allocate(
        organization=wallet.organization,
        target=wallet,
        amount=amount * money.NANO,
        actor=ACTOR.public_id,
        notes=notes,
    )
