"""The 402 body: what was missing, on which wallet, and what would have fitted."""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.pricing import worst_case_nanos
from gateway.proxy.call import Call
from gateway.proxy.errors import Blocked, Rejected, unavailable
from gateway.proxy.spending import Spending
from gateway.snapshot import Caller
from keeptrusts.lib import money
from wallets import periods, tickets
from wallets.cascade import WalletCard
from wallets.errors import InsufficientFunds, LedgerUnavailable, LimitExceeded, Refused

SENTENCES = {
    "insufficient_balance": "Budget exceeded for {}",
    "budget_alert_block": "Budget exceeded for {}",
    "hourly_limit_exceeded": "Hourly limit exceeded for {}",
    "daily_limit_exceeded": "Daily limit exceeded for {}",
    "monthly_limit_exceeded": "Monthly limit exceeded for {}",
    "wallet_frozen": "The wallet is frozen that pays for {}",
    "organization_in_debt": "The organization owes money after a reversed payment; it pays for {}",
}
CONTENDED_SECONDS = 2
FUNDABLE = frozenset({"insufficient_balance", "organization_in_debt"})
PERIODS = {
    "hourly_limit_exceeded": "hour",
    "daily_limit_exceeded": "day",
    "monthly_limit_exceeded": "month",
}


def of(call: Call, refusal: Refused, spending: Spending | None) -> Rejected:
    """How the ledger's refusal is told to the caller."""
    if isinstance(refusal, LedgerUnavailable):
        return unavailable("The wallets cannot be reached now; try again.", code=refusal.code)
    return Blocked(
        refusal.status,
        message(refusal.code, call.caller),
        code=refusal.code,
        details=details(call, refusal.code, refusal.details, spending),
        retry_after=_retry_after(call, refusal.code, refusal.details),
    )


def blocked(call: Call, code: str, spending: Spending | None) -> Blocked:
    """A refusal that was decided here, told like the ledger's."""
    return Blocked(
        402,
        message(code, call.caller),
        code=code,
        details=details(call, code, {}, spending),
    )


def message(code: str, caller: Caller) -> str:
    """``Budget exceeded for consumer group: marketing``."""
    return SENTENCES.get(code, "The request was refused for {}").format(whom(caller))


def whom(caller: Caller) -> str:
    """Who ran out of money, as they know themselves."""
    if caller.group_name:
        return f"consumer group: {caller.group_name}"
    return f"user {caller.user_public_id} of team: {caller.team.slug}"


def details(
    call: Call, code: str, facts: Mapping[str, Any], spending: Spending | None
) -> dict[str, Any]:
    """Amounts in US dollars. ``ticket`` and ``fund_url`` are null where there is none;
    ``contended``: the money is there, others hold it now, so waiting helps.
    """
    balances: dict[int, int] = facts.get("balances") or {}
    wallet, balance = _wallet(call, facts, balances)
    hold = call.event.hold
    found = {
        "team": call.caller.team.slug,
        "budget": dollars(spending.budget if spending else None),
        "spent": dollars(spending.spent if spending else None),
        "estimated_cost": dollars(hold),
        "balance": dollars(balance),
        "scope": wallet.scope if wallet else "team",
        "wallet": wallet.public_id if wallet else None,
        "ticket": facts.get("ticket"),
        "fund_url": tickets.fund_url(wallet.id) if wallet and code in FUNDABLE else None,
        "retry_after": _retry_after(call, code, facts),
        "contended": bool(facts.get("contended")),
        "affordable_max_tokens": _affordable(call, max(balances.values(), default=0)),
    }
    if code in PERIODS:
        spent = int(facts.get("spent", 0)) + int(facts.get("held", 0))
        found |= {"limit": dollars(facts.get("limit")), "used": dollars(spent)}
    if "debt" in facts:
        found["debt"] = dollars(facts["debt"])
    return found


def _wallet(
    call: Call, facts: Mapping[str, Any], balances: Mapping[int, int]
) -> tuple[WalletCard | None, int | None]:
    """The wallet a refusal is about: the one it names, else the caller's own."""
    own = call.caller.wallet
    named = facts.get("wallet_id", own.id if own else None)
    wallet = call.snapshot.wallets.get(named) if named is not None else None
    return wallet, balances.get(wallet.id) if wallet else None


def dollars(amount: int | None) -> orjson.Fragment | None:
    """A fixed-point JSON number, exact to the nano-dollar."""
    return None if amount is None else orjson.Fragment(money.token(amount).encode())


def _retry_after(call: Call, code: str, facts: Mapping[str, Any]) -> int | None:
    """Seconds until the period of a limit ends, or until others may have settled."""
    period = PERIODS.get(code)
    if period is None:
        return CONTENDED_SECONDS if facts.get("contended") else None
    ends = periods.end(period, call.now, call.snapshot.organization.zone)
    return max(1, int((ends - call.now).total_seconds()) + 1)


def _affordable(call: Call, balance: int) -> int | None:
    """The most output tokens this prompt could ask for with ``balance``; None for not even one."""
    admission = call.admission
    if admission is None or admission.priced is None or balance <= 0:
        return None
    estimate, rates = admission.estimate, admission.priced.rates

    def cost(tokens: int) -> int:
        return worst_case_nanos(
            estimate.prompt_tokens, tokens * estimate.choices, rates, audio=estimate.audio
        )

    fits, too_many = 0, estimate.completion_tokens // estimate.choices + 1
    while fits + 1 < too_many:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if cost(middle) <= balance else (fits, middle)
    return fits or None


def is_about_money(refusal: Refused) -> bool:
    """Whether the team's budget belongs into the answer."""
    return isinstance(refusal, InsufficientFunds | LimitExceeded) or refusal.status == 402
