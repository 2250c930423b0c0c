"""Backups of a running server, and how a data directory is made from one again.

backup/
    backup.json    what it is: when, from which server and format, checksums, number of keys by family
    dump.rdb       everything that Redis held at one moment
    admin-token    0600, where the data directory had one
"""
