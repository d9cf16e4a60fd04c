"""The addresses of runs."""

from django.urls import path

from fabriek.runs import look_views, made_views, views

app_name = "runs"
urlpatterns = [
    path("", views.index, name="list"),
    path("new", views.new, name="new"),
    path("price", views.price, name="price"),
    path("rows", look_views.rows, name="rows"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/made/<str:name>", made_views.file, name="made"),
    path("<slug:code>/live", views.live, name="live"),
    path("<slug:code>/cancel", views.cancel, name="cancel"),
    path("<slug:code>/pause", views.pause, name="pause"),
    path("<slug:code>/continue", views.go_on, name="continue"),
]
