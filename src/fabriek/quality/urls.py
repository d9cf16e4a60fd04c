from django.urls import path

from fabriek.quality import sight_views, views

app_name = "quality"
urlpatterns = [
    path("<slug:code>/look/", views.dataset, name="dataset"),
    path("<slug:code>/look/<int:number>/", views.dataset, name="revision"),
    path("<slug:code>/look/<int:number>/progress/", views.progress, name="progress"),
    path("<slug:code>/look/<int:number>/start/", views.start, name="start"),
    path("<slug:code>/look/<int:number>/stop/", views.stop, name="stop"),
    path("<slug:code>/look/<int:number>/files/<path:path>", sight_views.sight, name="sight"),
    path("<slug:code>/personal/", views.personal, name="personal"),
    path("<slug:code>/personal/<int:number>/", views.personal, name="personal_of"),
    path("<slug:code>/personal/<int:number>/decide/", views.decide, name="decide"),
    path(
        "<slug:code>/personal/<int:number>/decide-several/",
        views.decide_several,
        name="decide_several",
    ),
    path("<slug:code>/personal/<int:number>/treat/", views.treat, name="treat"),
]
