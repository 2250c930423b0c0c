"""Webhooks: what may be called (address.py), how it is signed (signing.py), and who does it (courier.py)."""
