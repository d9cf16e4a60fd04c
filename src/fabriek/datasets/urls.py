from django.urls import path

from fabriek.datasets import retention_views, revision_views, views

app_name = "datasets"
urlpatterns = [
    path("", views.list_all, name="list"),
    path("new/", views.new, name="new"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/edit/", views.edit, name="edit"),
    path("<slug:code>/push/", views.push, name="push"),
    path("<slug:code>/revisions/<int:number>/", views.revision, name="revision"),
    path("<slug:code>/revisions/drop/", retention_views.drop, name="drop"),
    path("<slug:code>/remove/", revision_views.remove, name="remove"),
    path("<slug:code>/revisions/", revision_views.history, name="history"),
    path("<slug:code>/revisions/<int:number>.zip", revision_views.whole, name="whole"),
    path(
        "<slug:code>/revisions/<int:number>/changes/",
        revision_views.what_changed,
        name="changes",
    ),
    path("<slug:code>/revisions/<int:number>/<path:path>", views.download, name="download"),
]
