from django.urls import path

from fabriek.access import section_views, views

app_name = "access"
urlpatterns = [
    path("", views.list_, name="list"),
    path("new", views.new, name="new"),
    path("advice/<slug:code>", views.show_advice, name="advice"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/sections/<slug:section>", section_views.section, name="section"),
    path("<slug:code>/submit", views.submit, name="submit"),
    path("<slug:code>/<slug:step>", views.step, name="step"),
]
