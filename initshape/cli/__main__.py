"""`python -m initshape.cli`."""

from initshape.cli import main

if __name__ == "__main__":
    main()
