"""The frozen records that cross floors or reach disk, and their one JSON round trip.

Undefined values are ``None`` everywhere, never ``0`` and never ``NaN``: strict JSON has no NaN, and a
zero would read as "no bias". `to_json` refuses NaN and infinities for the same reason.
"""

from __future__ import annotations

from evenhand.records.asked import *
from evenhand.records.audited import *
from evenhand.records.json import *
from evenhand.records.judged import *
from evenhand.records.learned import *
from evenhand.records.made import *
from evenhand.records.measured import *
