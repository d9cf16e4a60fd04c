from django.urls import path

from fabriek.datasets import views

app_name = "datasets"
urlpatterns = [
    path("", views.list_all, name="list"),
    path("new/", views.new, name="new"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/edit/", views.edit, name="edit"),
    path("<slug:code>/push/", views.push, name="push"),
    path("<slug:code>/revisions/<int:number>/", views.revision, name="revision"),
    path("<slug:code>/revisions/<int:number>/<path:path>", views.download, name="download"),
]
