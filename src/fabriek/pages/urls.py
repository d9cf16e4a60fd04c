from django.urls import path

from fabriek.pages import views

app_name = "pages"
urlpatterns = [
    path("", views.home, name="home"),
    path("terms", views.terms, name="terms"),
]
