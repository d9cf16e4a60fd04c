"""The addresses of pages about tracked runs; programs have those of `routes`."""

from django.urls import path

from fabriek.tracking import views

app_name = "tracking"
urlpatterns = [
    path("runs/<slug:number>/", views.detail, name="detail"),
    path("runs/<slug:number>/files/<path:path>", views.file, name="file"),
    path("<slug:code>/", views.index, name="list"),
    path("<slug:code>/compare", views.compare, name="compare"),
]
