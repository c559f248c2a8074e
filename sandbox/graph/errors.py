"""Meta's error codes and error bodies.

Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from typing import Any, NamedTuple

from sandbox.identifiers import new_trace_id


class Known(NamedTuple):
    status: int
    title: str
    details: str


KNOWN = {
    0: Known(401, "AuthException", "We were unable to authenticate the app user."),
    1: Known(400, "API Unknown", "Invalid request or possible server error."),
    2: Known(503, "API Service", "Temporary due to downtime or due to being overloaded."),
    3: Known(500, "API Method", "Capability or permissions issue."),
    4: Known(400, "API Too Many Calls", "The app has reached its API call rate limit."),
    10: Known(403, "Permission Denied", "Permission is either not granted or has been removed."),
    100: Known(400, "Invalid parameter", "The request included one or more unsupported or misspelled parameters."),
    190: Known(401, "Access token has expired", "Your access token has expired."),
    200: Known(403, "API Permission", "Permission is either not granted or has been removed."),
    368: Known(403, "Temporarily blocked for policies violations", "The account violated a platform policy."),
    80007: Known(400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130403: Known(400, "Recipient blocked", "The business may not message this recipient."),
    130429: Known(400, "Rate limit hit", "Cloud API message throughput has been reached."),
    130472: Known(400, "User's number is part of an experiment", "Message was not sent as part of an experiment."),
    130497: Known(403, "Business account is restricted from messaging users in this country", "Restricted country."),
    131000: Known(500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: Known(403, "Access denied", "Permission is either not granted or has been removed."),
    131008: Known(400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: Known(400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: Known(500, "Service unavailable", "A service is temporarily unavailable."),
    131021: Known(400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    131026: Known(400, "Message undeliverable", "Unable to deliver message to this recipient."),
    131030: Known(400, "Recipient phone number not in allowed list", "Add the recipient to the allowed list."),
    131031: Known(403, "Business account has been locked", "The account is restricted or disabled."),
    131042: Known(400, "Business eligibility payment issue", "There was an error related to your payment method."),
    131045: Known(500, "Incorrect certificate", "Message failed due to a phone number registration error."),
    131047: Known(
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    131048: Known(400, "Spam rate limit hit", "There are restrictions on how many messages this number can send."),
    131051: Known(400, "Unsupported message type", "Unsupported message type."),
    131052: Known(400, "Media download error", "Unable to download the media sent by the user."),
    131053: Known(400, "Media upload error", "Unable to upload the media used in the message."),
    131056: Known(
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Too many messages to the same recipient.",
    ),
    131057: Known(500, "Account in maintenance mode", "The business account is in maintenance mode."),
    131062: Known(400, "Recipient not supported", "A business-scoped user id cannot receive this message."),
    131064: Known(400, "Messaging limit reached", "The message failed to reach the messaging limit."),
    132000: Known(400, "Template Param Count Mismatch", "The number of parameters does not match the template."),
    132001: Known(404, "Template name does not exist in the translation", "The template does not exist."),
    132012: Known(
        400,
        "Parameter format does not match format in the created template",
        "The values of the parameters are formatted wrongly.",
    ),
    132018: Known(400, "There's an issue with the parameters in your template", "The parameters do not fit."),
    133004: Known(503, "Server Temporarily Unavailable", "Server is temporarily unavailable."),
    133010: Known(400, "Phone number Not Registered", "The phone number is not registered."),
}
HREF = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"


class GraphRefusal(Exception):
    """The stand-in refuses a request as Meta would: with a code, and a message for the developer."""

    def __init__(self, code: int, message: str = "", details: str = "", subcode: int | None = None) -> None:
        known = KNOWN.get(code, Known(400, "Unknown error", "Unknown error."))
        self.code = code
        self.status = known.status
        self.message = message or f"(#{code}) {known.title}"
        # Errors about a parameter have only a message, the others also have details.
        self.details = details or ("" if message else known.details)
        self.subcode = subcode
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "type": "OAuthException", "code": self.code}
        if self.subcode is not None:
            error |= {"type": "GraphMethodException", "error_subcode": self.subcode}
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        return {"error": error | {"fbtrace_id": new_trace_id()}}


def status_error(code: int) -> dict[str, Any]:
    """The error as it appears in a `failed` status."""
    known = KNOWN.get(code, Known(400, "Unknown error", "Unknown error."))
    return {
        "code": code,
        "title": known.title,
        "message": known.title,
        "error_data": {"details": known.details},
        "href": HREF,
    }
