"""Roundtable Studio: a low-code web studio for teams of LLM agents."""

__version__ = "0.1.0"
