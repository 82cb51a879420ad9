"""Requests with an ``Idempotency-Key``: one of them runs, the others get its answer."""
