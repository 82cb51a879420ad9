"""Wrong and missing values stop the start with one line that names the variable."""

import os
import runpy
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = str(ROOT / "keeptrusts" / "settings.py")
FIELD_KEY = "1MM0u9mvOaKWHHZrNFmdeVaAgFpaMVDlPzNBkRDQgSM="
PRODUCTION = {
    "KEEPTRUSTS_ENV": "production",
    "SECRET_KEY": "a2s9d8f7g6h5j4k3l2q1w0e9r8t7y6u5i4o3p2z1x0c9v8b7n6m5",
    "KEEPTRUSTS_FIELD_KEY": FIELD_KEY,
    "DATABASE_URL": "postgres://keeptrusts:s3cret@db.internal:5432/keeptrusts",
    "REDIS_URL": "redis://redis.internal:6379/0",
    "ALLOWED_HOSTS": "keeptrusts.example.com",
    "KEEPTRUSTS_PUBLIC_URL": "https://keeptrusts.example.com",
}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Reads the settings under exactly the given environment."""

    def run(**variables: str) -> dict[str, Any]:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in ({"KEEPTRUSTS_DATA": str(tmp_path / "data")} | variables).items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(SETTINGS)

    return run


def refusal(load: Any, **variables: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        load(**variables)
    return str(stopped.value)


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name != "KEEPTRUSTS_ENV"])
def test_production_needs(load: Any, name: str) -> None:
    message = refusal(load, **(PRODUCTION | {name: ""}))
    assert message.startswith(f"keeptrusts: {name} ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("DEBUG", "true", "is on in production"),
        ("SECRET_KEY", "short", "is too weak for production"),
        ("SECRET_KEY", "a" * 64, "is too weak for production"),
        ("SECRET_KEY", "django-insecure-" + "0123456789abcdef" * 4, "is too weak for production"),
        ("ALLOWED_HOSTS", "a.example,*", "allows every host in production"),
        ("DATABASE_URL", "sqlite:////tmp/a.sqlite3", "is not PostgreSQL"),
        ("PAYPAL_ENVIRONMENT", "simulator", "is simulator in production"),
        ("KEEPTRUSTS_PUBLIC_URL", "http://keeptrusts.example.com", "is not a usable URL"),
        (
            "KEEPTRUSTS_FIELD_KEY",
            "b25seS1mb3ItdGVzdHMtMDEyMzQ1Njc4OWFiY2RlZmc=",
            "is the key of the tests",
        ),
    ],
)
def test_production_refuses(load: Any, name: str, value: str, problem: str) -> None:
    assert refusal(load, **(PRODUCTION | {name: value})).startswith(f"keeptrusts: {name} {problem}")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("KEEPTRUSTS_ENV", "prod", "is 'prod'"),
        ("DEBUG", "perhaps", "is 'perhaps'"),
        ("LOG_LEVEL", "LOUD", "is 'LOUD'"),
        ("KEEPTRUSTS_PROXY_COUNT", "-1", "is '-1'"),
        ("KEEPTRUSTS_DB_POOL_SIZE", "1001", "is '1001'"),
        ("DATABASE_URL", "mysql://root@localhost/db", "is not a usable URL"),
        ("DATABASE_URL", "postgres://user@host:port/db", "is not a usable URL"),
        ("DATABASE_URL", "postgres://user@host", "names no database"),
        ("DATABASE_URL", "sqlite://:memory:", "is not a usable URL"),
        ("REDIS_URL", "http://localhost", "is not a usable URL"),
        ("KEEPTRUSTS_FIELD_KEY", "not-a-key", "is not an encryption key"),
        ("KEEPTRUSTS_DATA", "/dev/null/data", "cannot be used"),
    ],
)
def test_every_environment_refuses(load: Any, name: str, value: str, problem: str) -> None:
    assert refusal(load, **{name: value}).startswith(f"keeptrusts: {name} {problem}")


def test_a_refusal_does_not_repeat_a_password(load: Any) -> None:
    assert "hunter2" not in refusal(load, DATABASE_URL="mysql://root:hunter2@localhost/db")


def test_production_settings_are_strict(load: Any) -> None:
    settings = load(**PRODUCTION)
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000
    assert settings["ALLOWED_HOSTS"] == ["keeptrusts.example.com"]
    assert settings["CELERY_BROKER_URL"] == "redis://redis.internal:6379/0"
    assert settings["DATABASES"]["default"]["OPTIONS"]["pool"]["max_size"] == 10


def test_production_makes_no_files(load: Any, tmp_path: Path) -> None:
    load(**PRODUCTION)
    assert list(tmp_path.iterdir()) == []


def test_a_socket_directory_becomes_the_host(load: Any) -> None:
    settings = load(DATABASE_URL="postgres://kt@/ledger?host=/run/postgresql&port=5433")
    database = settings["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"]) == ("/run/postgresql", "5433")
    assert (database["USER"], database["NAME"]) == ("kt", "ledger")
    assert set(database["OPTIONS"]) == {"pool", "prepare_threshold", "options"}


def test_statements_are_prepared_unless_a_pooler_cannot(load: Any) -> None:
    url = "postgres://kt@db/ledger"
    prepared = load(DATABASE_URL=url)["DATABASES"]["default"]["OPTIONS"]
    assert prepared["prepare_threshold"] == 5
    assert prepared["options"] == "-c plan_cache_mode=force_custom_plan"
    plain = load(DATABASE_URL=url, KEEPTRUSTS_DB_PREPARE="false")
    assert set(plain["DATABASES"]["default"]["OPTIONS"]) == {"pool"}


def test_embedded_keeps_its_database_and_secrets_in_the_data_directory(
    load: Any, tmp_path: Path
) -> None:
    first, second = load(), load()
    assert first["DATABASES"]["default"]["NAME"] == str(tmp_path / "data" / "keeptrusts.sqlite3")
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert len(first["SECRET_KEY"]) >= 64
    mode = stat.S_IMODE((tmp_path / "data" / "secrets.env").stat().st_mode)
    assert mode == 0o600


def test_a_variable_wins_over_the_generated_secret(load: Any) -> None:
    assert load(SECRET_KEY="of-my-own")["SECRET_KEY"] == "of-my-own"


@pytest.mark.parametrize(
    "program",
    [
        [str(ROOT / "manage.py"), "check"],
        ["-m", "celery", "-A", "keeptrusts", "inspect", "ping"],
        ["-m", "uvicorn", "keeptrusts.asgi:application", "--port", "0"],
    ],
    ids=["manage.py", "celery", "asgi"],
)
def test_a_program_stops_with_one_line(program: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, *program],
        env={"KEEPTRUSTS_ENV": "production", "PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("keeptrusts: SECRET_KEY is missing: ")
    assert "Traceback" not in result.stderr
