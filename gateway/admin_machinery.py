"""The machinery of gateways, for platform administrators only; what is sealed stays sealed."""

from django.contrib import admin

from gateway.models import HistoryText, IdempotentCall, WrittenOff
from wallets.admin import display
from wallets.admin.base import PlatformAdmin


@admin.register(IdempotentCall)
class IdempotentCallAdmin(PlatformAdmin):
    """Keys of requests that may be repeated: running ones, and those with a kept answer."""

    list_display = ("key", "organization", "request_id", "created_at", "finished_at", "expires_at")
    list_filter = ("organization", "created_at")
    list_select_related = ("organization",)
    search_fields = ("=key", "=request_id")
    ordering = ("-created_at",)
    hidden = ("answer",)


@admin.register(HistoryText)
class HistoryTextAdmin(PlatformAdmin):
    """Of which requests texts are kept, and until when. Reading them is a matter of the API."""

    list_display = ("event_id", "organization", "created_at", "expires_at")
    list_filter = ("organization", "created_at")
    list_select_related = ("organization",)
    search_fields = ("=event_id",)
    ordering = ("-created_at",)
    hidden = ("sealed",)


@admin.register(WrittenOff)
class WrittenOffAdmin(PlatformAdmin):
    """What may have been spent on a day without a wallet that paid."""

    list_display = ("on", "organization", "team_id", display.column("amount"))
    list_filter = ("organization", "on")
    list_select_related = ("organization",)
    ordering = ("-on", "-id")
    money = ("amount",)
