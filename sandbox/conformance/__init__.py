"""Does a webhook cope with what Meta really delivers? Used by `manage.py conformance`."""
