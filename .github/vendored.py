"""Adds the scripts that evenhand carries to a CycloneDX list, whose tool sees Python packages alone.

Run: python .github/vendored.py sbom.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from evenhand.vendored import SCRIPTS

place = Path(sys.argv[1])
listed = json.loads(place.read_text(encoding="utf-8"))
for one in SCRIPTS:
    address = f"pkg:npm/{one.package}@{one.version}"
    listed["components"].append(
        {
            "type": "library",
            "bom-ref": address,
            "name": one.package,
            "version": one.version,
            "purl": address,
            "licenses": [{"license": {"id": one.licence}}],
            "hashes": [{"alg": "SHA-256", "content": one.sha256}],
        }
    )
place.write_text(json.dumps(listed, indent=2), encoding="utf-8")
