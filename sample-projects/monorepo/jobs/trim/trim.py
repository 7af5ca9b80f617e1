"""Keeps the newest entries of a JSON list: `python trim.py FILE COUNT`."""

import json
import os
import sys
from pathlib import Path


def trim(path: Path, count: int) -> int:
    """Drop all but the last `count` entries; return how many were dropped."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    kept = entries[-count:] if count else []
    sibling = path.with_suffix(".new")
    sibling.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    os.replace(sibling, path)
    return len(entries) - len(kept)


if __name__ == "__main__":
    print(f"dropped {trim(Path(sys.argv[1]), int(sys.argv[2]))}")
