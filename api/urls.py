"""Every URL under /api/ but Meta's webhook."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from api.not_found import NotFoundView
from api.staff.tenants import TenantViewSet
from api.staff.whatsapp_accounts import WhatsAppAccountViewSet
from api.views.assistant import AssistantView, UsageView
from api.views.audit import AuditView
from api.views.conversations import ConversationsView, ConversationView, HandBackView, TakeOverView
from api.views.keys import KeyView
from api.views.knowledge import ChunksView, KnowledgeFilesView, ReadAgainView, SourcesView, SourceView
from api.views.leads import LeadsView, LeadView
from api.views.messages import FilesView, FileView, MessagesView, TemplatesView
from api.views.schema import SchemaView

staff = SimpleRouter(trailing_slash=False, use_regex_path=False)
staff.register("tenants", TenantViewSet)
staff.register("whatsapp-accounts", WhatsAppAccountViewSet)

with_api_key: list[URLPattern] = [
    path("key", KeyView.as_view(), name="api_key"),
    path("conversations", ConversationsView.as_view(), name="api_conversations"),
    path("conversations/<int:pk>", ConversationView.as_view(), name="api_conversation"),
    path("conversations/<int:pk>/messages", MessagesView.as_view(), name="api_messages"),
    path("conversations/<int:pk>/files", FilesView.as_view(), name="api_files"),
    path("conversations/<int:pk>/templates", TemplatesView.as_view(), name="api_templates"),
    path("conversations/<int:pk>/take-over", TakeOverView.as_view(), name="api_take_over"),
    path("conversations/<int:pk>/hand-back", HandBackView.as_view(), name="api_hand_back"),
    path("files/<int:pk>", FileView.as_view(), name="api_file"),
    path("leads", LeadsView.as_view(), name="api_leads"),
    path("leads/<int:pk>", LeadView.as_view(), name="api_lead"),
    path("knowledge/sources", SourcesView.as_view(), name="api_knowledge"),
    path("knowledge/sources/<int:pk>", SourceView.as_view(), name="api_knowledge_source"),
    path("knowledge/sources/<int:pk>/read-again", ReadAgainView.as_view(), name="api_knowledge_read_again"),
    path("knowledge/sources/<int:pk>/chunks", ChunksView.as_view(), name="api_knowledge_chunks"),
    path("knowledge/files", KnowledgeFilesView.as_view(), name="api_knowledge_files"),
    path("assistant", AssistantView.as_view(), name="api_assistant"),
    path("usage", UsageView.as_view(), name="api_usage"),
    path("audit", AuditView.as_view(), name="api_audit"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *with_api_key,
    path("admin/", include(staff.urls)),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(), name="docs"),
    re_path("", NotFoundView.as_view()),
]
