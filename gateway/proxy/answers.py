"""Headers of our own, and the last lines of a stream."""

from gateway.proxy.call import Call
from gateway.proxy.http import Header
from keeptrusts.lib import money
from wallets.ledger import Result


def common(call: Call) -> list[Header]:
    """What every answer says: the request id, the wallet that pays, the cache, what stages add."""
    headers = [
        (b"x-keeptrusts-request-id", call.id.encode()),
        (b"x-keeptrusts-cache", call.event.cache.encode()),
    ]
    card = call.snapshot.wallets.get(call.paying) if call.paying is not None else None
    if card is not None:
        headers.append((b"x-keeptrusts-wallet", card.public_id.encode()))
    headers.extend(call.extra)
    return headers


def paid(call: Call, result: Result | None) -> list[Header]:
    """What a plain answer says about money: cost, and the balance after it."""
    headers = []
    if call.event.cost is not None:
        headers.append((b"x-keeptrusts-cost", money.token(call.event.cost).encode()))
    if _has_balance(result):
        headers.append((b"x-keeptrusts-balance", money.token(result.balance).encode()))  # type: ignore[union-attr]
    return headers


def comment(call: Call, result: Result | None) -> bytes:
    """``: keeptrusts cost=0.0000171 balance=499.9``: clients of event streams skip it."""
    parts = [f"cost={money.token(call.event.cost or 0)}"]
    if _has_balance(result):
        parts.append(f"balance={money.token(result.balance)}")  # type: ignore[union-attr]
    return f": keeptrusts {' '.join(parts)}\n\n".encode()


def _has_balance(result: Result | None) -> bool:
    return result is not None and result.wallet_id is not None and not result.replayed
