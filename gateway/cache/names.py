"""Under which names an organisation's answers, and their generation, lie in the cache."""


def prefix(organization: str) -> str:
    """The beginning of the names of everything an organisation (public id) keeps."""
    return f"answer:{organization}:"


def generation_name(organization: str) -> str:
    """Where the generation of an organisation lies beside its answers."""
    return f"answers-of:{organization}"


def generation_value(generation: int) -> bytes:
    """A generation as it lies there."""
    return b"%d" % generation


def generation_of(value: bytes) -> int:
    """The reverse; 0 for what is no generation."""
    return int(value) if value.isdigit() else 0
