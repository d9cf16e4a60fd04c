from fabriek.catalogue import stems


def test_words_are_plain_and_those_that_tell_nothing_are_left_out():
    assert stems.words("De Zoëven van het café, één!") == ["zoeven", "cafe"]


def test_forms_of_a_dutch_word_meet_in_a_stem():
    assert stems.stems("berichten") & stems.stems("bericht")
    assert stems.stems("ziekenhuizen") & stems.stems("ziekenhuis")


def test_forms_of_an_english_word_meet_in_a_stem():
    assert stems.stems("classified") & stems.stems("classify")


def test_what_is_said_often_or_in_a_title_weighs_more():
    found = stems.weighed([("zorg", 12), ("zorg zorg balie", 1)])

    assert found == {"zorg": 14, "balie": 1, "bali": 1}


def test_long_strings_and_scripts_of_others_do_no_harm():
    assert stems.words("x" * 5000) == []
    assert stems.words("Ελλάδα 東京 \u202eabc") == ["ελλαδα", "東京", "abc"]
    assert len(stems.words("woord " * 10_000)) == stems.MOST_WORDS
