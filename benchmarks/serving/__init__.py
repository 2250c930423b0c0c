"""The service under load: a bare FastAPI app to compare with, the servers as processes, and who sends requests."""
