"""Demo traffic: telephone calls, with the presence, pushes and voicemails that go with them."""

from __future__ import annotations

from collections.abc import Iterator

from bellwire.engine.traffic_stage import Happening, Stage, attachment, inbound_message, presence_body, stored


class _Call:
    """One inbound call and the events that it makes."""

    def __init__(self, stage: Stage) -> None:
        self.callee = stage.somebody()
        self.caller_name, self.caller_number = stage.outsider()
        self.session_id = stage.number()
        self.telephony_session_id = f"s-{stage.hexadecimal(32)}"
        self.party_id = f"p-{stage.hexadecimal(32)}-2"
        self.call_id = stage.hexadecimal(32)
        self.started_at = stage.time()
        self._stage = stage
        self._sequence = 0

    def session(self, code: str, *, missed: bool = False) -> Happening:
        """A change of the telephony session; announced on the account and on the extension."""
        self._sequence += 1
        party = {
            "accountId": self._stage.scene.account_id,
            "extensionId": self.callee.extension_id,
            "id": self.party_id,
            "direction": "Inbound",
            "to": {
                "phoneNumber": self.callee.phone_number,
                "name": self.callee.name,
                "extensionId": self.callee.extension_id,
            },
            "from": {"phoneNumber": self.caller_number, "name": self.caller_name},
            "status": {"code": code, "rcc": False},
            "missedCall": missed,
            "standAlone": False,
            "muted": False,
        }
        body = {
            "sequence": self._sequence,
            "sessionId": self.session_id,
            "telephonySessionId": self.telephony_session_id,
            "serverId": "10.0.0.1.BLW",
            "eventTime": self._stage.time(),
            "accountId": self._stage.scene.account_id,
            "parties": [party],
            "origin": {"type": "Call"},
        }
        return Happening(f"{self._stage.extension(self.callee)}/telephony/sessions", body)

    def presence(self, telephony_status: str) -> Happening:
        """How the callee's presence changes with it; announced to those who watch the callee, too."""
        is_over = telephony_status == "NoCall"
        call = {
            "id": self.call_id,
            "direction": "Inbound",
            "from": self.caller_number,
            "fromName": self.caller_name,
            "to": self.callee.phone_number,
            "toName": self.callee.name,
            "telephonyStatus": telephony_status,
            "startTime": self.started_at,
            "sessionId": self.session_id,
            "partyId": self.party_id,
            "telephonySessionId": self.telephony_session_id,
        }
        body = presence_body(
            self._stage,
            self.callee,
            telephonyStatus=telephony_status,
            presenceStatus="Available" if is_over else "Busy",
            activeCalls=[] if is_over else [call],
            totalActiveCalls=0 if is_over else 1,
        )
        return Happening(f"{self._stage.extension(self.callee)}/presence", body)

    def push(self, path: str, action: str) -> Happening:
        """What a telephone's app is woken up with."""
        body = {
            "extensionId": self.callee.extension_id,
            "action": action,
            "sessionId": self.session_id,
            "serverId": "10.0.0.1.BLW",
            "from": self.caller_number,
            "fromName": self.caller_name,
            "to": self.callee.extension_number,
            "toName": self.callee.name,
        }
        return Happening(f"{self._stage.extension(self.callee)}/{path}", body)


def answered_call(stage: Stage) -> Iterator[Happening]:
    """It rings, is answered, and ends; the presence of the extension goes with it."""
    call = _Call(stage)
    yield call.session("Setup")
    yield call.session("Proceeding")
    yield call.push("incoming-call-pickup", "StartRing")
    yield call.presence("Ringing")
    yield call.session("Answered")
    yield call.presence("CallConnected")
    yield call.session("Disconnected")
    yield call.presence("NoCall")
    if stage.rng.random() < 0.5:
        yield _call_insights(stage, call)


def missed_call(stage: Stage) -> Iterator[Happening]:
    """Nobody answers; the caller leaves a voicemail."""
    call = _Call(stage)
    yield call.session("Proceeding")
    yield call.presence("Ringing")
    yield call.session("Disconnected", missed=True)
    yield call.push("missed-calls", "StopRing")
    yield call.presence("NoCall")
    message_id, extension = stage.number(), stage.extension(call.callee)
    voicemail = {
        **inbound_message(stage, message_id, "VoiceMail"),
        "from": {"phoneNumber": call.caller_number, "name": call.caller_name},
        "to": [{"phoneNumber": call.callee.phone_number, "name": call.callee.name}],
        "attachments": [attachment(extension, message_id, "AudioRecording", "audio/x-wav", vmDuration=17)],
        "vmTranscriptionStatus": "Completed",
    }
    yield Happening(f"{extension}/voicemail", voicemail)
    yield stored(stage, call.callee, "VoiceMail")


def _call_insights(stage: Stage, call: _Call) -> Happening:
    """What a recording of the call was found to say."""
    speaker = f"{call.party_id}-1"
    body = {
        "title": f"Call from {call.caller_name} to {call.callee.name}",
        "domain": "pbx",
        "sourceSessionId": call.telephony_session_id,
        "sourceRecordId": stage.number(),
        "callDirection": "Inbound",
        "ownerExtensionId": call.callee.extension_id,
        "recordingDurationMs": 42_000,
        "recordingStartTime": call.started_at,
        "creationTime": stage.time(),
        "lastModifiedTime": stage.time(),
        "speakerInfo": [
            {
                "speakerId": speaker,
                "name": call.callee.name,
                "accountId": stage.scene.account_id,
                "extensionId": call.callee.extension_id,
            }
        ],
        "insights": {
            "Transcript": [{"start": 0.5, "end": 3.1, "text": "Hello, how can I help you?", "speakerId": speaker}],
            "Summary": [{"start": 0, "end": 1, "value": "A customer asked for help."}],
            "Sentiment": [{"value": "Positive"}],
        },
    }
    return Happening(f"/ai/ringsense/v1/public/accounts/{stage.scene.account_id}/domains/pbx/insights", body)
