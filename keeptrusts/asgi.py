"""The web process (admin, console, /v1): `uvicorn keeptrusts.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "keeptrusts.settings")

application = get_asgi_application()
