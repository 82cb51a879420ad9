"""Operations on organisations and on what is made inside them."""

import secrets
from dataclasses import replace
from typing import Any

from django import forms

from wallets import keys, limits, people, permissions, stops
from wallets.admin.display import dollars
from wallets.admin.fields import MoneyField, WordsField
from wallets.admin.operation import Call, CallForm, Line, Operation, Owners, Shown
from wallets.models import Limit, Membership, Organization, Stop
from wallets.people.checks import UNCHANGED
from wallets.permissions import Action
from wallets.tenancy import Actor


class SettingsForm(CallForm):
    """What an organisation is called, its time zone and its funding."""

    name = forms.CharField(max_length=200)
    time_zone = forms.CharField(max_length=64, initial="UTC", help_text="An IANA name.")
    funding_mode = forms.ChoiceField(choices=Organization.FundingMode.choices)
    monthly_credit_limit = MoneyField(
        required=False, allow_zero=True, help_text="With internal funding. Empty: no limit."
    )


class OrganizationForm(SettingsForm):
    """With the slug, which stays."""

    slug = forms.CharField(max_length=63)
    field_order = ("slug",)


class CreateOrganization(Operation):
    """A new tenant."""

    slug, label, action = "create", "Create organisation", Action.PLATFORM_MANAGE
    form, on_row = OrganizationForm, False

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return _new(call, money=("monthly_credit_limit",))

    def run(self, call: Call) -> str:
        """Create."""
        people.create_organization(actor=call.actor, **call.values)
        return f"Created {call.values['name']}."


class ChangeOrganizationForm(SettingsForm):
    """Funding and status are the platform's."""

    status = forms.ChoiceField(choices=Organization.Status.choices)

    def prepare(self) -> None:
        """Start from what is set; leave out what this person cannot change."""
        row = self.call.row
        for name in ("name", "time_zone", "funding_mode", "status"):
            self.initial[name] = getattr(row, name)
        if row.monthly_credit_limit is not None:
            shown = dollars(row.monthly_credit_limit)
            self.initial["monthly_credit_limit"] = shown.replace("$", "").replace(",", "")
        if not self.call.actor.platform:
            for name in ("funding_mode", "monthly_credit_limit", "status"):
                del self.fields[name]


class ChangeOrganization(Operation):
    """Its settings."""

    slug, label, action = "change", "Change settings", Action.ORGANIZATION_WRITE
    form = ChangeOrganizationForm

    def lines(self, call: Call) -> list[Line]:
        """The settings this person may change."""
        after = {line.label: line for line in _new(call, money=("monthly_credit_limit",))}
        before = {name: getattr(call.row, name) for name in call.values}
        shown = _new(replace(call, values=before), money=("monthly_credit_limit",))
        return [Line(line.label, line.after, after[line.label].after) for line in shown]

    def run(self, call: Call) -> str:
        """Change."""
        names = ("name", "time_zone", "funding_mode", "monthly_credit_limit", "status")
        values: dict[str, Any] = {name: call.values.get(name, UNCHANGED) for name in names}
        people.change_organization(actor=call.actor, organization=call.row, **values)
        return "Changed the settings."


class TeamForm(CallForm):
    """A team, and whether the organisation wallet pays what it cannot."""

    slug = forms.CharField(max_length=63)
    name = forms.CharField(max_length=200)
    draws_on_organization = forms.TypedChoiceField(
        label="May draw on the organisation wallet",
        choices=[("", "Choose…"), ("yes", "Yes"), ("no", "No")],
        coerce=lambda value: value == "yes",
    )
    draw_per_day = MoneyField(required=False, allow_zero=True, help_text="Empty: no cap.")
    draw_per_month = MoneyField(required=False, allow_zero=True, help_text="Empty: no cap.")


class CreateTeam(Operation):
    """A team with its wallet."""

    slug, label, action = "create-team", "Create team", Action.TEAMS_MANAGE
    form = TeamForm

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return _new(call, money=("draw_per_day", "draw_per_month"))

    def run(self, call: Call) -> str:
        """Create."""
        people.create_team(actor=call.actor, organization=call.row, **call.values)
        return f"Created team {call.values['name']}."


class PersonForm(CallForm):
    """Somebody who signs in."""

    username = forms.CharField(max_length=150)
    email = forms.EmailField(required=False)
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.MEMBER)


class CreatePerson(Operation):
    """A person, as a member, with a first password that is shown once."""

    slug, label, action = "create-person", "Create person", Action.MEMBERS_MANAGE
    form, secret = PersonForm, True

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return _new(call)

    def run(self, call: Call) -> Shown:
        """Create."""
        password = secrets.token_urlsafe(15)
        people.create_person(
            actor=call.actor, organization=call.row, password=password, **call.values
        )
        return Shown(f"First password of {call.values['username']}", password)


