from django.urls import path

from fabriek.machine import books_views, store_views, views

app_name = "machine"
urlpatterns = [
    path("", views.machine, name="machine"),
    path("now", views.now, name="now"),
    path("books/", books_views.books, name="books"),
    path("store/", store_views.store, name="store"),
]
