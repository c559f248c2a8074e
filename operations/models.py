"""The totals of what all processes have counted for `/metrics`."""

from django.db import models


class MetricCount(models.Model):
    """Written by `runtime.processes.counters`, in SQL."""

    name = models.TextField()
    labels = models.JSONField()
    value = models.FloatField()

    class Meta:
        db_table = "metric_counts"
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="metric_counts_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.labels}"
