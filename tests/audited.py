"""Every action that the audit log records."""

from api.models import AdminToken
from audit.choices import Action
from conversations.models import Conversation
from tenants.models import Tenant
from tests.acting import (
    Case,
    act,
    add_member,
    admin_token,
    answer_invitation,
    by_command,
    change_business,
    change_password,
    delete,
    desk,
    erase,
    fail_to_sign_in,
    invite,
    invited,
    new_key,
    press_business,
    set_up_app,
    sign_in,
    with_factor,
    with_key,
    with_token,
    wrong_code,
)

ROOT, OPERATOR, KEY = "root", "our-operator@example.test", "API key “Shop (write)”"
GUEST, TOKEN = "guest@example.test", "our-owner@example.test, with an admin token"

CASES: dict[str, Case] = {
    "signs in": Case(sign_in, Action.SIGNED_IN),
    "fails to sign in": Case(fail_to_sign_in, Action.SIGN_IN_FAILED),
    "fails at the second factor": Case(wrong_code, Action.SIGN_IN_FAILED, prepare=with_factor, about="second factor"),
    "signs out": Case(lambda office: office.owner.post("/admin/logout/"), Action.SIGNED_OUT),
    "ends other sessions": Case(
        lambda office: office.owner.post("/account/sessions/", {"end": "others"}),
        Action.SESSIONS_ENDED,
        prepare=lambda office: office.owner.get("/admin/"),
    ),
    "changes the password": Case(change_password, Action.PASSWORD_CHANGED),
    "opens a conversation": Case(desk("change/", method="get"), Action.READ, OPERATOR, "conversation "),
    "opens it beside the list": Case(desk("live/", method="get"), Action.READ, OPERATOR, "conversation "),
    "reads older messages": Case(desk("transcript/", method="get"), Action.READ, OPERATOR, "conversation "),
    "reads a message": Case(
        lambda office: office.operator.get(office.page("conversations/conversationmessage")), Action.READ, OPERATOR
    ),
    "reads a prompt": Case(lambda office: office.operator.get(office.page("assistant/turn")), Action.READ, OPERATOR),
    "reads messages with a key": Case(
        with_key("get", "conversations/{conversations_conversation}/messages"), Action.READ, KEY
    ),
    "reads a conversation with a key": Case(
        with_key("get", "conversations/{conversations_conversation}"), Action.READ, KEY
    ),
    "exports leads": Case(act("operator", "leads/lead", "export_csv"), Action.EXPORTED, OPERATOR, "leads"),
    "exports leads for Excel": Case(act("operator", "leads/lead", "export_excel"), Action.EXPORTED, OPERATOR),
    "exports knowledge": Case(act("operator", "knowledge/source", "export_json"), Action.EXPORTED, OPERATOR),
    "exports the audit log": Case(
        lambda office: office.owner.get("/admin/audit/auditentry/export/csv/"), Action.EXPORTED, about="the audit log"
    ),
    "takes over": Case(desk("take-over/"), Action.TOOK_OVER, OPERATOR, "conversation "),
    "takes over with a key": Case(
        with_key("post", "conversations/{conversations_conversation}/take-over"), Action.TOOK_OVER, KEY
    ),
    "hands back": Case(
        desk("hand-back/"),
        Action.HANDED_BACK,
        OPERATOR,
        prepare=lambda office: Conversation.objects.filter(tenant=office.ours).update(handled_by="operator"),
    ),
    "generates a key": Case(new_key, Action.KEY_CREATED, about="API key “Till”"),
    "revokes a key": Case(act("owner", "api/apikey", "revoke"), Action.KEY_REVOKED, about="API key “Ours key”"),
    "generates an admin token": Case(
        admin_token,
        Action.KEY_CREATED,
        ROOT,
        "admin token of our-owner",
        lambda office: AdminToken.objects.all().delete(),
    ),
    "revokes an admin token": Case(
        lambda office: office.root.post(
            "/admin/auth/user/", {"action": "revoke_admin_token", "_selected_action": [office.people["owner"].pk]}
        ),
        Action.KEY_REVOKED,
        ROOT,
    ),
    "generates a key by command": Case(
        by_command("api_key", "--business", "ours", "--user", "our-owner"), Action.KEY_CREATED, "manage.py api_key"
    ),
    "invites": Case(invite, Action.INVITED, about="new@example.test as viewer"),
    "renews an invitation": Case(act("owner", "tenants/invitation", "renew"), Action.INVITATION_RENEWED),
    "withdraws an invitation": Case(delete("tenants/invitation"), Action.INVITATION_WITHDRAWN, about="Ours@invited"),
    "accepts an invitation": Case(answer_invitation("accept"), Action.INVITATION_ACCEPTED, GUEST, prepare=invited),
    "declines an invitation": Case(answer_invitation("decline"), Action.INVITATION_DECLINED, GUEST, prepare=invited),
    "adds a member": Case(add_member, Action.MEMBER_ADDED, ROOT, "nobody"),
    "removes a member": Case(delete("tenants/membership", "root"), Action.MEMBER_REMOVED, ROOT, "our-owner"),
    "changes a role": Case(
        lambda office: office.form(office.root, office.page("tenants/membership"), role="viewer"),
        Action.ROLE_CHANGED,
        ROOT,
        "our-owner",
    ),
    "erases a person": Case(erase, Action.PERSON_ERASED, about="conversation "),
    "suspends a business": Case(press_business("suspend"), Action.BUSINESS_SUSPENDED, ROOT, "ours"),
    "resumes a business": Case(
        press_business("resume"),
        Action.BUSINESS_RESUMED,
        ROOT,
        "ours",
        lambda office: Tenant.objects.filter(pk=office.ours.pk).update(is_active=False),
    ),
    "renames a business": Case(change_business(name="New name"), Action.CHANGED, ROOT, "New name"),
    "deletes a business": Case(delete("tenants/tenant", "root"), Action.BUSINESS_DELETED, ROOT, "ours"),
    "sets up an app": Case(set_up_app, Action.FACTOR_ADDED, about="TOTP"),
    "removes an app": Case(
        lambda office: office.owner.post("/account/two-factor/totp/deactivate/"),
        Action.FACTOR_REMOVED,
        prepare=with_factor,
    ),
    "generates recovery codes": Case(
        lambda office: office.owner.post("/account/two-factor/recovery-codes/generate/"),
        Action.CODES_GENERATED,
        prepare=with_factor,
    ),
    "resets someone's factors": Case(
        lambda office: office.root.post(
            "/admin/auth/user/", {"action": "reset_two_factor", "_selected_action": [office.people["owner"].pk]}
        ),
        Action.FACTORS_RESET,
        ROOT,
        "our-owner",
        with_factor,
    ),
    "resets factors by command": Case(
        by_command("reset_two_factor", "our-owner"), Action.FACTORS_RESET, "manage.py reset_two_factor", "our-owner"
    ),
    "changes the assistant": Case(
        lambda office: office.form(office.owner, office.page("assistant/assistant"), temperature="0.3"),
        Action.CHANGED,
        about="the assistant",
    ),
    "changes the assistant with a key": Case(with_key("patch", "assistant", {"temperature": 0.3}), Action.CHANGED, KEY),
    "changes a lead with a key": Case(
        with_key("patch", "leads/{leads_lead}", {"stage": "qualified"}), Action.CHANGED, KEY
    ),
    "changes a conversation with a key": Case(
        with_key("patch", "conversations/{conversations_conversation}", {"is_active": False}), Action.CHANGED, KEY
    ),
    "adds knowledge with a key": Case(
        with_key("post", "knowledge/sources", {"kind": "question", "title": "Open?", "text": "Yes"}),
        Action.CREATED,
        KEY,
    ),
    "changes knowledge with a key": Case(
        with_key("patch", "knowledge/sources/{knowledge_source}", {"enabled": False}), Action.CHANGED, KEY
    ),
    "switches knowledge off": Case(
        act("operator", "knowledge/source", "switch_off"), Action.CHANGED, OPERATOR, "knowledge source"
    ),
    "changes an account with a token": Case(
        with_token("patch", "whatsapp-accounts/{whatsapp_whatsappaccount}", {"display_phone_number": "+49 30 1"}),
        Action.CHANGED,
        TOKEN,
    ),
    "deletes an account with a token": Case(
        with_token("delete", "whatsapp-accounts/{whatsapp_whatsappaccount}", None), Action.DELETED, TOKEN
    ),
    "replaces a webhook's secret": Case(
        act("owner", "webhooks/webhookendpoint", "generate_secret"), Action.CHANGED, about="https://ours.example/…"
    ),
    "deletes a conversation": Case(delete("conversations/conversation"), Action.DELETED, about="conversation "),
    "deletes several leads": Case(
        act("owner", "leads/lead", "delete_selected", post="yes"), Action.DELETED, about="lead "
    ),
}
