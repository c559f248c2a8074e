"""Development only: plays Meta's Graph API, a model, and a phone in the browser. It talks HTTP only."""
