"""The vocabulary: one key for one thing, and every native name finds its way back."""

import pytest

from musefs.index.edit import vocabulary as v


@pytest.mark.parametrize("word", v.WORDS, ids=lambda word: word.key)
def test_each_native_name_leads_back_to_its_key(word: v.Word) -> None:
    assert v.normalise(word.key.upper()) == word.key
    assert v.from_vorbis(word.vorbis.lower()) == word.key
    assert v.from_ape(word.ape) == word.key
    assert v.from_asf(word.asf) == word.key
    if word.id3 is None:
        assert v.from_txxx(word.txxx.upper()) == word.key
    else:
        assert v.from_id3(word.id3) == (word.pair_of or word.key)
    if word.role:
        assert v.from_role(word.role.upper()) == word.key
    if word.mp4 is None:
        assert v.from_freeform(word.freeform) == word.key
    else:
        assert v.from_mp4(word.mp4) in {word.key, word.pair_of}
    if word.riff is not None:
        assert v.from_riff(word.riff) == word.key


def test_keys_are_unique_lower_case_and_not_another_words_alias() -> None:
    keys = [word.key for word in v.WORDS]
    assert len(keys) == len(set(keys))
    assert all(key == key.lower() for key in keys)
    assert not {alias for word in v.WORDS for alias in word.aliases} & set(keys)


@pytest.mark.parametrize(
    ("spelling", "key"),
    [("Album Artist", "albumartist"), ("YEAR", "date"), ("tracktotal", "totaltracks"),
     ("Publisher", "label"), (" My Tag ", "my tag")],
)  # fmt: skip
def test_users_may_write_any_usual_spelling(spelling: str, key: str) -> None:
    assert v.normalise(spelling) == key


def test_unknown_keys_are_served_under_their_own_name() -> None:
    assert v.id3_frame("my tag") is None
    assert v.from_role("my tag") is None
    assert v.txxx_description("my tag") == "MY TAG"
    assert v.mp4_atom("my tag") is None
    assert v.freeform_name("my tag") == v.vorbis_field("my tag") == "MY TAG"
    assert v.riff_chunk("my tag") is None


def test_comments_with_a_language_or_description_keep_both() -> None:
    assert v.qualify("comment", "XXX", "") == "comment"
    assert v.qualify("comment", "eng", "iTunNORM") == "comment:eng:itunnorm"
    assert v.qualified("comment:eng:a:b") == ("comment", "eng", "a:b")
    assert v.qualified("comment") is None
