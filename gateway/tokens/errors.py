"""A request that cannot be counted, and so cannot be paid for."""


class InvalidRequest(ValueError):
    """``field`` names what is wrong in the request body, ``message`` says what to send."""

    code = "invalid_request"
    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
