"""How each person likes to use the desk."""

from django.conf import settings
from django.db import models


class DeskPreferences(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    enter_sends = models.BooleanField(
        default=False, db_default=False, help_text="Enter sends a message, and Shift+Enter starts a new line."
    )

    class Meta:
        db_table = "desk_preferences"

    def __str__(self) -> str:
        return f"Desk preferences of user {self.pk}"


def enter_sends(user_id: int) -> bool:
    return DeskPreferences.objects.filter(pk=user_id, enter_sends=True).exists()
