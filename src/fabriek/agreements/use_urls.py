from django.urls import path

from fabriek.agreements import use_views

app_name = "data_use"
urlpatterns = [
    path("decisions/", use_views.mine, name="mine"),
    path("reviews/", use_views.to_review, name="reviews"),
    path("reviews/<int:number>/", use_views.review, name="review"),
    path("statements/<slug:code>/", use_views.statement, name="statement"),
    path("statements/<slug:code>.json", use_views.statement_file, name="statement_file"),
    path("<slug:code>/agreements/decisions/", use_views.of_dataset, name="of_dataset"),
]
