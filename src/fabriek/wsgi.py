"""The portal as a WSGI application, for gunicorn and its like."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fabriek.settings")

os.umask(0o077)  # jobs run as other accounts of this machine: nothing of ours is theirs
application = get_wsgi_application()
