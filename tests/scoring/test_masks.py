"""Masked copies: which tokens are masked together, what is read, and what cannot be asked."""

from __future__ import annotations

import pytest

from evenhand.errors import BadData, BadModel
from evenhand.records import Averaged, Cloze, Contrast
from evenhand.scoring.masks import Copy, Masker, plan_copies
from tests.support import families

TEXT = "The carpenter left."


def words(kind: str, copy: Copy) -> str:
    tokens = families.tokenizer_of(kind).convert_ids_to_tokens(list(copy.ids))
    return " ".join(tokens)


def copies(kind: str, *items: Averaged | Cloze | Contrast) -> list[list[Copy]]:
    return Masker(families.tokenizer_of(kind)).copies(items)


def test_a_words_later_pieces_are_masked_and_its_earlier_ones_are_not():
    ((first, second),) = copies("bert", Cloze(TEXT, 4, 13))
    assert words("bert", first) == "[CLS] the [MASK] [MASK] left . [SEP]"
    assert words("bert", second) == "[CLS] the carp [MASK] left . [SEP]"
    assert (first.position, second.position) == (2, 3)
    tokenizer = families.wordpiece()
    assert tokenizer.convert_ids_to_tokens([first.target, second.target]) == ["carp", "##enter"]


def test_an_average_leaves_the_later_pieces_out():
    ((first, second),) = copies("bert", Averaged(TEXT, 4, 13))
    assert words("bert", first) == "[CLS] the [MASK] left . [SEP]"
    assert words("bert", second) == "[CLS] the carp [MASK] left . [SEP]"
    assert (first.position, second.position) == (2, 3)
    tokenizer = families.wordpiece()
    assert tokenizer.convert_ids_to_tokens([first.target, second.target]) == ["carp", "##enter"]


def test_words_of_one_token_are_masked_alone():
    ((first, second, _, fourth),) = copies("bert", Cloze("It is late.", 0, 11))
    assert words("bert", first) == "[CLS] [MASK] is late . [SEP]"
    assert words("bert", second) == "[CLS] it [MASK] late . [SEP]"
    assert words("bert", fourth) == "[CLS] it is late [MASK] [SEP]"


def test_a_lone_space_piece_belongs_to_the_word_behind_it():
    # Under SentencePiece "is xy" is ▁is ▁ x y.
    ((*found,),) = copies("albert", Cloze("it is xy", 6, 8))
    assert words("albert", found[0]) == "[CLS] ▁it ▁is [MASK] [MASK] [MASK] [SEP]"
    assert [c.position for c in found] == [3, 4, 5]


def test_a_full_stop_is_no_part_of_the_word_before_it():
    for kind in ("bert", "roberta", "albert"):
        ((copy,),) = (
            copies(kind, Cloze("It is late.", 6, 10))
            if kind != "roberta"
            else ((copies(kind, Cloze("The nurse.", 4, 9))[0]),)
        )
        masks = words(kind, copy).split().count(families.tokenizer_of(kind).mask_token)
        assert masks == 1


def test_hidden_words_stay_masked_with_as_many_masks_as_tokens():
    ((copy,),) = copies("bert", Cloze("He is a carpenter.", 0, 2, ((8, 17),)))
    assert words("bert", copy) == "[CLS] [MASK] is a [MASK] [MASK] . [SEP]"
    assert copy.position == 1


def test_contrasts_mask_one_token_and_see_all_others():
    one, two = "The nurse was late.", "The carpenter was late."
    shared, changed = copies("bert", Contrast(one, two), Contrast(two, one, "changed"))
    assert [words("bert", c) for c in shared] == [
        "[CLS] [MASK] nurse was late . [SEP]",
        "[CLS] the nurse [MASK] late . [SEP]",
        "[CLS] the nurse was [MASK] . [SEP]",
        "[CLS] the nurse was late [MASK] [SEP]",
    ]
    assert [words("bert", c) for c in changed] == [
        "[CLS] the [MASK] ##enter was late . [SEP]",
        "[CLS] the carp [MASK] was late . [SEP]",
    ]


def test_a_text_shares_everything_with_itself():
    same, none = copies("bert", Contrast(TEXT, TEXT), Contrast(TEXT, TEXT, "changed"))
    assert (len(same), none) == (5, [])


def test_equal_rows_are_planned_once_with_all_that_is_read_from_them():
    she, he = Copy((1, 9, 2), 1, 5), Copy((1, 9, 2), 1, 4)
    long = Copy((1, 9, 7, 2), 1, 5)
    plan = plan_copies([[she], [he], [she, long], []])
    assert [(row.ids, row.wanted) for row in plan.rows] == [
        ((1, 9, 7, 2), ((1, 5),)),
        ((1, 9, 2), ((1, 4), (1, 5))),
    ]
    assert plan.slots == ((2,), (1,), (2, 0), ())
    assert (plan.size, plan.asked) == (3, 3 + 3 + 3 + 4)


@pytest.mark.parametrize(
    ("item", "kind", "message"),
    [
        (Cloze("It is late.", 4, 4), BadData, "no range 4:4"),
        (Cloze("It is late.", 4, 40), BadData, "no range 4:40"),
        (Cloze("It is late.", 2, 3), BadData, "gives no token"),
        (Cloze("It is late.", 7, 10), BadModel, "merges 'ate'"),
        (Cloze("It is late.", 6, 10, ((6, 10),)), BadData, "both scored and hidden"),
        (Cloze("It is §.", 6, 7), BadModel, "does not know a piece"),
    ],
)
def test_what_cannot_be_asked(item, kind, message):
    with pytest.raises(kind, match=message):
        copies("bert", item)


def test_too_long_a_text_is_not_cut():
    with pytest.raises(BadData, match="of 6 tokens does not fit into the model's window of 5"):
        Masker(families.wordpiece(), 5).copies([Cloze("It is late.", 0, 2)])