class ServiceAccountForm(CallForm):
    """A client that is no person."""

    name = forms.CharField(max_length=200)
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.MEMBER)


class CreateServiceAccount(Operation):
    """A client that is no person."""

    slug, label, action = "create-account", "Create service account", Action.TOKENS_MANAGE
    form = ServiceAccountForm

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return _new(call)

    def run(self, call: Call) -> str:
        """Create."""
        people.create_service_account(actor=call.actor, organization=call.row, **call.values)
        return f"Created service account {call.values['name']}."


class TokenForm(CallForm):
    """What a token may do, and until when."""

    name = forms.CharField(max_length=200, required=False)
    role = forms.ChoiceField(choices=Membership.Role.choices)
    scopes = WordsField(required=False, help_text="For example wallets.* events.read. Empty: all.")
    expires_at = forms.DateTimeField(required=False, help_text="Empty: never.")


class IssueOwnToken(Operation):
    """An API token of the person who is signed in."""

    slug, label, action = "own-token", "Make an API token for me", Action.TOKENS_MANAGE
    form, secret = TokenForm, True

    def allowed(self, actor: Actor, row: Organization) -> bool:
        """Everybody for themself, but auditors."""
        return permissions.allows(actor, self.action, organization=row, user=actor.user)

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return _new(call)

    def run(self, call: Call) -> Shown:
        """Issue."""
        assert call.actor.user is not None
        token, secret = keys.issue_api_token(
            actor=call.actor, organization=call.row, owner=call.actor.user, **token_values(call)
        )
        return Shown(f"API token {token.public_id}", secret)


class LimitForm(CallForm):
    """How much per period."""

    period = forms.ChoiceField(choices=Limit.Period.choices)
    amount = MoneyField(allow_zero=True, help_text="US dollars; 0 allows nothing.")


class SetLimit(Operation):
    """At most so much per hour, day or month."""

    slug, label, action = "limit", "Set a limit", Action.LIMITS_WRITE
    form = LimitForm

    def scope(self, row: Any) -> dict[str, Any]:
        """Whom the limit is for; the organisation as a whole where nothing is named."""
        return {}

    def to(self, row: Any) -> Owners:
        """The team and person it is for."""
        scope = self.scope(row)
        return scope.get("team"), scope.get("user")

    def lines(self, call: Call) -> list[Line]:
        """The limit of that period."""
        scope = {f"{name}_id": row.pk for name, row in self.scope(call.row).items()}
        before = Limit.objects.filter(
            organization=call.organization,
            period=call.values["period"],
            scope=Limit.scope_of(**scope),
        ).first()
        label = Limit.Period(call.values["period"]).label
        return [
            Line(label, dollars(before.amount if before else None), dollars(call.values["amount"]))
        ]

    def run(self, call: Call) -> str:
        """Set."""
        limits.set_limit(
            organization=call.organization,
            period=call.values["period"],
            amount=call.values["amount"],
            actor=call.actor.public_id,
            **self.scope(call.row),
        )
        return "Set the limit."


class StopForm(CallForm):
    """What to stop."""

    scope = forms.ChoiceField(choices=Stop.Scope.choices)
    target = forms.CharField(
        max_length=200, help_text="A public id (team_…, user_…, key_…) or a model or provider."
    )
    reason = forms.CharField(max_length=500, required=False)
    cut = forms.BooleanField(required=False, help_text="Cut running requests too.")


class PullStop(Operation):
    """A stop switch."""

    slug, label, action = "stop", "Stop something", Action.STOPS_MANAGE
    form = StopForm

    def lines(self, call: Call) -> list[Line]:
        """The switch."""
        target = f"{call.values['scope']} {call.values['target']}"
        return [Line(target, "runs", "stopped and cut" if call.values["cut"] else "stopped")]

    def run(self, call: Call) -> str:
        """Stop."""
        found = stops.stop(actor=call.actor, organization=call.row, **call.values)
        return f"Stopped {found}."


def token_values(call: Call) -> dict[str, Any]:
    """The values of a ``TokenForm`` as ``issue_api_token`` takes them."""
    return {**call.values, "scopes": call.values["scopes"] or ()}


def _new(call: Call, *, money: tuple[str, ...] = ()) -> list[Line]:
    return [
        Line(name.replace("_", " ").capitalize(), None, dollars(value) if name in money else value)
        for name, value in call.values.items()
    ]
