from accounts.tests.signing_in import ann, ours

__all__ = ["ann", "ours"]
