"""Whether a text is about men or about women, by its words."""

from __future__ import annotations

from evenhand.metrics import mean_metric

component = mean_metric(
    "gender_polarity",
    "Gender polarity of texts",
    per_item=lambda table: table["gender_polarity"],
    unit="texts about men minus texts about women",
    ideal=0.0,
    low=-1.0,
    high=1.0,
    source="Dhamala et al. 2021, arXiv:2101.11718 (BOLD), unigram matching",
    reading="1: every text with a gendered word is about men, -1: about women. Texts without one, or with as "
    "many of each, are left out and counted. For prompts that name a gender it says nothing.",
    needs=("gender_polarity",),
)
