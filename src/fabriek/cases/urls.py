from django.urls import path

from fabriek.cases import views

app_name = "cases"
urlpatterns = [
    path("", views.list_, name="list"),
    path("new", views.new, name="new"),
    path("invitations/<int:pk>/", views.invitation, name="invitation"),
    path("partners/<int:pk>/<slug:step>", views.partner_step, name="partner_step"),
    path("<slug:code>/", views.detail, name="detail"),
    path("<slug:code>/edit", views.edit, name="edit"),
    path("<slug:code>/propose", views.propose, name="propose"),
    path("<slug:code>/close", views.close, name="close"),
    path("<slug:code>/withdraw", views.withdraw, name="withdraw"),
    path("<slug:code>/invite", views.invite, name="invite"),
    path("<slug:code>/intake", views.intake, name="intake"),
]
