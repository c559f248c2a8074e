"""What a browser's User-Agent header says, for people: “Firefox on Windows”."""

import re

# The first that matches: most browsers also name the ones that they're compatible with.
BROWSERS = {
    "Edge": r"Edg(e|A|iOS)?/",
    "Opera": r"OPR/|Opera",
    "Samsung Internet": r"SamsungBrowser/",
    "Firefox": r"Firefox/|FxiOS/",
    "Chrome": r"Chrom(e|ium)/|CriOS/",
    "Safari": r"Safari/",
}
SYSTEMS = {
    "iPhone": r"iPhone",
    "iPad": r"iPad",
    "Android": r"Android",
    "Windows": r"Windows",
    "ChromeOS": r"CrOS",
    "macOS": r"Mac OS X|Macintosh",
    "Linux": r"Linux",
}


def device(user_agent: str) -> str:
    browser = next((name for name, pattern in BROWSERS.items() if re.search(pattern, user_agent)), "")
    system = next((name for name, pattern in SYSTEMS.items() if re.search(pattern, user_agent)), "")
    return " on ".join(filter(None, (browser, system))) or "Unknown device"
