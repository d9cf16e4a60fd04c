from django.urls import path

from fabriek.agreements import proposal_views, views

app_name = "agreements"
urlpatterns = [
    path("agreements/", views.list_all, name="list"),
    path("agreements/ask/", proposal_views.ask, name="ask"),
    path("agreements/terms/", views.terms, name="terms"),
    path("agreements/<slug:code>/", views.detail, name="detail"),
    path("agreements/<slug:code>/odrl", views.policy, name="odrl"),
    path("agreements/<slug:code>/<slug:step>", views.step, name="step"),
    # The tab of a dataset; datasets themselves come later in the flow.
    path("data/<slug:code>/agreements/", views.of_dataset, name="dataset"),
    path("data/<slug:code>/agreements/offer/", proposal_views.offer, name="offer"),
]
