from django.urls import path, re_path

from fabriek.catalogue import exports, opening_views, views

app_name = "catalogue"
ENDINGS = r"(?P<ending>ttl|jsonld|rdf)"
urlpatterns = [
    path("catalogue/", views.listing, name="list"),
    re_path(rf"^catalogue\.{ENDINGS}$", exports.catalogue, name="export_all"),
    path("catalogue/models/<slug:code>/", views.model, name="model"),
    path("catalogue/<slug:code>/", views.detail, name="detail"),
    re_path(rf"^catalogue/(?P<code>[-\w]+)\.{ENDINGS}$", exports.dataset, name="export"),
    path("catalogue/<slug:code>.croissant.json", exports.as_croissant, name="croissant"),
    path("data/<slug:code>/record/", views.record, name="record"),
    path("data/<slug:code>/record/swapped/", views.swapped, name="swapped"),
    path("data/<slug:code>/record/listed/", views.listed, name="listed"),
    path("data/<slug:code>/record/open/", opening_views.open_up, name="open"),
    path("data/<slug:code>/record/close/", opening_views.close, name="close"),
    path("data/<slug:code>/record/README.md", views.card, name="card"),
]
