"""Our words for the errors of Django and DRF, which say what is wrong but not what to do.

`WORDING` maps each of their messages to ours, with the same placeholders. A test checks that none is missing.
"""

import re
from typing import Any

WORDING = {
    # Fields
    "This field is required.": "Missing. Provide a value.",
    "This field may not be null.": "Can't be null.",
    "This field cannot be null.": "Can't be null.",
    "This field may not be blank.": "Can't be empty.",
    "This field cannot be blank.": "Can't be empty.",
    "Must be a valid boolean.": "Use true or false.",
    "Not a valid string.": "Use a string.",
    "Ensure this field has no more than {max_length} characters.": "Too long: use at most {max_length} characters.",
    "Ensure this field has at least {min_length} characters.": "Too short: use at least {min_length} characters.",
    "Ensure this value has at most {max_length} character (it has {length}).": (
        "Too long: use at most {max_length} characters."
    ),
    "Ensure this value has at most {max_length} characters (it has {length}).": (
        "Too long: use at most {max_length} characters."
    ),
    "Null characters are not allowed.": "NUL characters can't be stored. Remove them.",
    "Surrogate characters are not allowed: {code_point}.": "Invalid Unicode: {code_point} can't stand alone.",
    "Enter a valid email address.": "Use an email address, such as ann@example.com.",
    "Enter a valid URL.": "Use a full URL, such as https://example.com/path.",
    "This value does not match the required pattern.": "Doesn't have the right format. See /api/docs.",
    "Enter a valid value.": "Doesn't have the right format. See /api/docs.",
    'Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.': (
        "Use letters, digits, underscores and hyphens only."
    ),
    "Enter a valid “slug” consisting of letters, numbers, underscores or hyphens.": (
        "Use letters, digits, underscores and hyphens only."
    ),
    "A valid integer is required.": "Use a whole number.",
    "A valid number is required.": "Use a number.",
    "Ensure this value is less than or equal to {max_value}.": "Too large: use at most {max_value}.",
    "Ensure this value is greater than or equal to {min_value}.": "Too small: use at least {min_value}.",
    "String value too large.": "Too many digits.",
    "Integer value too large to convert to float": "Too large.",
    "Datetime has wrong format. Use one of these formats instead: {format}.": (
        "Use an ISO 8601 time, such as 2026-11-24T10:00:00Z."
    ),
    "Expected a datetime but got a date.": "Add a time, such as 2026-11-24T10:00:00Z.",
    'Invalid datetime for the timezone "{timezone}".': "This time doesn't exist in the time zone {timezone}.",
    "Datetime value out of range.": "This time is out of range.",
    "Date has wrong format. Use one of these formats instead: {format}.": "Use a date, such as 2026-11-24.",
    "Expected a date but got a datetime.": "Use a date without a time, such as 2026-11-24.",
    '"{input}" is not a valid choice.': "Unknown value “{input}”. See /api/docs for the possible ones.",
    'Expected a list of items but got type "{input_type}".': "Use a list.",
    "This list may not be empty.": "Can't be empty: add at least one item.",
    "Ensure this field has at least {min_length} elements.": "Too few items: add at least {min_length}.",
    "Ensure this field has no more than {max_length} elements.": "Too many items: use at most {max_length}.",
    'Expected a dictionary of items but got type "{input_type}".': "Use a JSON object.",
    "This dictionary may not be empty.": "Can't be empty.",
    "Value must be valid JSON.": "Use JSON.",
    "Invalid data. Expected a dictionary, but got {datatype}.": "Use a JSON object.",
    "No data provided": "Use a JSON object.",
    'Invalid pk "{pk_value}" - object does not exist.': (
        "There's no such object, or you don't have access to it: {pk_value}."
    ),
    "Incorrect type. Expected pk value, received {data_type}.": "Use an ID.",
    # Files
    "No file was submitted.": "Missing. Upload a file in this field of the form.",
    "The submitted data was not a file. Check the encoding type on the form.": (
        "Not a file. Send the form as multipart/form-data."
    ),
    "No filename could be determined.": "The file has no name. Give it one in the form.",
    "The submitted file is empty.": "The file is empty.",
    "Ensure this filename has at most {max_length} characters (it has {length}).": (
        "The file's name is too long: use at most {max_length} characters."
    ),
    # Rows
    "This field must be unique.": "Already in use. Choose another value.",
    "The fields {field_names} must make a unique set.": "An object with the same {field_names} already exists.",
    "{model_name} with this {field_label} already exists.": "Already in use. Choose another value.",
    # Requests
    "Invalid input.": "The request is invalid.",
    "Malformed request.": "The request's body can't be read.",
    "JSON parse error - {reason}": "The request's body isn't valid JSON: {reason}.",
    "Multipart form parse error - {reason}": "The form can't be read: {reason}.",
    "Incorrect authentication credentials.": "Invalid API key or admin token.",
    "Authentication credentials were not provided.": (
        "No admin token provided. Send it in the header `Authorization: Token pra_…`."
    ),
    "You do not have permission to perform this action.": "Your role doesn't allow this.",
    "Not found.": "Not found. It doesn't exist, or it belongs to another business.",
    "No {model} matches the given query.": "Not found. It doesn't exist, or it belongs to another business.",
    'Method "{method}" not allowed.': "{method} isn't possible here. See /api/docs for the available methods.",
    "Could not satisfy the request Accept header.": "Only application/json can be returned. Change the Accept header.",
    'Unsupported media type "{media_type}" in request.': (
        "The content type “{media_type}” isn't supported. See /api/docs."
    ),
    "Invalid page.": "There's no such page.",
}

_PLACEHOLDER = re.compile(r"\\{(\w+)\\}")
_MESSAGES = {
    re.compile(_PLACEHOLDER.sub(r"(?P<\1>.*)", re.escape(theirs)), re.DOTALL): ours for theirs, ours in WORDING.items()
}


def in_our_words(detail: Any) -> Any:
    """The same errors in our words: a sentence, or lists and objects of them."""
    if isinstance(detail, dict):
        return {name: in_our_words(each) for name, each in detail.items()}
    if isinstance(detail, list):
        return [in_our_words(each) for each in detail]
    for pattern, ours in _MESSAGES.items():
        if found := pattern.fullmatch(str(detail)):
            return ours.format(**found.groupdict())
    return detail
