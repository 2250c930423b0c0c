"""`initshape serve`: Redis, workers and the API as child processes of one supervisor. It imports neither of them."""
