"""The addresses of interactive work."""

from django.urls import path

from fabriek.lab import views

app_name = "lab"
urlpatterns = [
    path("new", views.new, name="new"),
    path("<slug:code>/enter", views.enter, name="enter"),
]
