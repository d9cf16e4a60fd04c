"""The addresses of runs."""

from django.urls import path

from fabriek.runs import views

app_name = "runs"
urlpatterns = [
    path("", views.index, name="list"),
    path("new", views.new, name="new"),
    path("price", views.price, name="price"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/live", views.live, name="live"),
    path("<slug:code>/cancel", views.cancel, name="cancel"),
    path("<slug:code>/continue", views.go_on, name="continue"),
]
