"""The audit log."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers

from wallets.api.base import ListView
from wallets.api.filters import MomentFilter
from wallets.models import AuditRecord
from wallets.permissions import Action


class AuditOutput(serializers.Serializer):
    """One change: who, what, before, after, from where."""

    id = serializers.CharField(source="public_id")
    actor = serializers.CharField()
    action = serializers.CharField()
    target = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    address = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class AuditFilters(filters.FilterSet):
    """Filters of the audit log."""

    actor = filters.CharFilter()
    action = filters.CharFilter(lookup_expr="startswith", help_text="`token.` or `token.revoke`.")
    target = filters.CharFilter()
    since = MomentFilter(field_name="created_at", lookup_expr="gte")
    until = MomentFilter(field_name="created_at", lookup_expr="lt")


class AuditLog(ListView):
    """Every change in the organisation, newest first."""

    queryset = AuditRecord.objects.none()
    serializer_class = AuditOutput
    filterset_class = AuditFilters
    keyset = ("-id",)

    def rows(self) -> QuerySet[AuditRecord]:
        organization = self.organization()
        self.require(Action.AUDIT_READ, organization)
        return AuditRecord.objects.for_organization(organization)
