"""Ends with 1 unless the web process on this machine answers `/healthz`: the image's health check."""

import http.client
import os
import sys

PORT = int(os.environ.get("PORT", "8000"))
# Other hosts are refused.
HOST = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip("*.") or "localhost"

connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
try:
    connection.request("GET", "/healthz", headers={"Host": HOST})
    status = connection.getresponse().status
except (OSError, http.client.HTTPException) as error:
    sys.exit(f"No answer: {error}")
sys.exit(0 if status == 200 else f"It answered {status}.")
