"""The tool `look_up`: the model searches the business's knowledge again, in its own words. It changes nothing."""

from runtime.untrusted_json import Json, as_text, clean

LOOK_UP = "look_up"
LONGEST_QUERY = 500  # characters
DEFINITION: Json = {
    "type": "function",
    "function": {
        "name": LOOK_UP,
        "description": "Search what the business knows. Call it before you say that you don't know something, with "
        "other words than the customer's, and once for each thing that they ask about.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "A few words, as the business would write them."}
            },
            "required": ["query"],
        },
    },
}


def query_of(arguments: Json) -> str:
    return as_text(clean(arguments.get("query"))).strip()[:LONGEST_QUERY]
