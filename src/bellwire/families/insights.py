"""Conversation analyses: transcripts, summaries and the like, once they are ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Direction, Id, Timestamp
from bellwire.families.declaration import EventFamily, PathValues, Template
from bellwire.model.permission import Permission, UserPermission

DOMAINS = ("pbx", "rcv", "rcx", "ms-teams", "nice-incontact")


class Speaker(Body):
    """A participant; account and extension are null for outsiders."""

    speaker_id: str
    name: str | None = ABSENT
    account_id: str | None = ABSENT
    extension_id: str | None = ABSENT
    phone_number: str | None = ABSENT


class Utterance(Body):
    speaker_id: str
    text: str
    start: float = Field(description="Seconds from the start of the recording.")
    end: float


class SummaryPart(Body):
    value: str
    start: float
    end: float


class SpokenInsight(SummaryPart):
    speaker_id: str


class Bullet(Body):
    value: str
    section: str = ABSENT


class Note(Body):
    value: str


class Mood(Body):
    value: Literal["Positive", "Negative", "Neutral"]


class Insights(Body):
    transcript: list[Utterance] = Field(ABSENT, alias="Transcript")
    summary: list[SummaryPart] = Field(ABSENT, alias="Summary")
    highlights: list[SpokenInsight] = Field(ABSENT, alias="Highlights")
    next_steps: list[SpokenInsight] = Field(ABSENT, alias="NextSteps")
    bulleted_summary: list[Bullet] = Field(ABSENT, alias="BulletedSummary")
    ai_score: list[Note] = Field(ABSENT, alias="AIScore")
    call_notes: list[Note] = Field(ABSENT, alias="CallNotes")
    sentiment: list[Mood] = Field(ABSENT, alias="Sentiment")
    questions_and_answers: list[SpokenInsight] = Field(ABSENT, alias="QnA")


class InsightsBody(Body):
    """The analysis of one recorded conversation."""

    title: str
    rs_record_uri: str = ABSENT
    domain: Literal["pbx", "rcv", "rcx", "nice-incontact", "ms-teams"]
    source_record_id: Id
    source_session_id: Id
    call_direction: Direction = ABSENT
    owner_extension_id: Id
    recording_duration_ms: int
    recording_start_time: Timestamp
    creation_time: Timestamp
    last_modified_time: Timestamp
    speaker_info: list[Speaker]
    insights: Insights
    event_type: str = ABSENT


def _record(_values: PathValues, body: Mapping[str, Any]) -> str:
    return str(body.get("sourceRecordId", ""))


FAMILY = EventFamily(
    name="insights",
    title="Conversation insights",
    description="Conversation analysis of a call or meeting is ready; the path says of which product.",
    templates=(
        Template(
            path="/ai/ringsense/v1/public/accounts/{accountId}/domains/{domain}/insights",
            permission=Permission.RING_SENSE,
            path_values={"domain": DOMAINS},
            others_permission=UserPermission.READ_COMPANY_CALL_RECORDING,
            others_error="CMN-408",
        ),
    ),
    body=InsightsBody,
    ordering_key=_record,
    sample={
        "title": "Call of Ada Brook with Ben Carter",
        "domain": "pbx",
        "sourceRecordId": "650001",
        "sourceSessionId": "s-6f0d1c5ae2b74f0a9d11",
        "callDirection": "Inbound",
        "ownerExtensionId": "200001",
        "recordingDurationMs": 61000,
        "recordingStartTime": "2026-03-02T11:00:02.500Z",
        "creationTime": "2026-03-02T11:05:00.000Z",
        "lastModifiedTime": "2026-03-02T11:05:00.000Z",
        "speakerInfo": [
            {"speakerId": "p-1", "name": "Ada Brook", "accountId": "100001", "extensionId": "200001"},
            {"speakerId": "p-2", "name": "Ben Carter", "accountId": None, "extensionId": None},
        ],
        "insights": {
            "Transcript": [{"speakerId": "p-1", "text": "Good morning.", "start": 0.4, "end": 1.1}],
            "Summary": [{"value": "A greeting.", "start": 0.4, "end": 1.1}],
            "Sentiment": [{"value": "Positive"}],
        },
    },
)
