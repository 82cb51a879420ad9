"""What an operation page needs to know about an operation."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms
from django.db import IntegrityError, transaction
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from wallets import permissions
from wallets.ledger import Claimed
from wallets.models import Claim, Organization, Team, User
from wallets.permissions import Action
from wallets.tenancy import Actor

Owners = tuple[Team | None, User | None]


class DoneAlready(Exception):
    """The page was confirmed before; nothing happens a second time."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the before/after table."""

    label: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Shown:
    """A secret that is shown once, and what it is."""

    what: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation on one row (None: it makes one) by one person.

    ``nonce`` belongs to the form as it was opened: whatever is typed into it, previewed and
    confirmed, again or after going back, it is done at most once.
    """

    request: HttpRequest
    actor: Actor
    row: Any
    values: Mapping[str, Any] = field(default_factory=dict)
    nonce: str = ""

    @property
    def organization(self) -> Organization:
        """The organisation of the row."""
        return organization_of(self.row)

    def claim(self, slug: str) -> Claimed:
        """What the opened form claims when it is confirmed."""
        said = "|".join(f"{name}={self.values[name]}" for name in sorted(self.values))
        key = f"{self.organization.public_id}|{self.actor.public_id}|admin.{slug}|{self.row.pk}"
        return Claimed(key=_digest(f"{key}|{self.nonce}"), fingerprint=_digest(said))

    def done(self, slug: str) -> bool:
        """Whether this form was confirmed before. One that makes a row claims nothing."""
        if self.row is None or not self.nonce:
            return False
        return Claim.objects.filter(pk=self.claim(slug).key).exists()

    def take(self, slug: str) -> None:
        """Claim the form inside the transaction of its operation; raises ``DoneAlready``."""
        if self.row is None:
            return
        claim = self.claim(slug)
        try:
            with transaction.atomic():
                Claim.objects.create(
                    key=claim.key,
                    organization=self.organization,
                    fingerprint=claim.fingerprint,
                    created_at=timezone.now(),
                )
        except IntegrityError:
            raise DoneAlready from None


class CallForm(forms.Form):
    """A form that knows the call, for choices that depend on the row."""

    def __init__(self, data: QueryDict | None = None, *, call: Call) -> None:
        super().__init__(data)
        self.call = call
        self.prepare()

    def prepare(self) -> None:
        """Narrow choices to what belongs to the row."""


class ReasonForm(CallForm):
    """Why."""

    reason = forms.CharField(max_length=500, required=False)


class Operation:
    """A page that calls one operation. ``many``: also on several rows of a list at once.

    ``by_ledger``: the ledger takes the claim, in its own transaction; its pages are checked by
    ``check``. All others run inside a transaction here, and their preview is a run undone.
    ``secret``: its answer is shown once.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    action: ClassVar[Action]
    form: ClassVar[type[CallForm]] = CallForm
    on_row: ClassVar[bool] = True
    many: ClassVar[bool] = False
    by_ledger: ClassVar[bool] = False
    secret: ClassVar[bool] = False

    def allowed(self, actor: Actor, row: Any) -> bool:
        """Whether this person may; the operation asks again."""
        if row is None:
            return actor.platform
        team, user = self.to(row)
        return permissions.allows(
            actor, self.action, organization=organization_of(row), team=team, user=user
        )

    def to(self, row: Any) -> Owners:
        """The team and person it is done to, where they decide."""
        return None, None

    def allowed_somewhere(self, actor: Actor) -> bool:
        """Whether lists offer it."""
        return actor.platform or bool(permissions.staffed(actor, self.action))

    def applies(self, actor: Actor, row: Any) -> bool:
        """Whether the state of the row makes it worth offering."""
        return True

    def make_form(self, call: Call, data: QueryDict | None) -> CallForm:
        """The form of this call."""
        return self.form(data, call=call)

    def lines(self, call: Call) -> list[Line]:
        """What will change; may raise what the operation would raise."""
        return [
            Line(name.replace("_", " ").capitalize(), getattr(call.row, name, None), value)
            for name, value in call.values.items()
        ]

    def check(self, call: Call) -> None:
        """Raise what the ledger would refuse, in words that name field, wallet and amount."""

    def run(self, call: Call) -> str | Shown:
        """Do it; answers what to tell, raises ``Refused``."""
        raise NotImplementedError


def organization_of(row: Any) -> Organization:
    """The organisation a row belongs to; an organisation belongs to itself."""
    if isinstance(row, Organization):
        return row
    organization: Organization = (
        row.team.organization if not hasattr(row, "organization") else row.organization
    )
    return organization


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
