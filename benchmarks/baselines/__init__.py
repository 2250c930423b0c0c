"""What a user would otherwise run, written here from its published description."""
