"""The addresses of trying a model."""

from django.urls import path

from fabriek.trying import views

app_name = "trying"
urlpatterns = [
    path("new", views.new, name="new"),
    path("<slug:code>/", views.session, name="session"),
    path("<slug:code>/live", views.live, name="live"),
    path("<slug:code>/ask", views.ask, name="ask"),
    path("<slug:code>/stop", views.stop, name="stop"),
    path("<slug:code>/end", views.end, name="end"),
]
