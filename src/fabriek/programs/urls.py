"""The addresses of own code."""

from django.urls import path

from fabriek.programs import drop_views, views

app_name = "programs"
urlpatterns = [
    path("new", views.new, name="new"),
    path("<str:code>/drop", drop_views.drop, name="drop"),
]
