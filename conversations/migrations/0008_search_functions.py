from django.db import migrations

from runtime import words

_DIGITS = "".join(chr(ord(zero) + digit) for zero in words.ZEROS for digit in range(10))
_HIRAGANA = "".join(map(chr, words.HIRAGANA))
_KATAKANA = "".join(chr(letter + 0x60) for letter in words.HIRAGANA)


def _translate(letters: str, plain: str) -> str:
    """translate() compares every letter with every other, so it's only called where there's something to translate."""
    return f"""
        IF content ~ '[{letters}]' THEN
            content := translate(content, '{letters}', '{plain}');
        END IF;"""


def _replace(letters: dict[str, str]) -> str:
    return f"""
        IF content ~ '[{"".join(letters)}]' THEN
            content := {"replace(" * len(letters)}content{"".join(f", '{each}', '{plain}')" for each, plain in letters.items())};
        END IF;"""


# As `runtime.words.fold`. Most texts are ASCII, or are once their accents are gone: those skip the rest.
_FOLD = f"""
    content := left(content, {words.MAX_CHARACTERS});
    IF octet_length(content) = length(content) THEN
        content := lower(content COLLATE "C");
    ELSE
        content := regexp_replace(content, '[{words.DROPPED}]+', '', 'g');
        IF length(content) > {words.LONG} THEN
            content := regexp_replace(content, '[{words.MARKS}]{{{words.HEAP},}}', '', 'g');
        END IF;
        content := regexp_replace(normalize(content, NFKD), '[{words.DROPPED}]+', '', 'g');
        IF content ~ '[{words.COMPOSED}]' THEN
            content := normalize(content, NFC);
        END IF;
        content := lower(left(content, {words.MAX_CHARACTERS}));
    END IF;
    IF octet_length(content) > length(content) THEN
        {_translate("".join(words.LATIN), "".join(words.LATIN.values()))}
        {_translate("".join(words.OTHERS), "".join(words.OTHERS.values()))}
        {_replace(words.LIGATURES)}
        {_translate(_DIGITS, "0123456789" * len(words.ZEROS))}
        {_translate(_HIRAGANA, _KATAKANA)}
    END IF;
"""
# As `runtime.words.index_words`. The pairs of a run are those from its first character on and those from its second;
# whatever its length, one of the two leaves its last character over.
_WORDS = f"""
    IF octet_length(content) = length(content) THEN
        content := regexp_replace(content, '[^a-z0-9 ]+', ' ', 'g');
    ELSE
        content := regexp_replace(content, '[{words.SEPARATORS}]+', ' ', 'g');
        IF content ~ '[{words.EMOJI}]' THEN
            content := regexp_replace(content, '([{words.EMOJI}])', ' \\1 ', 'g');
        END IF;
        IF content ~ '[{words.UNSPACED}]' THEN
            runs := regexp_replace(content, '[^{words.UNSPACED}]+', ' ', 'g');
            content := regexp_replace(content, '[{words.UNSPACED}]+', ' ', 'g')
                || ' ' || regexp_replace(runs, '([^ ][^ ])', '\\1 ', 'g')
                || ' ' || regexp_replace(regexp_replace(runs, '(^| )[^ ]', '\\1', 'g'), '([^ ][^ ])', '\\1 ', 'g');
        END IF;
    END IF;
    IF length(content) > {words.MAX_WORD} AND content ~ '[^ ]{{{words.MAX_WORD + 1}}}' THEN
        content := regexp_replace(content, '([^ ]{{{words.MAX_WORD}}})[^ ]+', '\\1', 'g');
    END IF;
    RETURN array_to_tsvector(array_remove(string_to_array(content, ' '), ''));
"""
# What the rest does to a short ASCII text, which most are.
_SHORT = f"""
    IF octet_length(content) = length(content) AND length(content) <= {words.MAX_WORD} THEN
        content := regexp_replace(lower(content COLLATE "C"), '[^a-z0-9 ]+', ' ', 'g');
        RETURN array_to_tsvector(array_remove(string_to_array(content, ' '), ''));
    END IF;
"""
_FUNCTIONS = f"""
CREATE FUNCTION search_fold(content text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
{_FOLD}
    RETURN content;
END $$;
CREATE FUNCTION search_words(content text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    runs text;
BEGIN
{_SHORT}
{_FOLD}
{_WORDS}
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("conversations", "0007_form_tokens")]
    operations = [
        migrations.RunSQL(_FUNCTIONS, "DROP FUNCTION search_words(text); DROP FUNCTION search_fold(text);"),
    ]
