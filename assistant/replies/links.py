"""Finds the links in a text, and removes those to hosts that nobody named."""

import re

URL = re.compile(r"https?://[^\s<>\[\]\"“”«»*`，。；！？）】」』、]+", re.IGNORECASE)
# Endings by which WhatsApp recognizes a link without https://.
_ENDINGS = (
    "com|net|org|info|biz|io|co|app|dev|shop|store|online|site|website|xyz|ai|gl|ly|link|page|club|top|live|tech|cloud"
    "|agency|club|gov|edu|mobi|name|pro|eu|de|at|ch|fr|es|pt|it|nl|be|pl|cz|se|dk|fi|uk|ie|us|ca|mx|br|ar|cl|pe|ve|uy"
    "|ec|in|id|my|sg|th|vn|ph|jp|cn|hk|tw|kr|au|nz|za|ng|ke|eg|ae|sa|il|tr|ru|ua|gr|ro|hu|bg|hr|rs|sk|lt|lv|ee|ma|pk|bd|lk"
)
_BARE = re.compile(
    rf"(?<![\w@./:-])(?:www\.[\w-]+(?:\.[\w-]+)+|(?:[\w-]+\.)+(?:{_ENDINGS})(?![\w-]|\.\w)|(?:[\w-]+\.)+[a-z]{{2,24}}(?=[/:]\w))"
    r"(?![\w@])(?::\d+)?(?:/[^\s<>\[\]\"“”«»*`]*)?"
)
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+")


def trimmed(url: str) -> str:
    """Without the punctuation of the sentence around it."""
    while url:
        last = url[-1]
        if last in ".,;:!?'’_~|" or (last == ")" and url.count(")") > url.count("(")):
            url = url[:-1]
        else:
            break
    return url
