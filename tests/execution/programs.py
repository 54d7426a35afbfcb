"""Programs that boxes must hold, or end."""

from __future__ import annotations

FOREVER = "import time\nopen('started', 'w').close()\nprint('begun', flush=True)\ntime.sleep(1e6)"
FILL_DISK = """
print("begun", flush=True)
for number in range(100_000):
    with open(f"file{number}", "wb") as file:
        file.write(bytes(4 << 20))
"""
SHOUT = "import sys\nwhile True: sys.stdout.write('begun' * 10_000)"
