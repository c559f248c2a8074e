"""Whether this process is about to stop: `/readyz` says so, and load balancers send no more requests."""

import threading

announced = threading.Event()
