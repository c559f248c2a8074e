"""The page "Send a template", for when the 24 hours are over; linked from the desk."""

from itertools import chain, repeat
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path

from conversations.desk import extensions
from conversations.files import uploads
from conversations.models import Conversation
from conversations.outbox.contents import FileUpload
from whatsapp.message_templates import catalogue
from whatsapp.message_templates.catalogue import NoTemplates
from whatsapp.message_templates.template import MessageTemplate, Placeholder

from . import sending

if TYPE_CHECKING:
    from tenants.scoped_admin import TenantScopedAdmin

    Base = TenantScopedAdmin
else:
    Base = object


class TemplateViews(Base):
    """Mixed into the admin of the numbers; who may is said by the admin of the conversations."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.templates_view)
        return [path("templates/<int:conversation_id>/", page, name="whatsapp_templates"), *super().get_urls()]

    def templates_view(self, request: HttpRequest, conversation_id: int) -> HttpResponse:
        conversation = sending.writable(self.admin_site, request, conversation_id)
        try:
            known = catalogue.listed(conversation.phone_number_id)
        except NoTemplates as error:
            known, failure = [], str(error)
        else:
            failure = "" if known else "This number has no approved template."
        if request.method == "POST" and self._sent(request, conversation, known):
            return redirect("admin:conversations_conversation_change", conversation.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Send a template to {conversation}",
            "conversation": conversation,
            # What was just tried stands first, below the reason why it was not sent.
            "known": sorted((_form(request, one) for one in known if not one.problem), key=lambda form: not form[2]),
            "others": [template for template in known if template.problem],
            "failure": failure,
        }
        return render(request, "whatsapp/templates.html", context)

    def _sent(self, request: HttpRequest, conversation: Conversation, known: list[MessageTemplate]) -> bool:
        template = catalogue.chosen(known, request.POST.get("name"), request.POST.get("language"))
        if template is None:
            messages.error(request, "That template is not among the approved ones. Nothing was sent.")
            return False
        values = [value.replace("\x00", "").strip() for value in request.POST.getlist("value")]
        upload = None
        try:
            upload = _upload(request, template)
            return sending.send(request, conversation, template.filled(values, upload))
        except ValueError as error:
            messages.error(request, f"{error} Nothing was sent.")
            return False
        finally:
            if upload:
                uploads.drop_unused(upload)


def _form(
    request: HttpRequest, template: MessageTemplate
) -> tuple[MessageTemplate, list[tuple[Placeholder, str]], bool]:
    """A template, its places with what was written into them, and whether it is the one that was not sent."""
    was_tried = (request.POST.get("name"), request.POST.get("language")) == (template.name, template.language)
    values = request.POST.getlist("value") if was_tried else []
    return template, list(zip(template.places, chain(values, repeat("")), strict=False)), was_tried


def _upload(request: HttpRequest, template: MessageTemplate) -> FileUpload | None:
    """The file for its header. Raises ValueError for one that WhatsApp does not take there."""
    file = request.FILES.get("file")
    if file is None or not template.takes_file:
        return None
    return uploads.keep(file, claimed=file.content_type or "", kind=template.above)


@extensions.register_panel
def send_a_template(conversation: Conversation) -> str:
    return render_to_string("whatsapp/template_link.html", {"conversation": conversation})
