"""The command `studio`."""

from __future__ import annotations


def main() -> None:
    from .cli.main import app

    app(prog_name="studio")  # also as `python -m studio`


if __name__ == "__main__":
    main()
