"""The cookies of the portal; what stands beside it on its domain can not set them."""

import os
import subprocess
import sys

import pytest

from tests import tables

ASKS = """
import django
from django.test import Client
django.setup()
from fabriek.people.models import Person
Person.objects.create_user("ada@example.org", "een-lang-wachtwoord-7")
client = Client(enforce_csrf_checks=True, headers={"x-forwarded-proto": "https"})
page = "/accounts/login/"
client.get(page)
[sign] = [one.value for name, one in client.cookies.items() if name.endswith("csrftoken")]
told = {"login": "ada@example.org", "password": "een-lang-wachtwoord-7"}
told["csrfmiddlewaretoken"] = sign
answer = client.post(page, told, headers={"referer": "https://localhost" + page}, secure=True)
print(answer.status_code, client.get("/api/people/me").status_code)
for name, cookie in sorted(client.cookies.items()):
    print(name, bool(cookie["secure"]), cookie["path"], repr(cookie["domain"]))
"""


@pytest.mark.parametrize(("scheme", "prefix"), [("https", "__Host-"), ("http", "")])
def test_over_https_both_cookies_are_of_this_host_alone(tmp_path, scheme, prefix):
    tables.give(tmp_path)
    surroundings = os.environ | {
        "DJANGO_SETTINGS_MODULE": "fabriek.settings",
        "FABRIEK_HOME": str(tmp_path),
        "FABRIEK_URL": f"{scheme}://localhost",
        "FABRIEK_HOSTS": "testserver,localhost",
        "FABRIEK_ORIGINS": "https://localhost",
        "FABRIEK_EMAIL_VERIFICATION": "none",
    }
    command = [sys.executable, "-c", ASKS]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    told, *cookies = done.stdout.splitlines()
    secure = scheme == "https"
    assert told == "302 200"
    assert cookies == [f"{prefix}{name} {secure} / ''" for name in ("csrftoken", "sessionid")]
