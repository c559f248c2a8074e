"""The objects that can be read from the Graph API stand-in."""

from typing import Any

from django.http import HttpRequest

from sandbox.graph.access import check_token
from sandbox.graph.errors import GraphRefusal
from sandbox.message_templates.approved import TEMPLATES
from sandbox.models import PhoneNumber

ALWAYS = ("id",)
NUMBER_FIELDS = ("display_phone_number", "verified_name", "quality_rating")
# Fields that exist but are empty here. Meta leaves empty fields out.
EMPTY_FIELDS = frozenset(
    (
        "certificate",
        "conversational_automation",
        "eligibility_for_api_business_global_search",
        "last_onboarded_time",
        "new_certificate",
        "new_name_status",
        "quality_score",
        "search_visibility",
        "username",
        "webhook_configuration",
        "whatsapp_business_manager_messaging_limit",
    )
)


def unknown_object(object_id: str) -> GraphRefusal:
    return GraphRefusal(
        100,
        f"Unsupported get request. Object with ID '{object_id[:64]}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation.",
        subcode=33,
    )


def node(request: HttpRequest, object_id: str) -> dict[str, Any]:
    """The requested fields of a phone number."""
    if not object_id.isdigit():
        raise unknown_object(object_id)
    number = PhoneNumber.known_as(object_id)
    check_token(request, number)
    return _chosen(request, number_json(number), "WhatsAppBusinessPhoneNumber")


def number_json(number: PhoneNumber) -> dict[str, Any]:
    return {
        "id": number.phone_number_id,
        "display_phone_number": f"+{number.display_phone_number}",
        "verified_name": number.verified_name,
        "quality_rating": number.quality_rating,
        "code_verification_status": "VERIFIED",
        "platform_type": "CLOUD_API",
        "name_status": "APPROVED",
        "status": "CONNECTED",
        "throughput": {"level": "STANDARD"},
        "health_status": {"can_send_message": "AVAILABLE"},
        "account_mode": "SANDBOX",
        "is_on_biz_app": False,
        "is_official_business_account": False,
        "is_pin_enabled": True,
        "is_preverified_number": False,
        "country_code": "US",
        "country_dial_code": "1",
    }


def _chosen(request: HttpRequest, found: dict[str, Any], type_name: str) -> dict[str, Any]:
    asked = [name.strip() for name in request.GET.get("fields", "").split(",") if name.strip()]
    for name in asked:
        if name not in found and name not in EMPTY_FIELDS:
            why = f"(#100) Tried accessing nonexisting field ({name}) on node type ({type_name})"
            raise GraphRefusal(100, why)
    return {name: found[name] for name in (*ALWAYS, *(asked or NUMBER_FIELDS)) if name in found}


def subscribed_apps(request: HttpRequest, waba_id: str) -> dict[str, Any]:
    if not waba_id.isdigit():
        raise unknown_object(waba_id)
    if request.method == "POST":
        return {"success": True}
    app = {"link": "https://example.com/", "name": "Sandbox", "id": "670843887433847"}
    return {"data": [{"whatsapp_business_api_data": app}]}


def phone_numbers(request: HttpRequest, waba_id: str) -> dict[str, Any]:
    return {"data": [number_json(number) for number in PhoneNumber.objects.filter(waba_id=waba_id)]}


def template_list(request: HttpRequest, waba_id: str) -> dict[str, Any]:
    if not waba_id.isdigit():
        raise unknown_object(waba_id)
    name = request.GET.get("name", "")
    found = [template for template in TEMPLATES if name in template["name"]]
    answer: dict[str, Any] = {"data": found, "paging": {"cursors": {"before": "MAZDZD", "after": "MjQZD"}}}
    if request.GET.get("summary"):
        counts = {"total_count": len(found), "message_template_count": len(TEMPLATES), "message_template_limit": 250}
        answer["summary"] = counts | {"are_translations_complete": True}
    return answer
