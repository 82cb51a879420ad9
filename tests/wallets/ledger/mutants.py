"""The guards of the ledger, what each becomes when it is taken out, and the test that sees it.

``was`` stands in the file exactly once: who rewrites a guard moves its mutant along.
"""

from dataclasses import dataclass

BOOKS = "test_promises_of_the_books.py::test_promise_"
CALLS = "test_promises_of_the_calls.py::test_promise_"
DATABASE = "test_database_refuses.py::test_"
LINE = "test_line.py::test_"
STREAMS = "test_line_of_streams.py::test_"


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
        "capped is None and line.fits(",
        "capped is None or line.fits(",
        BOOKS + "01_a_hold_never_exceeds_what_is_owned",
    ),
    "refuse what fits exactly": Mutant(
        "ledger/line.py",
        "left = max(0, wallet.balance + returned)",
        "left = max(0, wallet.balance + returned - 1)",
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
        "row.held + row.spent + amount - less > use.cap",
        "row.held + row.spent + amount - less > use.cap + 1",
        BOOKS + "07_admission_fits_every_limit_exactly",
    ),
    "forget open holds under a limit": Mutant(
        "ledger/books.py",
        "row.held + row.spent + amount - less > use.cap",
        "row.spent + amount - less > use.cap",
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
    "let a newcomer pass who waits": Mutant(
        "ledger/line.py",
        "            left -= waiter.amount\n",
        "            left -= 0\n",
        LINE + "waiters_are_served_first_come_first_served",
    ),
    "take a newcomer's id for its age": Mutant(
        "ledger/line.py",
        "IN_LINE if operation.id in books.places else JUST_COME",
        "IN_LINE",
        LINE + "a_newcomer_has_to_join_the_line_first_where_its_id_decides",
    ),
    "starve the large": Mutant(
        "ledger/line.py",
        "elif waiter.patient and turn[0] > EXTENDING and _could_pay(wallet, waiter.amount):",
        "elif False:",
        LINE + "a_large_request_that_has_waited_is_not_starved_by_small_ones",
    ),
    "stand in the way of a stream": Mutant(
        "ledger/line.py",
        "waiter.patient and turn[0] > EXTENDING and",
        "waiter.patient and",
        STREAMS + "a_younger_stream_takes_what_an_older_one_cannot_use_yet",
    ),
    "keep a place for money that is not there": Mutant(
        "ledger/line.py",
        "and turn[0] > EXTENDING and _could_pay(wallet, waiter.amount):",
        "and turn[0] > EXTENDING:",
        LINE + "who_waits_for_money_that_is_not_there_stands_in_nobodys_way",
    ),
    "let everybody wait": Mutant(
        "ledger/line.py",
        "    if _is_full(wallet, operation.id, books):",
        "    if False:",
        LINE + "a_thousand_may_wait_and_one_more_may_not",
    ),
    "wait for what is not there": Mutant(
        "ledger/line.py",
        "        and _could_pay(wallet, operation.amount)\n",
        "",
        LINE + "a_hold_above_everything_there_is_waits_only_for_money",
    ),
    "wait for a frozen wallet": Mutant(
        "ledger/line.py",
        "        and not wallet.frozen\n",
        "",
        LINE + "what_waiting_cannot_mend_is_refused_at_once[frozen-wallet_frozen]",
    ),
    "wait above a draw cap": Mutant(
        "ledger/line.py",
        "        and books.exceeded(candidate.counters, operation.amount) is None\n",
        "",
        LINE + "what_waiting_cannot_mend_is_refused_at_once[capped-insufficient_balance]",
    ),
    "keep the place of who was served": Mutant(
        "ledger/line.py",
        "    books.left.add(id)\n",
        "",
        LINE + "a_hold_that_only_others_hold_up_waits_and_changes_no_balance",
    ),
    "end the place of another tenant": Mutant(
        "ledger/batch.py",
        "if place is not None and place.organization_id == op.organization_id:",
        "if place is not None:",
        LINE + "nobody_ends_the_place_of_another_tenant",
    ),
    "wait behind the dead": Mutant(
        "ledger/sqlite.py",
        "WHERE NOT dismissed AND lease_until > {self._moment()} ",
        "WHERE NOT dismissed ",
        LINE + "the_places_of_a_dead_process_block_nobody",
    ),
    "wait behind the dismissed": Mutant(
        "ledger/sqlite.py",
        "WHERE NOT dismissed AND ",
        "WHERE ",
        LINE + "a_dismissed_place_blocks_nobody_and_waits_no_longer",
    ),
    "never look at the line": Mutant(
        "ledger/sqlite.py",
        "        self._run(_LOOK, [",
        "        print([",
        LINE + "waiters_are_served_first_come_first_served",
    ),
    "decide extensions as they come": Mutant(
        "ledger/batch.py",
        "        return 1, op.id.int\n",
        "        return 1, 0\n",
        STREAMS + "extensions_of_a_batch_go_first_by_the_age_of_their_streams",
    ),
    "hold before who extends": Mutant(
        "ledger/batch.py",
        "        return 1, op.id.int\n",
        "        return 5, op.id.int\n",
        STREAMS + "extensions_of_a_batch_go_first_by_the_age_of_their_streams",
    ),
    "move without giving back": Mutant(
        "ledger/holds.py",
        "    if old is None:\n        return _open(",
        "    if True:\n        return _open(",
        STREAMS + "a_move_returns_the_old_hold_whole_and_takes_the_new_one",
    ),
    "forget the cost of what was moved": Mutant(
        "ledger/holds.py",
        "    books.reservations[operation.id].checkpoint = old.checkpoint\n",
        "",
        STREAMS + "a_move_returns_the_old_hold_whole_and_takes_the_new_one",
    ),
    "count a moved hold twice under a limit": Mutant(
        "ledger/books.py",
        "less = returned.amount if returned and use.key in returned.counters else 0",
        "less = 0",
        STREAMS + "a_limit_sees_only_what_a_move_adds",
    ),
    "move down": Mutant(
        "ledger/holds.py",
        "if candidate.wallet.rank < row.wallet_rank:",
        "if False:",
        STREAMS + "a_refused_move_changes_nothing[to a wallet below]",
    ),
    "move a hold that has ended": Mutant(
        "ledger/holds.py",
        '    if row.closed:\n        return refused(Conflict("The reservation is closed.", '
        "state=row.state))\n    to = operation.to",
        "    to = operation.to",
        STREAMS + "a_hold_that_has_ended_does_not_move[refund]",
    ),
    "move another tenant's hold": Mutant(
        "ledger/holds.py",
        "if to.organization_id != row.organization_id or to.kind",
        "if to.kind",
        STREAMS + "no_move_touches_another_tenant",
    ),
    "refuse a move that was made": Mutant(
        "ledger/batch.py",
        "if isinstance(op, Move) and op.to.id in self.books.reservations:",
        "if False:",
        STREAMS + "a_move_repeated_after_a_lost_answer_is_answered_as_before",
    ),
    "one failure takes all": Mutant(
        "ledger/posting.py",
        "    if len(operations) > 1:\n        middle",
        "    if False:\n        middle",
        "test_faults.py::test_an_impossible_settle_leaves_its_hold_to_the_sweeper",
    ),
}
