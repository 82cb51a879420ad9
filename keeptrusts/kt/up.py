"""`kt up`."""


def up() -> None:
    """Run everything on this machine."""
