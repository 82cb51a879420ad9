"""Sidebar filters that offer only what the signed-in person may see."""

from typing import Any

from django.contrib.admin import ModelAdmin, RelatedFieldListFilter
from django.http import HttpRequest

MOST_CHOICES = 200


class TenantRelatedFilter(RelatedFieldListFilter):
    """Choices come through the related model's own admin, so they are scoped as its list is."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: ModelAdmin) -> Any:
        """The first ``MOST_CHOICES`` rows of the related model that exist for this person."""
        assert field.related_model is not None
        related = model_admin.admin_site.get_model_admin(field.related_model)
        rows = related.get_queryset(request)[:MOST_CHOICES]
        return [(row.pk, str(row)) for row in rows]
