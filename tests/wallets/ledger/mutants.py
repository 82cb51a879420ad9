"""The guards of the ledger, what each becomes when it is taken out, and the test that sees it.

``was`` stands in the file exactly once: who rewrites a guard moves its mutant along.
"""

from dataclasses import dataclass

BOOKS = "test_promises_of_the_books.py::test_promise_"
CALLS = "test_promises_of_the_calls.py::test_promise_"
DATABASE = "test_database_refuses.py::test_"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard of ``file`` (below ``wallets``) less, and who notices."""

    file: str
    was: str
    becomes: str
    seen_by: str


MUTANTS = {
    "hold more than is available": Mutant(
        "ledger/holds.py",
        "capped is None and wallet.available >= operation.amount",
        "capped is None",
        BOOKS + "01_a_hold_never_exceeds_what_is_owned",
    ),
    "refuse what fits exactly": Mutant(
        "ledger/holds.py",
        "wallet.available >= operation.amount",
        "wallet.available > operation.amount",
        BOOKS + "01_a_hold_never_exceeds_what_is_owned",
    ),
    "leave debt unpaid": Mutant(
        "ledger/books.py",
        "repaid = min(self.debt, self.posted - self.reserved)",
        "repaid = 0",
        BOOKS + "01_new_money_repays_debt_first",
    ),
    "let a limit be passed by one": Mutant(
        "ledger/books.py",
        "row.held + row.spent + amount > use.cap",
        "row.held + row.spent + amount > use.cap + 1",
        BOOKS + "07_admission_fits_every_limit_exactly",
    ),
    "forget open holds under a limit": Mutant(
        "ledger/books.py",
        "row.held + row.spent + amount > use.cap",
        "row.spent + amount > use.cap",
        BOOKS + "07_admission_fits_every_limit_exactly",
    ),
    "never give a counter back what a hold held": Mutant(
        "ledger/books.py",
        "row.held -= held",
        "row.held -= 0",
        BOOKS + "07_the_surplus_of_a_settled_hold_is_free_again",
    ),
    "fall through where a draw cap says stop": Mutant(
        "ledger/holds.py",
        "    if capped is None and not last:",
        "    if not last:",
        CALLS + "08_a_refusal_changes_no_byte[draw above a cap]",
    ),
    "let a frozen wallet pay": Mutant(
        "ledger/holds.py",
        '    if wallet.frozen:\n        return refused(WalletFrozen("The wallet is frozen.", '
        "wallet_id=wallet.id))\n    capped",
        "    capped",
        CALLS + "08_a_refusal_changes_no_byte[reserve on a frozen wallet]",
    ),
    "charge beyond hold and balance": Mutant(
        "ledger/holds.py",
        "charge = min(cost, row.amount + wallet.available)",
        "charge = cost",
        BOOKS + "03_a_cost_above_hold_and_balance_is_written_off",
    ),
    "charge at most the hold": Mutant(
        "ledger/holds.py",
        "charge = min(cost, row.amount + wallet.available)",
        "charge = min(cost, row.amount)",
        BOOKS + "03_a_cost_between_hold_and_balance_is_charged_whole",
    ),
    "charge a late settle twice": Mutant(
        "ledger/holds.py",
        "due = max(0, operation.cost - row.charged - row.written_off)",
        "due = operation.cost",
        BOOKS + "05_a_hold_swept_is_settled_late_at_most_once",
    ),
    "settle again at another cost": Mutant(
        "ledger/holds.py",
        'if row.state == "settled" and row.cost == operation.cost:',
        'if row.state == "settled":',
        BOOKS + "05_a_settle_at_another_cost_is_refused",
    ),
    "return a hold that is closed": Mutant(
        "ledger/holds.py",
        "    if row.closed:\n        return replayed(row, books)\n    return close(",
        "    return close(",
        BOOKS + "05_a_hold_opens_once_extends_in_order_and_closes_once",
    ),
    "extend a hold that is closed": Mutant(
        "ledger/holds.py",
        '    if row.closed:\n        return refused(Conflict("The reservation is closed.", '
        "state=row.state))\n    if operation.part < row.parts:",
        "    if operation.part < row.parts:",
        BOOKS + "05_a_hold_opens_once_extends_in_order_and_closes_once",
    ),
    "sweep without looking again": Mutant(
        "ledger/holds.py",
        "if not is_due(operation, row):",
        "if row.closed:",
        CALLS + "10_a_sweep_leaves_what_is_not_due",
    ),
    "sweep money held for a refund": Mutant(
        "ledger/holds.py",
        'if row.closed or row.kind != "usage" or row.now is None:',
        "if row.closed or row.now is None:",
        CALLS + "10_money_held_for_a_refund_never_expires",
    ),
    "take a repeated id for the same hold": Mutant(
        "ledger/holds.py",
        "if row.parts == 1 and row.amount != operation.amount or row.kind != operation.kind:",
        "if row.kind != operation.kind:",
        CALLS + "09_a_reserve_repeats_as_itself_and_refuses_another_amount",
    ),
    "decide one hold twice in a transaction": Mutant(
        "ledger/posting.py",
        "if not waves or names & seen:",
        "if not waves:",
        CALLS + "09_two_equal_keys_in_a_batch_take_effect_once",
    ),
    "replay a key to another body": Mutant(
        "ledger/batch.py",
        "(organization_id, fingerprint) != (op.organization_id, op.claim.fingerprint)",
        "organization_id != op.organization_id",
        CALLS + "09_the_same_key_with_another_body_is_refused",
    ),
    "replay a key to another tenant": Mutant(
        "ledger/batch.py",
        "(organization_id, fingerprint) != (op.organization_id, op.claim.fingerprint)",
        "fingerprint != op.claim.fingerprint",
        CALLS + "13_no_call_sees_or_touches_another_tenant",
    ),
    "keep the key of a refused call": Mutant(
        "ledger/batch.py",
        "(kept if result.ok else freed).append",
        "kept.append",
        CALLS + "09_a_refused_call_frees_its_key",
    ),
    "forget a key whose work was done before": Mutant(
        "ledger/batch.py",
        "if op.claim is None or i in self.answered_by_claim:",
        "if op.claim is None or result.replayed:",
        CALLS + "09_a_key_that_found_its_work_done_is_kept",
    ),
    "book another amount under a known reference": Mutant(
        "ledger/movements.py",
        "if (wallet_id, abs(booked)) != (wallet.id, amount):",
        "if wallet_id != wallet.id:",
        CALLS + "12_a_reference_with_another_amount_is_refused",
    ),
    "pay from another tenant's wallet": Mutant(
        "ledger/holds.py",
        "if wallet is None or wallet.organization_id != operation.organization_id:",
        "if wallet is None:",
        CALLS + "13_no_call_sees_or_touches_another_tenant",
    ),
    "settle another tenant's hold": Mutant(
        "ledger/batch.py",
        "if row is None or row.organization_id != op.organization_id:",
        "if row is None:",
        CALLS + "13_no_call_sees_or_touches_another_tenant",
    ),
    "move another tenant's money": Mutant(
        "ledger/movements.py",
        "if row is None or row.organization_id != operation.organization_id:",
        "if row is None:",
        CALLS + "13_no_call_sees_or_touches_another_tenant",
    ),
    "check each leg of a transfer alone": Mutant(
        "ledger/movements.py",
        "needed[source.id] += amount",
        "needed[source.id] = amount",
        BOOKS + "06_a_transfer_moves_all_legs_or_none",
    ),
    "move money out of debt": Mutant(
        "ledger/movements.py",
        "        if source.debt:\n",
        "        if False:\n",
        BOOKS + "06_nothing_moves_out_of_a_wallet_in_debt",
    ),
    "book a payment twice": Mutant(
        "ledger/movements.py",
        "if reference is None or (type, reference) not in books.references:",
        "if True:",
        CALLS + "12_a_reference_with_another_amount_is_refused",
    ),
    "give back more than was charged": Mutant(
        "ledger/movements.py",
        "if operation.amount > row.charged + row.adjusted:",
        "if operation.amount > row.charged:",
        BOOKS + "03_an_adjustment_gives_back_at_most_the_charge",
    ),
    "close a hold of another wallet": Mutant(
        "ledger/movements.py",
        'if row is None or row.wallet_id != wallet.id or row.kind == "usage":',
        "if row is None:",
        CALLS + "13_a_payment_refund_closes_no_usage_hold_and_none_of_another_wallet",
    ),
    "hold more than a wallet may": Mutant(
        "ledger/books.py",
        "if self.posted + amount > money.MAX_BALANCE:",
        "if False:",
        CALLS + "08_a_refusal_changes_no_byte[credit above what a wallet may hold]",
    ),
    "save a stale balance": Mutant(
        "models/wallet.py",
        "if not field.primary_key and field.name not in WRITTEN_BY_THE_LEDGER",
        "if not field.primary_key",
        DATABASE + "saving_a_stale_wallet_writes_no_balance",
    ),
    "change a balance without an entry": Mutant(
        "triggers.py",
        '"WHERE NOT EXISTS (SELECT 1 FROM wallets_entry e WHERE e.wallet_id = NEW.id "',
        '"WHERE NOT EXISTS (SELECT 1 FROM wallets_entry e WHERE true OR e.wallet_id = NEW.id "',
        DATABASE + "no_balance_changes_without_an_entry[posted = 101]",
    ),
    "one failure takes all": Mutant(
        "ledger/posting.py",
        "    if len(operations) > 1:\n        middle",
        "    if False:\n        middle",
        "test_faults.py::test_an_impossible_settle_leaves_its_hold_to_the_sweeper",
    ),
}
