"""The addresses of searches for good settings."""

from django.urls import path

from fabriek.sweeps import views

app_name = "sweeps"
urlpatterns = [
    path("", views.index, name="list"),
    path("new", views.new, name="new"),
    path("price", views.price, name="price"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/live", views.live, name="live"),
    path("<slug:code>/go-on", views.go_on, name="go_on"),
    path("<slug:code>/stop", views.stop, name="stop"),
    path("<slug:code>/keep", views.keep, name="keep"),
]
