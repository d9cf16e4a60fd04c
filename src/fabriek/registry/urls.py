"""The addresses of models."""

from django.urls import path

from fabriek.registry import views

app_name = "registry"
urlpatterns = [
    path("", views.index, name="list"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/files/<path:path>", views.download, name="download"),
]
