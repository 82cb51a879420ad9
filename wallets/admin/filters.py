"""Sidebar filters that offer only what the signed-in person may see."""

from typing import Any

from django.contrib.admin import ModelAdmin, RelatedFieldListFilter
from django.db.models import Field
from django.http import HttpRequest

MOST_CHOICES = 200


class TenantRelatedFilter(RelatedFieldListFilter):
    """Choices come through the related model's own admin, so they are scoped as its list is."""

    def field_choices(
        self, field: Field, request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[Any, str]]:
        """The first ``MOST_CHOICES`` rows of the related model that exist for this person."""
        related = model_admin.admin_site.get_model_admin(field.remote_field.model)
        rows = related.get_queryset(request)[:MOST_CHOICES]
        return [(row.pk, str(row)) for row in rows]
