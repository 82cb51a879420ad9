"""A cache serializer for what is bytes already: nothing that is read is ever unpickled."""


class PlainBytes:
    """Keeps bytes as they are."""

    def dumps(self, value: bytes) -> bytes:
        """What is kept."""
        if not isinstance(value, bytes):
            raise TypeError("this cache keeps bytes only")
        return value

    def loads(self, value: bytes) -> bytes:
        """What is read."""
        return value
