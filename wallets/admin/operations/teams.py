"""Operations on teams, their members and consumer groups."""

from typing import Any

from django import forms

from wallets import groups, keys, people, permissions
from wallets.admin.fields import MoneyField, WordsField
from wallets.admin.operation import Call, CallForm, Line, Operation, Owners, Shown
from wallets.admin.operations.organizations import SetLimit
from wallets.models import (
    ConsumerGroup,
    Membership,
    ServiceAccount,
    Team,
    TeamMembership,
    User,
    Wallet,
)
from wallets.permissions import Action
from wallets.tenancy import Actor


class OnTeam(Operation):
    """An operation on a team (or what is below it) that is not archived."""

    action = Action.TEAMS_MANAGE

    def to(self, row: Any) -> Owners:
        """The team."""
        return row, None

    def applies(self, actor: Actor, row: Any) -> bool:
        """Nothing more happens to an archived team."""
        return row.archived_at is None


class NameForm(CallForm):
    """A name."""

    name = forms.CharField(max_length=200)

    def prepare(self) -> None:
        """Start from the name it has."""
        self.initial["name"] = self.call.row.name


class RenameTeam(OnTeam):
    """Its name; the slug stays."""

    slug, label, form = "rename", "Rename", NameForm

    def run(self, call: Call) -> str:
        """Rename."""
        people.change_team(actor=call.actor, team=call.row, name=call.values["name"])
        return "Renamed the team."


class ArchiveTeam(OnTeam):
    """The end of a team."""

    slug, label = "archive", "Archive"

    def lines(self, call: Call) -> list[Line]:
        """The team."""
        return [Line(str(call.row), "active", "archived: keys revoked, consumer groups archived")]

    def run(self, call: Call) -> str:
        """Archive."""
        people.archive_team(actor=call.actor, team=call.row)
        return f"Archived {call.row}."


class CostCentreForm(CallForm):
    """A code from a day on."""

    code = forms.CharField(max_length=64)
    valid_from = forms.DateField(help_text="2026-01-31")


class SetCostCentre(OnTeam):
    """Which cost centre its spend belongs to."""

    slug, label, form = "cost-centre", "Set cost centre", CostCentreForm

    def run(self, call: Call) -> str:
        """Set."""
        people.set_cost_centre(actor=call.actor, team=call.row, **call.values)
        return "Set the cost centre."


class TeamMemberForm(CallForm):
    """A member of the organisation and their role in the team."""

    user = forms.ModelChoiceField(queryset=User.objects.none())
    role = forms.ChoiceField(
        choices=TeamMembership.Role.choices, initial=TeamMembership.Role.MEMBER
    )

    def prepare(self) -> None:
        """Only people of the organisation."""
        field: Any = self.fields["user"]
        field.queryset = User.objects.filter(
            memberships__organization=self.call.row.organization_id
        ).order_by("username")


class AddToTeam(OnTeam):
    """A person in a team."""

    slug, label, form = "add-member", "Add a person", TeamMemberForm
    action = Action.MEMBERS_MANAGE

    def lines(self, call: Call) -> list[Line]:
        """Their role."""
        before = TeamMembership.objects.filter(team=call.row, user=call.values["user"]).first()
        return [Line(str(call.values["user"]), before and before.role, call.values["role"])]

    def run(self, call: Call) -> str:
        """Add."""
        people.add_to_team(actor=call.actor, team=call.row, **call.values)
        return f"{call.values['user']} is {call.values['role']} of {call.row}."


class UserWalletForm(CallForm):
    """Whose wallet, and what it may draw."""

    user = forms.ModelChoiceField(queryset=User.objects.none())
    draws_on_team = forms.BooleanField(required=False, initial=True)
    draw_per_day = MoneyField(required=False, allow_zero=True, help_text="Empty: no cap.")
    draw_per_month = MoneyField(required=False, allow_zero=True, help_text="Empty: no cap.")

    def prepare(self) -> None:
        """Only members of the team who have none."""
        team = self.call.row
        field: Any = self.fields["user"]
        field.queryset = (
            User.objects.filter(team_memberships__team=team)
            .exclude(pk__in=Wallet.objects.filter(team=team, user__isnull=False).values("user"))
            .order_by("username")
        )


class CreateUserWallet(OnTeam):
    """A wallet of a person below the team's."""

    slug, label, form = "user-wallet", "Create user wallet", UserWalletForm
    action = Action.WALLETS_MANAGE

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return [Line(f"Wallet of {call.values['user']}", None, "empty")]

    def run(self, call: Call) -> str:
        """Create."""
        wallet = people.create_user_wallet(actor=call.actor, team=call.row, **call.values)
        return f"Created the wallet of {wallet}."


class GroupForm(CallForm):
    """A name."""

    name = forms.CharField(max_length=100)


class CreateGroup(OnTeam):
    """A consumer group whose requests the team pays."""

    slug, label, form = "create-group", "Create consumer group", GroupForm
    action = Action.KEYS_MANAGE

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return [Line("Consumer group", None, call.values["name"])]

    def run(self, call: Call) -> str:
        """Create."""
        group = groups.create_group(actor=call.actor, team=call.row, name=call.values["name"])
        return f"Created consumer group {group}."


