"""Random lives of sessions against a simple model: what each client is owed, and that it gets exactly that."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from bellwire.model.ids import SubscriptionId
from bellwire.wire.gateway.session import Owner
from tests.unit.wire.gateway.stage import Client, Stage

KEPT = 5
WAIT = 180


@dataclass(eq=False)
class Model:
    """One session. `owed`: published for its subscription, and not yet read by its client."""

    owner: Owner
    client: Client | None
    subscription: SubscriptionId | None = None
    owed: list[str] = field(default_factory=list)
    token: str = ""
    barrier: bool = False
    left_at: float = 0.0
    ended: bool = False


class GatewayLives(RuleBasedStateMachine):
    models = Bundle("models")

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(recovery_messages=KEPT)
        self.all: list[Model] = []
        self.published = 0
        self.logins = 0
        self.strangers = 0

    @rule(target=models, login=st.integers(1, 3))
    def connect(self, login: int) -> Model:
        owner = Owner(f"login-{login}-{self.logins}", "user")
        client = self.stage.connect(owner)
        assert "recoveryState" not in client.details
        model = Model(owner, client, token=client.wsc)
        self.all.append(model)
        return model

    @rule(model=models, pong=st.booleans())
    def subscribe(self, model: Model, pong: bool) -> None:
        if model.client is None:
            return
        before = model.subscription
        model.subscription = self.stage.subscribe(model.client, pong=pong)
        model.owed.clear()
        model.client.frames.clear()  # its client reads all that comes before the answer
        model.token = model.client.wsc
        model.barrier = not pong
        assert before is None or not self.stage.gateway.holds(before)

    @rule(model=models)
    def pong(self, model: Model) -> None:
        if model.client is not None and model.client.pings:
            self.stage.pong(model.client)
            model.barrier = False

    @rule(model=models, number=st.integers(1, KEPT + 3))
    def publish(self, model: Model, number: int) -> None:
        if model.subscription is None or model.ended:
            return
        for _ in range(number):
            self.published += 1
            uuid = f"event-{self.published}"
            self.stage.publish(model.subscription, uuid)
            model.owed.append(uuid)
            if model.client is None:
                del model.owed[:-KEPT]

    @rule(model=models, how_many=st.integers(0, 20))
    def read(self, model: Model, how_many: int) -> None:
        """The client reads some of what was written; its token says how far it came."""
        client = model.client
        if client is None:
            return
        frames = [frame for frame in client.frames if frame[0]["type"] == "ServerNotification"]
        for frame in frames[:how_many]:
            client.frames.remove(frame)
            assert model.owed.pop(0) == frame[1]["uuid"]
            model.token = frame[0]["wsc"]["token"]

    @rule(model=models)
    def drop(self, model: Model) -> None:
        client = model.client
        if client is None:
            return
        self.stage.drop(client)
        model.client, model.left_at = None, self.stage.now
        if model.subscription is None:
            model.ended = True
        del model.owed[:-KEPT]

    @rule(target=models, model=consumes(models), stale=st.booleans())
    def recover(self, model: Model, stale: bool) -> object:
        self.strangers += 1
        owner = Owner(f"stranger-{self.strangers}", "user") if stale else model.owner
        client = self.stage.connect(owner, wsc=model.token)
        if model.ended or model.subscription is None or stale:
            expected = "WSG-1005" if model.ended else "WSG-1003" if stale else "WSG-1005"
            assert client.details["recoveryState"] == "Failed"
            assert client.details["recoveryErrorCode"] == expected
            fresh = Model(owner, client, token=client.wsc)
            self.all.append(fresh)
            return multiple(model, fresh)
        assert client.details["recoveryState"] == "Successful"
        if model.client is not None:  # superseded: what it had not read, as far as it is kept, comes again
            assert model.client.close_code == 1000
            unread = [frame for frame in model.client.frames if frame[0]["type"] == "ServerNotification"]
            surplus = len(unread) - KEPT
            if surplus > 0:
                del model.owed[:surplus]
        model.client, model.token, model.barrier = client, client.wsc, True
        return model

    @rule(seconds=st.sampled_from([1, 20, 100, WAIT]))
    def time_passes(self, seconds: int) -> None:
        self.stage.now += seconds  # real time stands still: pongs are never late here
        self.stage.sweep()
        for model in self.all:
            if model.client is not None and model.client.close_code is not None:  # idle or too old
                model.client, model.left_at = None, self.stage.now
                model.ended = model.ended or model.subscription is None
                del model.owed[:-KEPT]
            elif model.client is None and self.stage.now - model.left_at >= WAIT:
                model.ended = True

    @rule(login=models)
    def revoke(self, login: Model) -> None:
        self.logins += 1  # later connections are of other logins
        self.stage.run(self.stage.gateway.revoke(login.owner.login))
        for model in self.all:
            if model.owner == login.owner:
                if model.client is not None:
                    assert model.client.close_code == 1008
                model.client, model.ended = None, True

    @invariant()
    def a_session_without_barrier_was_written_all_that_it_is_owed(self) -> None:
        for model in self.all:
            if model.client is not None and model.subscription is not None:
                unread = [frame[1]["uuid"] for frame in model.client.frames if frame[0]["type"] == "ServerNotification"]
                if model.barrier:
                    assert unread == model.owed[: len(unread)]
                else:
                    assert unread == model.owed

    @invariant()
    def the_machine_has_the_sessions_that_the_model_has(self) -> None:
        gateway = self.stage.gateway
        assert gateway.sessions == sum(not model.ended for model in self.all)
        assert gateway.connections == sum(model.client is not None for model in self.all)
        for model in self.all:
            if model.subscription is not None:
                assert gateway.holds(model.subscription) is not model.ended
                assert (model.subscription in self.stage.ended) is model.ended


GatewayLives.TestCase.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestGatewayLives = GatewayLives.TestCase
