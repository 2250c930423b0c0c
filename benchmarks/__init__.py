"""Ratios within one run: this project against what a user would otherwise run. Nothing imports this package."""
