"""The response cache: equal requests of one scope are answered once and paid once.

``keys`` says which requests are equal, ``store`` keeps their answers, ``flights`` lets requests
that are under way at the same time share one call, ``stage`` is what the gateway asks.
"""
