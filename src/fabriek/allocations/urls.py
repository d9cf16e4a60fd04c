from django.urls import path

from fabriek.allocations import views

app_name = "allocations"
urlpatterns = [
    path("", views.list_, name="list"),
    path("awards/<slug:code>/", views.grant, name="grant"),
    path("<slug:account>/", views.detail, name="detail"),
    path("<slug:account>/extend", views.extend, name="extend"),
]
