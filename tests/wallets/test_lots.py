"""What is left of credits that expire: the pure replay."""

from datetime import UTC, datetime, timedelta

from wallets.lots import PLAIN, Movement, Position, due, replay

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EXPIRES = {1: NOW, 2: NOW + timedelta(days=30)}
OPENED = {1: 1, 2: 2}


def played(*movements: tuple[str, int, str]) -> Position:
    position = Position()
    rows = [Movement(seq, *movement) for seq, movement in enumerate(movements, start=1)]
    replay(position, rows, OPENED, EXPIRES)
    return position


def test_outflows_take_the_earliest_expiry_first() -> None:
    position = played(
        ("credit", 100, "credit"), ("credit", 100, "credit"), ("settle", -120, "usage")
    )
    assert position.left == {2: 80}


def test_money_that_never_expires_is_taken_last() -> None:
    position = played(
        ("credit", 10, "credit"), ("credit", 10, "credit"), ("payment_capture", 10, "paypal"),
        ("settle", -25, "usage"),
    )  # fmt: skip
    assert position.left == {PLAIN: 5}


def test_reclaim_restores_the_latest_expiry_first() -> None:
    position = played(
        ("credit", 100, "credit"), ("credit", 100, "credit"),
        ("allocation_out", -150, "wallet:7"), ("allocation_in", 60, "wallet:7"),
    )  # fmt: skip
    assert position.left == {2: 100, 1: 10}
    assert position.lent == {"wallet:7": [(1, 90)]}


def test_what_is_due_is_what_is_left_of_lots_past_their_expiry() -> None:
    position = played(
        ("credit", 100, "credit"), ("credit", 100, "credit"), ("settle", -30, "usage")
    )
    assert due(position, EXPIRES, NOW) == 70


def test_an_expiry_is_counted_on_its_lot() -> None:
    position = played(
        ("credit", 100, "credit"), ("credit", 100, "credit"), ("expiry", -100, "expired")
    )
    assert position.expired == {1: 100}
    assert position.left == {2: 100}
