"""The addresses of models."""

from django.urls import path

from fabriek.registry import opening_views, paper_views, views

app_name = "registry"
urlpatterns = [
    path("", views.index, name="list"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/open/", opening_views.open_up, name="open"),
    path("<slug:code>/close/", opening_views.close, name="close"),
    path("<slug:code>/model.sig", paper_views.signature, name="signature"),
    path("<slug:code>/bom.cdx.json", paper_views.bill, name="bill"),
    path("<slug:code>/record.<slug:ending>", paper_views.record, name="record"),
    path("<slug:code>/files/<path:path>", views.download, name="download"),
]
