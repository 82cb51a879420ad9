"""Why an operation was refused. Each has a stable ``code`` and the HTTP status it means.

Refused
├── InvalidInput          422  a field that cannot be used; names it
├── NotFound              404  unknown here, or of another organisation
├── Forbidden             403  the role does not allow it
├── InsufficientFunds     402  insufficient_balance
├── LimitExceeded         402  hourly_ | daily_ | monthly_limit_exceeded
├── WalletFrozen          402  wallet_frozen
├── Stopped               402  stopped
├── InDebt                402  organization_in_debt
├── BalanceLimit          422  balance_limit
├── KeyReused             422  idempotency_key_reused
├── Conflict              409  the state does not allow it
└── LedgerUnavailable     503  the database is away or too busy; nothing was done
"""

from typing import Any


class Refused(Exception):
    """An operation that was refused and changed nothing. ``details`` is safe to show the caller."""

    code = "refused"
    status = 400

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if code is not None:
            self.code = code


class InvalidInput(Refused):
    """A field that cannot be used; ``field`` names it, the message says what to send."""

    code = "invalid_input"
    status = 422

    def __init__(self, field: str, message: str, **details: Any) -> None:
        super().__init__(message, field=field, **details)
        self.field = field


class NotFound(Refused):
    """Unknown in this organisation; a foreign id answers the same."""

    code = "not_found"
    status = 404


class Forbidden(Refused):
    """The role of the caller does not allow it."""

    code = "forbidden"
    status = 403


class InsufficientFunds(Refused):
    """No wallet that may pay has enough available. Amounts in ``details`` are nano-dollars."""

    code = "insufficient_balance"
    status = 402


class LimitExceeded(Refused):
    """Admission would exceed a limit in its period."""

    code = "limit_exceeded"
    status = 402


class WalletFrozen(Refused):
    """The wallet that would pay is frozen."""

    code = "wallet_frozen"
    status = 402


class Stopped(Refused):
    """A stop switch is pulled."""

    code = "stopped"
    status = 402


class InDebt(Refused):
    """The wallet owes money after a reversed payment; nothing leaves it until that is repaid."""

    code = "organization_in_debt"
    status = 402


class BalanceLimit(Refused):
    """A wallet column would exceed 4,000,000,000 USD."""

    code = "balance_limit"
    status = 422


class KeyReused(Refused):
    """The idempotency key was used for another request."""

    code = "idempotency_key_reused"
    status = 422


class Conflict(Refused):
    """The current state does not allow the operation."""

    code = "conflict"
    status = 409


class LedgerUnavailable(Refused):
    """The database is away or too busy; try again later."""

    code = "ledger_unavailable"
    status = 503
