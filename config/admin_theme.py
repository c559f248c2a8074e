"""How the admin looks: django-unfold's settings."""

from django.templatetags.static import static
from django.urls import reverse

UNFOLD = {
    "SITE_TITLE": "Parley",
    "SITE_HEADER": "Parley",
    "SITE_URL": None,  # "/" only leads back to the admin
    "SITE_SYMBOL": "forum",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("conversations/icon.svg")},
        {"rel": "apple-touch-icon", "href": lambda request: static("notifications/icon-192.png")},
        {"rel": "manifest", "href": lambda request: reverse("manifest")},
    ],
    # Lighter than unfold's own: readable on the dark ground.
    "COLORS": {"primary": {"500": "oklch(69% .23 304)"}},
    "STYLES": [lambda request: static("conversations/plain.css")],
    "SIDEBAR": {"navigation": "config.navigation.navigation"},
    "ACCOUNT": {"navigation": "config.navigation.account"},
    "DASHBOARD_CALLBACK": "operations.dashboard.add_dashboard",
}
