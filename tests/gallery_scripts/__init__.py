"""What the models of each gallery workflow say in tests, and what the transcript is then like.

The definitions run as they are shipped; only their models are exchanged for a scripted one.
"""

from __future__ import annotations

from .applications import APPLICATIONS
from .first import FIRST
from .kinds import KINDS
from .script import Script

SCRIPTS: tuple[Script, ...] = (*FIRST, *KINDS, *APPLICATIONS)
