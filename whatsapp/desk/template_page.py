"""The page for sending a message template, which is possible even after the 24-hour window has closed."""

from itertools import chain, repeat

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from conversations.desk import extensions, form_tokens
from conversations.desk.pages import page_url
from conversations.files import uploads
from conversations.models import Conversation
from conversations.replies import ReplyRefused, reply
from tenants.users import user_of
from whatsapp.message_templates import catalogue
from whatsapp.message_templates.catalogue import TemplatesUnavailable
from whatsapp.message_templates.template import MessageTemplate, Placeholder


@extensions.register_page("template", "Send a template", needs_window=False)
def template_page(request: HttpRequest, conversation: Conversation, context: dict[str, object]) -> HttpResponse:
    templates: list[MessageTemplate] = []
    try:
        templates = catalogue.approved_templates(conversation)
        failure = "" if templates else "This number has no approved templates."
    except TemplatesUnavailable as error:
        failure = str(error)
    if request.method == "POST" and _send(request, conversation, templates):
        return redirect(page_url(conversation, request))
    forms = [_form(request, template) for template in templates if not template.unsupported_reason]
    context |= {
        "title": f"Send a template to {conversation}",
        "forms": sorted(forms, key=lambda form: not form[2]),  # a form that was just refused comes first
        "unsupported": [template for template in templates if template.unsupported_reason],
        "failure": failure,
    }
    return render(request, "whatsapp/templates.html", context)


def _send(request: HttpRequest, conversation: Conversation, templates: list[MessageTemplate]) -> bool:
    template = catalogue.find(templates, request.POST.get("name"), request.POST.get("language"))
    if template is None:
        messages.error(request, "Not sent. This template isn't approved.")
        return False
    values = [value.replace("\x00", "").strip() for value in request.POST.getlist("value")]
    user = user_of(request)
    file = request.FILES.get("file") if template.accepts_file else None
    try:
        if file:
            with uploads.kept(file, claimed=file.content_type or "", kind=template.header_kind) as upload:
                reply(conversation.pk, user, template.fill(values, upload), form_token=form_tokens.of(request))
        else:
            reply(conversation.pk, user, template.fill(values), form_token=form_tokens.of(request))
    except (ReplyRefused, ValueError) as error:
        messages.error(request, f"Not sent. {error}")
        return False
    return True


def _form(
    request: HttpRequest, template: MessageTemplate
) -> tuple[MessageTemplate, list[tuple[Placeholder, str]], bool]:
    """A template, its placeholders with the submitted values, and whether it was submitted."""
    submitted = (request.POST.get("name"), request.POST.get("language")) == (template.name, template.language)
    values = request.POST.getlist("value") if submitted else []
    return template, list(zip(template.placeholders, chain(values, repeat("")), strict=False)), submitted
