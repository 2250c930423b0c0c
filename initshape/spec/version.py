"""Versions that identify a number: bump NUMERICS_VERSION with any change that changes results, and say so in CHANGELOG.md."""

SCHEMA_VERSION = 1
NUMERICS_VERSION = "1"
