"""The command line: `initshape ...`. Nothing heavy is imported before a command needs it."""

from initshape.cli.app import main as main
