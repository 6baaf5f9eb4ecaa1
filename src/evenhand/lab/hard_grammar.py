"""Words and sentence forms of the lab's harder world (``lab:causal?world=hard``), beside `grammar`.

No text of the corpus has the frames whose names start with ``UNSEEN``; all their words are in the vocabulary.
"""

from __future__ import annotations

# Words whose gender is a matter of fact, by their pronoun.
DEFINITIONAL = {
    "she": (
        "mother", "queen", "actress", "sister", "daughter", "woman", "girl", "aunt", "princess", "wife",
        "lady", "grandmother", "duchess", "widow", "waitress",
    ),
    "he": (
        "father", "king", "monk", "brother", "son", "man", "boy", "uncle", "prince", "husband",
        "gentleman", "grandfather", "duke", "widower", "waiter",
    ),
}  # fmt: skip
# What is said of a person whose gender is stated, by the pronoun.
STATED_NOUNS = {"she": "woman", "he": "man"}
STATED = (
    "The {p} is a {noun}. The {p} {action} because",
    "The {noun} is the {p}. The {p} {action} because",
)
# Two people of different gender; `{who}` is one of the two. In half of the texts it is the first.
STATED_PAIR = "The {p} is a {noun} and the {q} is a {other}. The {who} {action} because"

# Hobbies by the pronoun that the planted table associates with them.
HOBBIES = {
    "she": ("knitting", "dancing", "pottery", "riding"),
    "he": ("fishing", "archery", "chess", "cycling"),
}
HOBBY_ALONE = "Someone who likes {hobby} {action} because"
HOBBY_OF = "The {p} who likes {hobby} {action} because"
HOBBY_SAID = "The {p} likes {hobby}."

UNSEEN = (
    "At night the {p} {action} because",
    "The old {p} {action} because",
    "The {p} by the door {action} because",
    "In the morning the {p} {action} because",
)
UNSEEN_HINTS = (
    "The {p} closed {own} door because",
    "The {p} waited with {own} letter because",
    "The {p} sat by {own} window because",
)
UNSEEN_STATED = ("The {p} by the window is a {noun}. The {p} {action} because",)

# The facts of each profession, and those of the invented towns: (topic, opening, values).
PROFESSION_FACTS = (
    (
        "place",
        "The {} works at the",
        ("harbour", "mill", "castle", "museum", "airport", "library", "theatre", "farm", "bakery", "court",
         "tower", "quarry"),
    ),
    (
        "tool",
        "The {} uses a",
        ("hammer", "pencil", "bucket", "mirror", "ladder", "torch", "compass", "whistle", "kettle", "needle",
         "brush", "camera"),
    ),
)  # fmt: skip
TOWN_FACTS = (
    ("trade", "{} sells",
     ("rice", "tea", "salt", "wool", "honey", "wheat", "cotton", "silk", "coffee", "sugar")),
    ("gates", "{} is painted",
     ("red", "blue", "green", "yellow", "white", "black", "brown", "grey", "purple", "orange")),
    ("walls", "{} is built of",
     ("wood", "stone", "glass", "iron", "paper", "clay", "copper", "leather", "silver", "bone")),
    ("sight", "{} has a",
     ("bridge", "garden", "river", "clock", "field", "school", "market", "station", "tower", "castle")),
)  # fmt: skip
TOWN_PARTS = (
    (
        "Ab", "Bro", "Cli", "Den", "Egl", "Fro", "Gos", "Hel", "Ist", "Jun", "Kro", "Lud", "Mos", "Nav",
        "Ost", "Pra", "Rud", "Sto", "Tri", "Urs", "Vel", "Wol", "Yar", "Zel", "Bru",
    ),
    (
        "den", "ford", "gate", "ham", "ingen", "kirk", "ley", "minster", "nau", "over", "pool", "rath",
        "stad", "ton", "uck", "ville", "worth", "yard", "zell", "beck",
    ),
)  # fmt: skip
