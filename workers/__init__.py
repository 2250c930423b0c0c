"""Celery workers: they claim, compute and deliver. No mathematics here."""
