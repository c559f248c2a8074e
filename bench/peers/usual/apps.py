from django.apps import AppConfig


class Usual(AppConfig):
    name = "bench.peers.usual"
    label = "usual"
