"""Addresses that nothing has loaded yet."""

urlpatterns: list[object] = []
