"""The gateway as an ASGI application: ``uvicorn gateway.asgi:application``.

``KEEPTRUSTS_POLICY_CONFIG`` names the policy file.
"""

import os
import sys
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "keeptrusts.settings")
django.setup()

from gateway.proxy.application import Application  # noqa: E402

POLICY_VARIABLE = "KEEPTRUSTS_POLICY_CONFIG"
SWITCH_SECONDS = 0.0005

# The ledger thread waits for the interpreter after every answer of the database. With Python's own
# 5 ms a busy event loop keeps it waiting, and a batch takes several times as long.
sys.setswitchinterval(SWITCH_SECONDS)

application = Application(Path(os.environ.get(POLICY_VARIABLE) or "policy-config.yaml"))
