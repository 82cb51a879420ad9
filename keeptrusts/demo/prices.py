"""What the local model costs: little, but never nothing, so that wallets are seen to move."""

from decimal import Decimal

from gateway import pricing
from gateway.models.price import ModelPrice
from keeptrusts.model_server.weights import MODEL_NAME, PROVIDER

INPUT_PER_1K, OUTPUT_PER_1K = Decimal("0.0001"), Decimal("0.0004")


def price_local_model() -> None:
    """Set the platform's price of the local model, unless it has one."""
    if ModelPrice.objects.filter(provider=PROVIDER, model=MODEL_NAME, organization=None).exists():
        return
    pricing.set_price(
        provider=PROVIDER,
        model=MODEL_NAME,
        input_cost_per_1k_tokens=INPUT_PER_1K,
        output_cost_per_1k_tokens=OUTPUT_PER_1K,
        created_by="system",
    )
