"""Routes under /v1 about requests and prices."""

from django.urls import path

from gateway.api import adjustments, cache, events, prices, receipt, shadow, spend, texts

urlpatterns = [
    path("events", events.Events.as_view()),
    path("events/<str:event_id>", receipt.Receipt.as_view()),
    path("events/<str:event_id>/texts", texts.EventTexts.as_view()),
    path("usage", spend.Usage.as_view()),
    path("spend", spend.Spend.as_view()),
    path("shadow-report", shadow.ShadowReport.as_view()),
    path("model-pricing", prices.ModelPricing.as_view()),
    path("cache/purge", cache.Purge.as_view()),
    path("wallets/adjust", adjustments.Adjust.as_view()),
]
