"""Versions that identify a number. A change that changes results bumps NUMERICS_VERSION and goes into CHANGELOG.md."""

SCHEMA_VERSION = 1
NUMERICS_VERSION = "2"
