"""Where anybody finds the key with which the factory signs."""

from django.urls import path, re_path

from fabriek.registry import paper_views

app_name = "signing"
urlpatterns = [
    path("model-signing.pem", paper_views.key, name="key"),
    re_path(
        r"^model-signing/(?P<fingerprint>[0-9a-f]{64})\.pem$", paper_views.key, name="key_of"
    ),
]
