"""The gateway as an ASGI application: ``uvicorn gateway.asgi:application``.

``KEEPTRUSTS_POLICY_CONFIG`` names the policy file.
"""

import os
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "keeptrusts.settings")
django.setup()

from gateway.proxy.application import Application  # noqa: E402

POLICY_VARIABLE = "KEEPTRUSTS_POLICY_CONFIG"

application = Application(Path(os.environ.get(POLICY_VARIABLE) or "policy-config.yaml"))
