from django.db import models


class Conversation(models.Model):
    phone_number_id = models.CharField(max_length=64)
    customer = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "usual"
        unique_together = [("phone_number_id", "customer")]

    def __str__(self) -> str:
        return self.customer


class Message(models.Model):
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    role = models.CharField(max_length=16)
    text = models.TextField()
    raw_json = models.JSONField(null=True)
    wamid = models.CharField(max_length=255, unique=True, null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "usual"
        indexes = [models.Index(fields=["conversation", "-created_at"])]

    def __str__(self) -> str:
        return self.text[:40]
