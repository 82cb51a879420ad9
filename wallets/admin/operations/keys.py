"""Operations on credentials, stops and limits. A secret is seen once, on the page that made it."""

from datetime import timedelta
from typing import Any

from django import forms

from wallets import keys, limits, stops
from wallets.admin.display import dollars
from wallets.admin.operation import Call, CallForm, Line, Operation, Owners, Shown
from wallets.admin.operations.organizations import SetLimit, TokenForm, token_values
from wallets.models import ApiToken, GatewayKey, Limit, ServiceAccount, Stop
from wallets.permissions import Action
from wallets.tenancy import Actor


class IssueAccountToken(Operation):
    """An API token of a service account."""

    slug, label, action = "issue-token", "Make an API token", Action.TOKENS_MANAGE
    form, secret = TokenForm, True

    def applies(self, actor: Actor, row: ServiceAccount) -> bool:
        """Not for a disabled account."""
        return row.disabled_at is None

    def lines(self, call: Call) -> list[Line]:
        """What comes to be."""
        return [Line("API token", None, f"{call.values['role']} of {call.row}")]

    def run(self, call: Call) -> Shown:
        """Issue."""
        token, secret = keys.issue_api_token(
            actor=call.actor, organization=call.organization, owner=call.row, **token_values(call)
        )
        return Shown(f"API token {token.public_id} of {call.row}", secret)


class OnCredential(Operation):
    """An operation on a credential that is not revoked."""

    def applies(self, actor: Actor, row: ApiToken | GatewayKey) -> bool:
        """Once."""
        return row.revoked_at is None


class Revoke(OnCredential):
    """The end of a credential."""

    slug, label, many = "revoke", "Revoke", True

    def lines(self, call: Call) -> list[Line]:
        """The credential."""
        return [Line(str(call.row), "active", "revoked, at once and for good")]

    def run(self, call: Call) -> str:
        """Revoke."""
        keys.revoke(actor=call.actor, key=call.row)
        return f"Revoked {call.row}"


class OverlapForm(CallForm):
    """How long both work."""

    hours = forms.IntegerField(
        initial=24, min_value=0, max_value=720, help_text="So long the old secret still works."
    )


class Rotate(OnCredential):
    """A new secret for the same rights."""

    slug, label, form = "rotate", "Rotate", OverlapForm
    secret = True

    def applies(self, actor: Actor, row: ApiToken | GatewayKey) -> bool:
        """People's credentials are renewed by themselves."""
        own = row.user_id is None or (actor.user is not None and row.user_id == actor.user.pk)
        return super().applies(actor, row) and row.replaced_by_id is None and own

    def lines(self, call: Call) -> list[Line]:
        """The credential."""
        return [Line(str(call.row), "active", f"replaced; ends in {call.values['hours']} hours")]

    def run(self, call: Call) -> Shown:
        """Rotate."""
        new, secret = keys.rotate(
            actor=call.actor, key=call.row, overlap=timedelta(hours=call.values["hours"])
        )
        return Shown(f"The successor {new.public_id} of {call.row}", secret)


class OfToken(OnCredential):
    """Who may: its owner, and who manages tokens."""

    action = Action.TOKENS_MANAGE

    def to(self, row: ApiToken) -> Owners:
        """Its owner."""
        return None, row.user


class OfKey(OnCredential):
    """Who may: its owner, and who manages the keys of its team."""

    action = Action.KEYS_MANAGE

    def to(self, row: GatewayKey) -> Owners:
        """Its team and its owner."""
        return row.team, row.user


class RevokeToken(OfToken, Revoke):
    """The end of an API token."""


class RotateToken(OfToken, Rotate):
    """A new secret of an API token."""


class RevokeKey(OfKey, Revoke):
    """The end of a gateway key."""


class RotateKey(OfKey, Rotate):
    """A new secret of a gateway key."""


class LimitKey(SetLimit):
    """A limit of a key."""

    def scope(self, row: GatewayKey) -> dict[str, Any]:
        """The key."""
        return {"key": row}


class Resume(Operation):
    """A stop that ends."""

    slug, label, many = "resume", "Resume", True
    action = Action.STOPS_MANAGE

    def applies(self, actor: Actor, row: Stop) -> bool:
        """Once."""
        return row.lifted_at is None

    def lines(self, call: Call) -> list[Line]:
        """The switch."""
        return [Line(str(call.row), "stopped", "runs")]

    def run(self, call: Call) -> str:
        """Resume."""
        stops.resume(
            actor=call.actor,
            organization=call.organization,
            scope=call.row.scope,
            target=call.row.target,
        )
        return f"Resumed {call.row}."


class RemoveLimit(Operation):
    """A limit that ends."""

    slug, label, many = "remove", "Remove", True
    action = Action.LIMITS_WRITE

    def to(self, row: Limit) -> Owners:
        """The team and person it is for."""
        return row.team, row.user

    def lines(self, call: Call) -> list[Line]:
        """The limit."""
        return [Line(str(call.row), dollars(call.row.amount), "no limit")]

    def run(self, call: Call) -> str:
        """Remove."""
        limits.remove_limit(limit=call.row, actor=call.actor.public_id)
        return f"Removed {call.row}."
