from django.urls import path

from fabriek.people import views

app_name = "people"
urlpatterns = [
    path("me", views.me, name="me"),
    path("tokens", views.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke", views.token_revoke, name="token_revoke"),
    path("organisations/new", views.organisation_new, name="organisation_new"),
    path("organisations/<int:pk>/", views.organisation, name="organisation"),
    path("organisations/<int:pk>/edit", views.organisation_edit, name="organisation_edit"),
    path("organisations/<int:pk>/invite", views.invite, name="invite"),
    path(
        "organisations/<int:pk>/members/<int:member>/role",
        views.member_role,
        name="member_role",
    ),
    path(
        "organisations/<int:pk>/members/<int:member>/remove",
        views.member_remove,
        name="member_remove",
    ),
    path("invitations/<int:pk>/accept", views.invitation_accept, name="invitation_accept"),
    path("invitations/<int:pk>/decline", views.invitation_decline, name="invitation_decline"),
    path(
        "invitations/<int:pk>/withdraw", views.invitation_withdraw, name="invitation_withdraw"
    ),
]