class LimitTeam(SetLimit):
    """A limit of a team."""

    def scope(self, row: Team) -> dict[str, Any]:
        """The team."""
        return {"team": row}


class KeyForm(CallForm):
    """What a key may do, and until when."""

    name = forms.CharField(max_length=200, required=False)
    allowed_models = WordsField(required=False, help_text="Empty: all.")
    expires_at = forms.DateTimeField(required=False, help_text="Empty: never.")


class IssuePersonalKey(OnTeam):
    """A gateway key of the person who is signed in."""

    slug, label, form = "own-key", "Make a personal key for me", KeyForm
    secret = True
    action = Action.KEYS_MANAGE

    def allowed(self, actor: Actor, row: Team) -> bool:
        """Everybody for themself, but auditors."""
        return permissions.allows(
            actor, self.action, organization=row.organization, team=row, user=actor.user
        )

    def applies(self, actor: Actor, row: Team) -> bool:
        """Only in the own teams."""
        return super().applies(actor, row) and row.pk in actor.team_roles

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return [Line("Personal key", None, call.values["name"] or "without a name")]

    def run(self, call: Call) -> Shown:
        """Issue."""
        assert call.actor.user is not None
        key, secret = keys.issue_user_key(
            actor=call.actor, team=call.row, user=call.actor.user, **call.values
        )
        return Shown(f"Personal key {key.public_id}", secret)


class OnGroup(OnTeam):
    """An operation on a consumer group that is not archived."""

    action = Action.KEYS_MANAGE

    def to(self, row: ConsumerGroup) -> Owners:
        """The team of the group."""
        return row.team, None


class RenameGroup(OnGroup):
    """Its name."""

    slug, label, form = "rename", "Rename", NameForm

    def run(self, call: Call) -> str:
        """Rename."""
        groups.rename_group(actor=call.actor, group=call.row, name=call.values["name"])
        return "Renamed the consumer group."


class ArchiveGroup(OnGroup):
    """The end of a consumer group."""

    slug, label = "archive", "Archive"

    def lines(self, call: Call) -> list[Line]:
        """The group."""
        return [Line(str(call.row), "active", "archived, its keys revoked")]

    def run(self, call: Call) -> str:
        """Archive."""
        groups.archive_group(actor=call.actor, group=call.row)
        return f"Archived {call.row}."


class IssueGroupKey(OnGroup):
    """A gateway key of a consumer group."""

    slug, label, form = "issue-key", "Make a key", KeyForm
    secret = True

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return [Line("Key", None, call.values["name"] or "without a name")]

    def run(self, call: Call) -> Shown:
        """Issue."""
        key, secret = keys.issue_group_key(actor=call.actor, group=call.row, **call.values)
        return Shown(f"Gateway key {key.public_id} of {call.row}", secret)


class LimitGroup(SetLimit):
    """A limit of a consumer group."""

    def scope(self, row: ConsumerGroup) -> dict[str, Any]:
        """The group."""
        return {"consumer_group": row}


class RoleForm(CallForm):
    """A role in the organisation."""

    role = forms.ChoiceField(choices=Membership.Role.choices)

    def prepare(self) -> None:
        """Start from the role they have."""
        self.initial["role"] = self.call.row.role


class SetRole(Operation):
    """What somebody may do."""

    slug, label, action = "role", "Change role", Action.MEMBERS_MANAGE
    form = RoleForm

    def run(self, call: Call) -> str:
        """Change."""
        people.set_role(
            actor=call.actor,
            organization=call.organization,
            user=call.row.user,
            role=call.values["role"],
        )
        return "Changed the role."


class RemoveMember(Operation):
    """Somebody who leaves the organisation."""

    slug, label, action = "remove", "Remove", Action.MEMBERS_MANAGE

    def lines(self, call: Call) -> list[Line]:
        """What ends."""
        return [Line(str(call.row.user), call.row.role, "gone; teams, keys and tokens end")]

    def run(self, call: Call) -> str:
        """Remove."""
        people.remove_member(actor=call.actor, organization=call.organization, user=call.row.user)
        return f"Removed {call.row.user}."


class RemoveFromTeam(Operation):
    """Somebody who leaves a team."""

    slug, label, action = "remove", "Remove", Action.MEMBERS_MANAGE

    def to(self, row: TeamMembership) -> Owners:
        """The team."""
        return row.team, None

    def lines(self, call: Call) -> list[Line]:
        """What ends."""
        return [Line(str(call.row.user), call.row.role, "gone; personal keys in the team end")]

    def run(self, call: Call) -> str:
        """Remove."""
        people.remove_from_team(actor=call.actor, team=call.row.team, user=call.row.user)
        return f"Removed {call.row.user} from {call.row.team}."


class DisableServiceAccount(Operation):
    """The end of a service account."""

    slug, label, action = "disable", "Disable", Action.TOKENS_MANAGE

    def applies(self, actor: Actor, row: ServiceAccount) -> bool:
        """Once."""
        return row.disabled_at is None

    def lines(self, call: Call) -> list[Line]:
        """The account."""
        return [Line(str(call.row), "active", "disabled: its tokens are refused")]

    def run(self, call: Call) -> str:
        """Disable."""
        people.disable_service_account(actor=call.actor, account=call.row)
        return f"Disabled {call.row}."
