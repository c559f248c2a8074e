"""The floor for the webhook: a DRF view on the same server that parses the same body and does nothing else."""

import json

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class BareView(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        json.loads(request.body)
        return Response({"ok": True})


urlpatterns = [path("api/whatsapp/webhook", BareView.as_view())]

settings.ROOT_URLCONF = "bench.peers.bare_view"
application = get_wsgi_application()
