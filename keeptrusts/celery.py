"""The Celery application; tasks live in each app's `tasks.py`."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "keeptrusts.settings")

# The embedded queue, `files://` in the settings.
TRANSPORT_ALIASES["files"] = "keeptrusts.lib.file_queue:Transport"

app = Celery("keeptrusts")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
