from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path

from annotate.views import keys
from annotate.views.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("account/keys/", keys.keys, name="api-keys"),
    path("account/keys/<int:pk>/revoke/", keys.revoke, name="api-key-revoke"),
    path("api/v1/", include("annotate.api.urls")),
    path("healthz", healthz, name="healthz"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
