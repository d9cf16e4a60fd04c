"""The addresses of own code."""

from django.urls import path

from fabriek.programs import views

app_name = "programs"
urlpatterns = [path("new", views.new, name="new")]
