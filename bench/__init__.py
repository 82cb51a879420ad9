"""Benchmarks: they import the project and are never imported by it."""
