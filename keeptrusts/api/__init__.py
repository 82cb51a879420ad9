"""The /v1 API as a whole: its routes, its error body, its description."""
