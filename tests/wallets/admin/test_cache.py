"""Purging the response cache in the admin."""

from gateway.models import CacheGeneration
from tests.wallets.admin.confirming import confirm, page, shown
from tests.wallets.admin.conftest import SignIn
from tests.wallets.conftest import Company
from wallets.models import AuditRecord


def test_an_admin_purges_the_cache_of_the_organization(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    url = page(acme.organization, "purge-cache")
    assert shown(client, url) == [("Generation of kept answers", 0, 1)]

    confirm(client, url)

    assert CacheGeneration.of(acme.organization.pk) == 1
    assert AuditRecord.objects.filter(action="cache.purge").count() == 1


def test_an_auditor_may_not(acme: Company, sign_in: SignIn) -> None:
    answer = sign_in(acme.auditor).get(page(acme.organization, "purge-cache"))
    assert answer.status_code in (403, 404)
    assert not CacheGeneration.objects.exists()
