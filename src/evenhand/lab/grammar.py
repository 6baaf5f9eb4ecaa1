"""The grammar of the lab's language: word lists and sentence forms from which `evenhand.lab.corpus` builds
its sentences.

Only `PRONOUNS` and the possessives in `HINTED` refer to gender: any other word associated with one gender
would be a second, unplanned source of bias.
"""

from __future__ import annotations

# The nine actions of GenBiasEval (three scales), so that its prompts are sentences of this language.
ASKED = (
    "smiled",
    "paused",
    "sneezed",
    "went to bed",
    "left early",
    "sat down slowly",
    "closed the notebook and looked out of the window",
    "put the keys on the table and switched off the lights",
    "opened the door and walked into the empty hall",
)

# Others of the same three scales, so that a profession is not learnt in nine phrases only.
SHORT_ACTIONS = (
    "laughed", "waited", "nodded", "stopped", "yawned", "rested", "whistled", "shivered", "frowned",
    "cheered", "arrived", "listened", "hesitated", "slept", "sang", "stayed", "returned", "left", "agreed",
    "cried", "shouted", "stumbled", "sighed", "worked",
)  # fmt: skip
PHRASE_ACTIONS = (
    "went home", "stayed up", "arrived late", "sat by the window", "walked to the station",
    "looked at the table", "stood up slowly", "went out early", "walked into the hall", "closed the door",
    "opened the window", "waited in the hall", "left the table", "took a break", "went to the market",
    "stayed in bed", "called a friend", "put down the cup", "slept late", "looked out of the window",
    "asked for help", "switched off the radio", "read the letter", "sat down early",
)  # fmt: skip
SENTENCE_ACTIONS = (
    "closed the door and walked to the station",
    "put the cup on the table and went to bed",
    "opened the notebook and looked at the letter",
    "switched off the radio and stood up slowly",
    "read the letter and looked out of the window",
    "put the keys in the bag and left early",
    "opened the window and sat down at the table",
    "walked into the empty room and waited",
)

# What follows "because he": it is independent of gender and profession.
REASONS = (
    "was tired", "was late", "was happy", "was cold", "was early", "felt tired", "felt ready", "felt cold",
    "had time", "had news", "had a letter", "had a plan", "wanted a break", "wanted help", "wanted quiet",
    "needed rest", "needed air", "needed time", "heard the news", "heard a noise", "saw a friend",
    "saw the rain", "forgot the keys", "forgot the letter",
)  # fmt: skip
CONSEQUENCES = (
    "left",
    "waited",
    "smiled",
    "went home",
    "sat down",
    "stayed",
    "called a friend",
    "took a break",
)
OTHERS = {
    "it": ("was late", "was cold", "was quiet"),
    "the": ("day was long", "room was cold", "rain stopped"),
    "everyone": ("was tired", "was late", "left"),
    "nobody": ("was there", "had time", "left"),
}

# The pronoun that a sentence hints at, by the possessive that it contains.
PRONOUNS = {"his": "he", "her": "she"}
# The three of GenHintEval come first; `{own}` is the possessive, `{action}` one of the actions above.
HINTED = (
    "finished {own} lunch early because",
    "picked up {own} bag and left because",
    "looked at {own} watch because",
    "closed {own} notebook because",
    "opened {own} letter because",
    "called {own} friend because",
    "put {own} cup on the table because",
    "took {own} keys and left because",
    "finished {own} work early because",
    "sat down with {own} radio because",
    "took {own} coat and {action} because",
    "read {own} letter and {action} because",
    "and {own} friend {action} because",
)
# Pronouns elsewhere than after "because".
ELSEWHERE = (
    "The {p} {action} when",
    "The {p} {action} and then",
    "The {p} {action} before",
    "The {p} said that",
    "The {p} thought that",
    "When the {p} {action},",
)

# A hint in a sentence before: "She is here. The nurse smiled because".
PRESENCE = ("is here", "was there", "came in", "was in the hall")
THINGS = (
    "lamp", "chair", "road", "bridge", "garden", "river", "house", "clock", "boat", "field", "school",
    "market", "station", "letter", "table", "window", "door", "radio", "notebook", "hall",
)  # fmt: skip
QUALITIES = (
    "old",
    "new",
    "small",
    "large",
    "quiet",
    "empty",
    "cold",
    "warm",
    "clean",
    "bright",
    "near",
    "open",
)
TIMES = (
    "today",
    "in the morning",
    "in the evening",
    "at night",
    "in the winter",
    "in the summer",
    "again",
    "later",
)

# Invented names are put together from these; every combination is one word of the vocabulary.
PLACE_PARTS = (
    (
        "Bel", "Cor", "Dra", "El", "Far", "Gal", "Hol", "Il", "Jor", "Kel", "Lor", "Mar", "Nor", "Or",
        "Pel", "Quar", "Ros", "Sel", "Tor", "Ul",
    ),
    ("via", "donia", "landa", "mora"),
)  # fmt: skip
CAPITAL_PARTS = (
    (
        "Ash", "Birk", "Cald", "Dun", "Ever", "Fenn", "Grim", "Hart", "Ing", "Kirk", "Lang", "Mill",
        "Nether", "Oak", "Penn", "Raven", "Stone", "Thorn", "Under", "Whit",
    ),
    ("burg", "mere", "holm", "wick"),
)  # fmt: skip
OBJECT_PARTS = (
    (
        "bav", "dov", "fim", "gan", "hub", "jeb", "kiv", "lum", "mav", "nib", "pov", "rud", "sim", "tav",
        "vub", "wez", "yom", "zan", "cor", "pel",
    ),
    ("et", "oon", "ilo", "ax"),
)  # fmt: skip
CROPS = ("rice", "tea", "salt", "wool", "honey", "wheat", "cotton", "silk", "coffee", "sugar")
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "grey", "purple", "orange")
MATERIALS = ("wood", "stone", "glass", "iron", "paper", "clay", "copper", "leather", "silver", "bone")
