"""The addresses for programs, under /api/."""

from django.urls import path

from api.views.assistant import AssistantView, UsageView
from api.views.conversations import ConversationDetail, ConversationList, HandBack, TakeOver
from api.views.keys import KeyView
from api.views.leads import LeadDetail, LeadList
from api.views.messages import Files, Messages, Templates

urlpatterns = [
    path("key", KeyView.as_view(), name="api_key"),
    path("conversations", ConversationList.as_view(), name="api_conversations"),
    path("conversations/<int:pk>", ConversationDetail.as_view(), name="api_conversation"),
    path("conversations/<int:pk>/messages", Messages.as_view(), name="api_messages"),
    path("conversations/<int:pk>/files", Files.as_view(), name="api_files"),
    path("conversations/<int:pk>/templates", Templates.as_view(), name="api_templates"),
    path("conversations/<int:pk>/take-over", TakeOver.as_view(), name="api_take_over"),
    path("conversations/<int:pk>/hand-back", HandBack.as_view(), name="api_hand_back"),
    path("leads", LeadList.as_view(), name="api_leads"),
    path("leads/<int:pk>", LeadDetail.as_view(), name="api_lead"),
    path("assistant", AssistantView.as_view(), name="api_assistant"),
    path("usage", UsageView.as_view(), name="api_usage"),
]
