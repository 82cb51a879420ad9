"""Operations on organisations, teams, their people and their wallets. All keyword-only.

Each takes the ``actor``, checks their permission, and writes change, audit record and revision in
one transaction.
"""

from wallets.people.members import (
    add_member,
    add_to_team,
    create_person,
    remove_from_team,
    remove_member,
    set_role,
)
from wallets.people.organizations import change_organization, create_organization
from wallets.people.service_accounts import create_service_account, disable_service_account
from wallets.people.teams import archive_team, change_team, create_team, set_cost_centre
from wallets.people.user_wallets import create_user_wallet, set_draws, set_low_threshold

__all__ = [
    "add_member",
    "add_to_team",
    "archive_team",
    "change_organization",
    "change_team",
    "create_organization",
    "create_person",
    "create_service_account",
    "create_team",
    "create_user_wallet",
    "disable_service_account",
    "remove_from_team",
    "remove_member",
    "set_cost_centre",
    "set_draws",
    "set_low_threshold",
    "set_role",
]
