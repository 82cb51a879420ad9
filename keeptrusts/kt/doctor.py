"""`kt doctor`."""


def doctor() -> None:
    """Check this machine."""
