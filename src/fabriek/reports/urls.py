from django.urls import path

from fabriek.reports import views

app_name = "reports"
urlpatterns = [
    path("", views.list_, name="list"),
    path("<slug:code>/", views.funder, name="funder"),
    path("<slug:code>/figures.csv", views.figures_csv, name="figures_csv"),
    path("<slug:code>/allocations.csv", views.allocations_csv, name="allocations_csv"),
    path("<slug:code>/aid.csv", views.aid_csv, name="aid_csv"),
]
