"""Operations of the compatible API that Bellwire does not have: 501 CMN-202, instead of a misleading 404.

A static table, path to methods, of what `reference/openapi-subset.json` has beyond our own routes. An operation that is
built leaves this table. The routes are left out of the OpenAPI document.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bellwire.api.problems import problem
from bellwire.api.routing import api_router
from bellwire.errors import ErrorEntry

_ACCOUNT = "/restapi/v1.0/account/{accountId}"
_EXTENSION = f"{_ACCOUNT}/extension/{{extensionId}}"
_SESSION = f"{_ACCOUNT}/telephony/sessions/{{telephonySessionId}}"
_PARTY = f"{_SESSION}/parties/{{partyId}}"
_CHATS = "/team-messaging/v1"
_WEBINARS = "/webinar/configuration/v1/webinars/{webinarId}"

UNSUPPORTED: dict[str, str] = {
    "/restapi/oauth/jwks": "GET",
    "/restapi/oauth/userinfo": "GET",
    f"{_ACCOUNT}/call-queues/{{groupId}}/presence": "GET PUT",
    f"{_ACCOUNT}/device/{{deviceId}}": "GET PUT",
    f"{_ACCOUNT}/device/{{deviceId}}/emergency": "PUT",
    f"{_ACCOUNT}/directory/entries": "GET",
    f"{_ACCOUNT}/directory/entries/search": "POST",
    f"{_ACCOUNT}/directory/entries/{{entryId}}": "GET",
    f"{_ACCOUNT}/extension": "POST",
    _EXTENSION: "DELETE PUT",
    f"{_EXTENSION}/call-queue-presence": "GET PUT",
    f"{_EXTENSION}/company-pager": "POST",
    f"{_EXTENSION}/favorite": "GET PUT",
    f"{_EXTENSION}/fax": "POST",
    f"{_EXTENSION}/grant": "GET",
    f"{_EXTENSION}/message-store": "DELETE GET",
    f"{_EXTENSION}/message-store/{{messageId}}": "DELETE GET PATCH PUT",
    f"{_EXTENSION}/message-store/{{messageId}}/content/{{attachmentId}}": "GET",
    f"{_EXTENSION}/message-sync": "GET",
    f"{_EXTENSION}/mms": "POST",
    f"{_EXTENSION}/presence": "GET PUT",
    f"{_EXTENSION}/sms": "POST",
    f"{_ACCOUNT}/phone-number": "GET",
    f"{_ACCOUNT}/phone-number/{{phoneNumberId}}": "GET",
    f"{_ACCOUNT}/presence": "GET",
    f"{_ACCOUNT}/telephony/call-out": "POST",
    f"{_ACCOUNT}/telephony/conference": "POST",
    _SESSION: "DELETE GET",
    f"{_SESSION}/parties/bring-in": "POST",
    _PARTY: "DELETE GET PATCH",
    f"{_PARTY}/answer": "POST",
    f"{_PARTY}/bridge": "POST",
    f"{_PARTY}/flip": "POST",
    f"{_PARTY}/forward": "POST",
    f"{_PARTY}/hold": "POST",
    f"{_PARTY}/ignore": "POST",
    f"{_PARTY}/park": "POST",
    f"{_PARTY}/pickup": "POST",
    f"{_PARTY}/recordings": "POST",
    f"{_PARTY}/recordings/{{recordingId}}": "PATCH",
    f"{_PARTY}/reject": "POST",
    f"{_PARTY}/reply": "POST",
    f"{_PARTY}/supervise": "POST",
    f"{_PARTY}/transfer": "POST",
    f"{_PARTY}/unhold": "POST",
    f"{_SESSION}/supervise": "POST",
    "/restapi/v2/accounts/{accountId}/phone-numbers": "DELETE GET",
    "/restapi/v2/accounts/{accountId}/phone-numbers/bulk-add": "POST",
    "/restapi/v2/accounts/{accountId}/phone-numbers/bulk-add/{taskId}": "GET",
    "/restapi/v2/accounts/{accountId}/phone-numbers/{phoneNumberId}": "PATCH",
    "/restapi/v2/accounts/{accountId}/phone-numbers/{phoneNumberId}/replace": "POST",
    f"{_CHATS}/chats": "GET",
    f"{_CHATS}/chats/{{chatId}}": "GET",
    f"{_CHATS}/chats/{{chatId}}/posts": "GET POST",
    f"{_CHATS}/chats/{{chatId}}/posts/{{postId}}": "DELETE GET PATCH",
    f"{_CHATS}/chats/{{chatId}}/threads/{{threadId}}/posts": "GET",
    f"{_CHATS}/conversations": "GET POST",
    f"{_CHATS}/conversations/{{chatId}}": "GET",
    f"{_CHATS}/teams": "GET POST",
    f"{_CHATS}/teams/{{chatId}}": "DELETE GET PATCH",
    f"{_CHATS}/teams/{{chatId}}/add": "POST",
    f"{_CHATS}/teams/{{chatId}}/archive": "POST",
    f"{_CHATS}/teams/{{chatId}}/join": "POST",
    f"{_CHATS}/teams/{{chatId}}/leave": "POST",
    f"{_CHATS}/teams/{{chatId}}/remove": "POST",
    f"{_CHATS}/teams/{{chatId}}/unarchive": "POST",
    "/webinar/configuration/v1/company/sessions": "GET",
    "/webinar/configuration/v1/sessions": "GET",
    "/webinar/configuration/v1/webinars": "GET POST",
    _WEBINARS: "DELETE GET PATCH",
    f"{_WEBINARS}/sessions": "POST",
    f"{_WEBINARS}/sessions/{{sessionId}}": "DELETE GET PATCH",
    f"{_WEBINARS}/sessions/{{sessionId}}/invitees": "GET PATCH",
    f"{_WEBINARS}/sessions/{{sessionId}}/invitees/{{inviteeId}}": "DELETE GET PUT",
    "/webinar/history/v1/company/sessions": "GET",
    "/webinar/history/v1/sessions": "GET",
    "/webinar/history/v1/webinars/{webinarId}": "GET",
    "/webinar/history/v1/webinars/{webinarId}/sessions/{sessionId}": "GET",
    "/webinar/history/v1/webinars/{webinarId}/sessions/{sessionId}/participants": "GET",
    "/webinar/registration/v1/sessions/{sessionId}": "GET PATCH",
    "/webinar/registration/v1/sessions/{sessionId}/registrants": "GET POST",
    "/webinar/registration/v1/sessions/{sessionId}/registrants/{registrantId}": "DELETE GET",
}
"""Path template to methods, separated by spaces."""

PREFIXES = ("/restapi/", "/team-messaging/", "/webinar/")
"""What all of the paths begin with."""


def unsupported_routes() -> APIRouter:
    """All of the table. To be included last, after everything that is supported."""
    router = api_router()

    async def unsupported(request: Request) -> Response:
        return problem(
            501, [ErrorEntry("CMN-202", f"{request.method} {request.url.path} is not supported by this server")]
        )

    for path, methods in UNSUPPORTED.items():
        router.add_route(path, unsupported, methods=methods.split(), include_in_schema=False)
    return router
