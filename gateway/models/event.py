"""Decision events: what the gateway decided about each request, and what it cost."""

from django.db import models

from wallets.models import Organization, Wallet


class DecisionEvent(models.Model):
    """One row per request, refused and cached ones included; ``id`` is the request id.

    Ids of consumers carry no database constraint: this is the biggest table and rows outlive
    people. Amounts in nano-dollars. The receipt core is kept as long as the ledger entries.
    """

    class Verdict(models.TextChoices):
        """How the request ended for its caller."""

        ALLOW = "allow"
        BLOCK = "block"
        CACHED = "cached"
        ERROR = "error"

    id = models.CharField(max_length=40, primary_key=True)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    wallet = models.ForeignKey(
        Wallet,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="Paid by.",
    )
    reservation = models.UUIDField(null=True)
    team_id = models.BigIntegerField(null=True)
    user_id = models.BigIntegerField(null=True)
    consumer_group_id = models.BigIntegerField(null=True)
    consumer_group_name = models.CharField(max_length=100, blank=True)
    key_id = models.BigIntegerField(null=True)
    provider = models.CharField(max_length=60, blank=True)
    target = models.CharField(max_length=60, blank=True)
    model = models.CharField(max_length=120, blank=True)
    route = models.CharField(max_length=60)
    verdict = models.CharField(max_length=6, choices=Verdict)
    reason_code = models.CharField(max_length=40, blank=True)
    status = models.SmallIntegerField(help_text="HTTP status the client got.")
    streamed = models.BooleanField(default=False)
    prompt_tokens = models.IntegerField(default=0)
    completion_tokens = models.IntegerField(default=0)
    usage = models.JSONField(default=dict, help_text="Tokens by class, as priced.")
    cost = models.BigIntegerField(null=True, help_text="Null when refused.")
    hold = models.BigIntegerField(default=0)
    written_off = models.BigIntegerField(default=0)
    estimated_avoided_cost = models.BigIntegerField(default=0)
    cache = models.CharField(max_length=8, blank=True)
    attempts = models.JSONField(default=list)
    latency_ms = models.IntegerField(default=0)
    ttfb_ms = models.IntegerField(null=True)
    price_version = models.CharField(max_length=60, blank=True)
    config_version = models.CharField(max_length=20, blank=True)
    flags = models.JSONField(default=list)
    tags = models.JSONField(default=dict)
    details = models.JSONField(
        default=dict, help_text="What else its receipt tells: waits, moved holds, shadow verdicts."
    )
    end_user = models.CharField(
        max_length=64, blank=True, help_text="Digest of the caller's user field."
    )
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="event_by_organization"),
            models.Index(fields=["team_id", "-created_at"], name="event_by_team"),
        ]

    def __str__(self) -> str:
        return self.id
