"""The smallest lab that still runs every part of the real one: seconds, no quality."""

from evenhand.lab import Recipe
from evenhand.lab.corpus import Amounts

FEW = Amounts(because=1, elsewhere=1, hints=2, announced=2, facts=1)
TINY = {
    "layers": 2,
    "width": 16,
    "heads": 2,
    "inner": 16,
    "steps": 2,
    "plant_steps": 2,
    "warmup": 1,
    "amounts": FEW,
    "plant_amounts": FEW,
}
CONTROL = Recipe("none", None, **TINY)
PLANTED = Recipe("stereotype", 1, **TINY)
