"""Leaf helpers that import no app: money, identifiers, problem bodies."""
