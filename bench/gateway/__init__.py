"""Requests per second and latency of the gateway, beside the bare upstream."""
