"""The addresses of runs."""

from django.urls import path

from fabriek.runs import learning_views, look_views, made_views, recipe_views, views

app_name = "runs"
urlpatterns = [
    path("", views.index, name="list"),
    path("new", views.new, name="new"),
    path("price", views.price, name="price"),
    path("rows", look_views.rows, name="rows"),
    path("learning/<slug:code>/<int:number>", learning_views.from_data, name="learning"),
    path("recipes/", recipe_views.index, name="recipes"),
    path("recipes/<slug:name>/", recipe_views.detail, name="recipe"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/save", made_views.save, name="save"),
    path("<slug:code>/made/<path:name>", made_views.file, name="made"),
    path("<slug:code>/live", views.live, name="live"),
    path("<slug:code>/cancel", views.cancel, name="cancel"),
    path("<slug:code>/pause", views.pause, name="pause"),
    path("<slug:code>/continue", views.go_on, name="continue"),
]
