"""Identifiers: in time order, of the right version, in one alphabet."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from keeptrusts.lib import ids


def test_a_uuid_is_of_version_seven_and_of_its_time() -> None:
    before, made, after = ids.uuid7(), ids.uuid7(), ids.uuid7()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before.int >> 80 <= made.int >> 80 <= after.int >> 80


@given(st.uuids(), st.uuids())
def test_base32_keeps_order_and_length(first: uuid.UUID, second: uuid.UUID) -> None:
    texts = [ids.base32(first), ids.base32(second)]
    assert {len(text) for text in texts} == {26}
    assert (texts[0] < texts[1]) == (first.int < second.int)


def test_public_ids_carry_their_prefix() -> None:
    assert ids.public_id("wal").startswith("wal_")
