"""What the database itself refuses: changed entries, money without an entry, half transfers.

Installed after every ``migrate`` because SQLite drops triggers when it rebuilds a table. A start
check and ``kt ledger verify`` fail when one is missing.
"""

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

APPEND_ONLY = ("wallets_entry", "wallets_auditrecord")

_POSTGRES_FUNCTIONS = """
CREATE OR REPLACE FUNCTION keeptrusts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE FUNCTION keeptrusts_refuse_used_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.seq > 0 THEN
    RAISE EXCEPTION 'a wallet with entries stays' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END $$;
CREATE OR REPLACE FUNCTION keeptrusts_wallet_starts_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a wallet starts empty' USING ERRCODE = 'check_violation';
END $$;
CREATE OR REPLACE FUNCTION keeptrusts_wallet_has_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM wallets_entry e WHERE e.wallet_id = NEW.id AND e.seq = NEW.seq
      AND e.posted_after = NEW.posted AND e.reserved_after = NEW.reserved AND e.debt_after =
      NEW.debt
  ) THEN
    RAISE EXCEPTION 'wallet % changed without an entry', NEW.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION keeptrusts_transfer_is_zero_sum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT sum(d_posted - d_debt) FROM wallets_entry WHERE transfer = NEW.transfer) <> 0 THEN
    RAISE EXCEPTION 'transfer % does not sum to zero', NEW.transfer USING ERRCODE =
    'check_violation';
  END IF;
  RETURN NULL;
END $$;
"""

_BALANCES = "OLD.posted, OLD.reserved, OLD.debt, OLD.seq"
_CHANGED = f"({_BALANCES}) IS DISTINCT FROM ({_BALANCES.replace('OLD', 'NEW')})"
_FUNDED = "NEW.posted <> 0 OR NEW.reserved <> 0 OR NEW.debt <> 0 OR NEW.seq <> 0"


def _postgres() -> dict[str, str]:
    """Trigger name → statement."""
    triggers = {}
    for table in APPEND_ONLY:
        triggers[f"{table}_append_only"] = (
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION keeptrusts_refuse_change()"
        )
        triggers[f"{table}_no_truncate"] = (
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION keeptrusts_refuse_change()"
        )
    triggers["wallets_wallet_stays"] = (
        "CREATE TRIGGER wallets_wallet_stays BEFORE DELETE ON wallets_wallet "
        "FOR EACH ROW EXECUTE FUNCTION keeptrusts_refuse_used_wallet()"
    )
    triggers["wallets_wallet_starts_empty"] = (
        "CREATE TRIGGER wallets_wallet_starts_empty BEFORE INSERT ON wallets_wallet "
        f"FOR EACH ROW WHEN ({_FUNDED}) EXECUTE FUNCTION keeptrusts_wallet_starts_empty()"
    )
    triggers["wallets_wallet_has_entry"] = (
        "CREATE CONSTRAINT TRIGGER wallets_wallet_has_entry AFTER UPDATE ON wallets_wallet "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({_CHANGED}) "
        "EXECUTE FUNCTION keeptrusts_wallet_has_entry()"
    )
    triggers["wallets_entry_zero_sum"] = (
        "CREATE CONSTRAINT TRIGGER wallets_entry_zero_sum AFTER INSERT ON wallets_entry "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.transfer IS NOT NULL) "
        "EXECUTE FUNCTION keeptrusts_transfer_is_zero_sum()"
    )
    return triggers


def _sqlite() -> dict[str, str]:
    """Trigger name → statement. SQLite has no deferred triggers: entries are written first."""
    triggers = {}
    for table in APPEND_ONLY:
        for event in ("UPDATE", "DELETE"):
            name = f"{table}_no_{event.lower()}"
            triggers[name] = (
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    triggers["wallets_wallet_stays"] = (
        "CREATE TRIGGER wallets_wallet_stays BEFORE DELETE ON wallets_wallet WHEN OLD.seq > 0 "
        "BEGIN SELECT RAISE(ABORT, 'a wallet with entries stays'); END"
    )
    triggers["wallets_wallet_starts_empty"] = (
        "CREATE TRIGGER wallets_wallet_starts_empty BEFORE INSERT ON wallets_wallet "
        f"WHEN {_FUNDED} BEGIN SELECT RAISE(ABORT, 'a wallet starts empty'); END"
    )
    triggers["wallets_wallet_has_entry"] = (
        "CREATE TRIGGER wallets_wallet_has_entry AFTER UPDATE ON wallets_wallet "
        "WHEN OLD.posted <> NEW.posted OR OLD.reserved <> NEW.reserved OR OLD.debt <> NEW.debt "
        "OR OLD.seq <> NEW.seq BEGIN SELECT RAISE(ABORT, 'wallet changed without an entry') "
        "WHERE NOT EXISTS (SELECT 1 FROM wallets_entry e WHERE e.wallet_id = NEW.id "
        "AND e.seq = NEW.seq AND e.posted_after = NEW.posted "
        "AND e.reserved_after = NEW.reserved AND e.debt_after = NEW.debt); END"
    )
    return triggers


def expected(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """The triggers this engine must have."""
    return _postgres() if connection.vendor == "postgresql" else _sqlite()


def present(connection: BaseDatabaseWrapper) -> set[str]:
    """Names of the triggers the database has, disabled ones left out."""
    sql = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D' "
        "AND tgrelid::regclass::text LIKE 'wallets_%%'"
        if connection.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {row[0] for row in cursor.fetchall()}


def missing(using: str = "default") -> list[str]:
    """Names of triggers that should be there and are not."""
    connection = connections[using]
    return sorted(expected(connection).keys() - present(connection))


def install(connection: BaseDatabaseWrapper) -> None:
    """(Re)create what is missing; running it again changes nothing."""
    statements = expected(connection)
    absent = statements.keys() - present(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRES_FUNCTIONS)
        for name in sorted(absent):
            cursor.execute(statements[name])


def install_after_migrate(*, using: str, **_: Any) -> None:
    """Receiver of ``post_migrate``; does nothing until the tables exist."""
    connection = connections[using]
    if set(APPEND_ONLY) | {"wallets_wallet"} <= set(connection.introspection.table_names()):
        install(connection)
