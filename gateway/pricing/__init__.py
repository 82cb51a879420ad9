"""What calls cost: stored price versions, the catalogue, and the arithmetic between them.

Rates are whole nano-dollars per 1,000,000 tokens, costs whole nano-dollars rounded up once.
"""

from gateway.pricing.amounts import InvalidPrice
from gateway.pricing.book import PriceBook, Priced
from gateway.pricing.rates import Band, Rates, Tier, cost_nanos, worst_case_nanos
from gateway.pricing.usage import Usage
from gateway.pricing.versions import current_prices, set_price

__all__ = [
    "Band",
    "InvalidPrice",
    "PriceBook",
    "Priced",
    "Rates",
    "Tier",
    "Usage",
    "cost_nanos",
    "current_prices",
    "set_price",
    "worst_case_nanos",
]
