"""The console in a browser: each page and each flow of an operator, on one server and in one browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from bellwire.sms.codes import ErrorCode
from bellwire.testing.receiver import Reply, WebhookReceiver, accept
from tests.e2e.console.browser import A2P, Console, keep_picture, looked_at, message, serious_findings

OPT_OUTS = A2P.replace("messages", "opt-outs")
CONNECTED = "window.did_handshake && window.socket.connected"
"""That the page's connection stands: one that never did isn't missed."""
HAS_LINE = """colour => {
    const canvas = document.querySelectorAll("canvas")[2], context = canvas.getContext("2d");
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    const top = 24, {data} = context.getImageData(0, top, canvas.width, canvas.height - top);
    for (let at = 0; at < data.length; at += 4)
        if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) return true;
    return false;
}"""
"""That the third chart has this colour below its legend."""
LOSE_CONNECTION = "window.socket.io.engine.close()"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

expect.set_options(timeout=30_000)

BUSY = Reply(status=503)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    async with looked_at(tmp_path_factory.mktemp("console") / "data") as console:
        yield console


@pytest_asyncio.fixture(loop_scope="module")
async def receiver(console: Console) -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver
        await console.end_subscriptions()


async def test_signing_in_with_the_demos_key_and_out_again(console: Console) -> None:
    async with console.page() as page:
        await page.goto(f"{console.url}/console/events?x=1")
        await expect(page).to_have_title("Sign in · Bellwire")
        await keep_picture(page, "sign-in light")
        assert await serious_findings(page) == []

        await page.get_by_label("Admin key").fill("not-a-key")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("This is no admin key")

        await page.get_by_role("button", name="Fill in").click()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Events")
        assert page.url.endswith("/console/events?x=1"), "it goes on to the page that was asked for"
        [cookie] = [one for one in await page.context.cookies() if one["name"] == "bellwire_console"]
        assert cookie["httpOnly"] is True
        assert cookie["sameSite"] == "Lax"
        assert cookie["path"] == "/console"

        other = await page.context.new_page()
        await other.goto(f"{console.url}/console/subscriptions")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page).to_have_title("Sign in · Bellwire")
        await expect(other).to_have_title("Sign in · Bellwire")  # an open page notices, too


async def test_a_key_for_one_account_sees_that_account_alone(console: Console, receiver: WebhookReceiver) -> None:
    await console.subscribe(receiver.url, A2P)
    await console.publish(message(100))
    admin = {"Authorization": f"Bearer {console.env['BELLWIRE_ADMIN_KEY']}"}
    account = (
        await console.http.post("/bellwire/v1/admin/accounts", json={"companyName": "Elsewhere"}, headers=admin)
    ).json()["id"]
    made = await console.http.post(
        "/bellwire/v1/admin/admin-keys", json={"label": "one", "accountId": account}, headers=admin
    )
    async with console.page() as page:
        await console.sign_in(page, "/subscriptions", key=made.json()["key"])
        await expect(page.get_by_text("There are no subscriptions yet.")).to_be_visible()
        await page.goto(f"{console.url}/console/events")
        await expect(page.get_by_text("Nothing was published yet.")).to_be_visible()
        await page.goto(f"{console.url}/console/deliveries")
        await expect(page.get_by_text("There is no webhook subscription to replay to.")).to_be_visible()
        await page.goto(f"{console.url}/console/charts")
        await expect(page.get_by_text("Charts are about the whole server.")).to_be_visible()
        await page.goto(f"{console.url}/console/subscriptions")
        await expect(page.get_by_text("There are no subscriptions yet.")).to_be_visible()
        await console.http.delete(f"/bellwire/v1/admin/admin-keys/{made.json()['id']}", headers=admin)
        await expect(page).to_have_title("Sign in · Bellwire")  # by itself, with the way back
        await expect(page.get_by_text("Your session is over.")).to_be_visible()
        assert page.url.endswith("?next=/subscriptions")


async def test_creating_a_subscription_shows_what_it_would_have_matched(
    console: Console, receiver: WebhookReceiver
) -> None:
    await console.publish(message(201, text="Where is my parcel?"), message(202, direction="Outbound"))
    async with console.page("/subscriptions/new") as page:
        await page.get_by_label("Kind of event").select_option(label="High Volume SMS message")
        await expect(page.get_by_label("Event filter")).to_have_value("/restapi/v1.0/account/~/a2p-sms/messages")
        await page.get_by_role("checkbox", name="Inbound").check()
        await expect(page.get_by_label("Event filter")).to_have_value(re.compile(r"\?direction=Inbound$"))
        await expect(page.locator("li", has_text="Where is my parcel?").get_by_text("Matches")).to_be_visible()
        await expect(
            page.get_by_text("direction: the filter wants Inbound; the event has Outbound").first
        ).to_be_visible()
        await keep_picture(page, "new subscription light")

        await page.get_by_label("Event filter").fill("/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbond")
        await expect(page.get_by_text("Did you mean")).to_be_visible()
        await page.get_by_role("button", name="Use it").click()
        await expect(page.get_by_label("Event filter")).to_have_value(re.compile(r"direction=Inbound$"))

        await page.get_by_role("button", name="Add another").click()
        await expect(page.get_by_label("Event filter")).to_have_value("")
        await expect(page.locator("#matched")).to_contain_text("events of the family a2p_message.")
        await page.get_by_label("Kind of event").select_option(label="Missed call")
        await expect(page.get_by_text("No event of the family missed_call is kept yet.")).to_be_visible()
        await page.get_by_label("Event filter").fill("")

        await page.get_by_label("Webhook address").fill("http://127.0.0.1:1/nobody")
        await page.get_by_role("button", name="Create the subscription").click()
        await expect(page.get_by_text("SUB-52")).to_be_visible()
        await page.get_by_label("Webhook address").fill(receiver.url)
        await page.get_by_role("button", name="Create the subscription").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(receiver.url)
        await expect(page.get_by_text("No traffic yet")).to_be_visible()
    assert receiver.handshakes


async def test_events_and_attempts_are_seen_live_and_filtered(console: Console, receiver: WebhookReceiver) -> None:
    await console.subscribe(receiver.url, A2P)
    async with console.page("/") as page:
        await expect(page.get_by_text("Nothing has come since you opened this page.")).to_be_visible()
        await console.publish(message(301, text="First light"))
        row = page.locator("tbody tr", has_text="First light")
        await expect(row.get_by_text("Event", exact=True)).to_be_visible()
        await expect(row.get_by_text("Delivered").first).to_be_visible()

        await page.get_by_label("Event family").select_option("a2p_opt_out")
        await expect(page.get_by_text("Nothing that fits has come since you chose this.")).to_be_visible()
        await console.publish(message(305, text="Of another family"))
        await console.publish({"from": "+16505550180", "to": "+12015550149", "active": True}, event=OPT_OUTS)
        await expect(page.locator("tbody tr", has_text="+12015550149").first).to_be_visible()
        assert await page.locator("tbody tr", has_text="Of another family").count() == 0
        await page.get_by_role("checkbox", name="Delivery attempts").uncheck()
        await page.get_by_label("Event family").select_option("")
        await console.publish(message(306, text="Only as an event"))
        row = page.locator("tbody tr", has_text="Only as an event")
        await expect(row.get_by_text("Event", exact=True)).to_be_visible()
        await receiver.wait_for(3, timeout=30)
        await console.publish(message(307, text="And the next"))
        await expect(page.locator("tbody tr", has_text="And the next").first).to_be_visible()
        await expect(row).to_have_count(1)
        await page.get_by_role("checkbox", name="Delivery attempts").check()

        await page.get_by_label("Event filter").fill("/restapi/v1.0/account/~/a2p-sms/mesages")
        await expect(page.get_by_role("alert")).to_contain_text(
            "Did you mean /restapi/v1.0/account/{accountId}/a2p-sms"
        )
        await expect(page.get_by_text("Until the filter can be read, nothing new is shown.")).to_be_visible()
        await keep_picture(page, "live refused filter light")
        await page.get_by_label("Event filter").fill("/restapi/v1.0/account/~/a2p-sms/messages?direction=Outbound")
        await expect(page.get_by_text("Nothing that fits has come since you chose this.")).to_be_visible()
        await expect(page.locator("tbody tr", has_text="First light")).to_have_count(0)
        await console.publish(message(302, text="Coming in"), message(303, direction="Outbound", text="Going out"))
        await expect(page.locator("tbody tr", has_text="Going out").first).to_be_visible()
        assert await page.locator("tbody tr", has_text="Coming in").count() == 0

        await page.get_by_label("Event family").select_option("presence")
        await expect(page.get_by_text("The filter is about a2p_message, and the family")).to_be_visible()
        await page.get_by_label("Event family").select_option("")
        for name in ("Events", "Delivery attempts"):
            await page.get_by_role("checkbox", name=name).uncheck()
        await expect(page.get_by_text("Neither events nor delivery attempts are chosen.")).to_be_visible()
        for name in ("Events", "Delivery attempts"):
            await page.get_by_role("checkbox", name=name).check()
        await expect(page.get_by_text("Nothing that fits has come since you chose this.")).to_be_visible()

        await page.get_by_role("button", name="Pause").click()
        await console.publish(message(304, direction="Outbound", text="While paused"))
        await expect(page.get_by_text(re.compile(r"^[1-9]\d* more since then"))).to_be_visible()
        assert await page.locator("tbody tr", has_text="While paused").count() == 0
        await page.get_by_role("button", name="Go on").click()
        await expect(page.get_by_role("button", name="Pause")).to_be_visible()


async def test_under_load_live_shows_a_sample_and_the_rate(console: Console) -> None:
    async with console.page("/") as page:
        await console.publish(*(message(10_000 + number) for number in range(2000)))
        await expect(page.get_by_text(re.compile(r"A sample: [\d.,]+ of [\d.,]+ a second are shown"))).to_be_visible()
        assert await page.locator("tbody tr").count() <= 120


async def test_a_failing_endpoint_its_attempts_and_replays(console: Console, receiver: WebhookReceiver) -> None:
    receiver.answer = lambda _request: BUSY
    id_ = await console.subscribe(receiver.url, f"{A2P}?to=+16505550101")
    await console.publish(message(401, to="+16505550101", text="Try me"))
    async with console.page(f"/subscriptions/{id_}") as page:
        await expect(page.locator("h1 + .state")).to_have_text("Failing")
        await expect(page.get_by_text(re.compile(r"Failing for .*503.*Blacklisted in"))).to_be_visible()
        await keep_picture(page, "failing subscription light")

        await page.goto(f"{console.url}/console/deliveries?subscription={id_}&outcome=failed")
        failed = page.locator("tbody tr", has_text="503").first
        await expect(failed.get_by_text(re.compile(r"^try \d"))).to_be_visible()
        await expect(failed.locator("[data-name='Next try']")).to_have_text(re.compile(r"^(in \d|was \d)"))
        await page.get_by_label("Why it failed").select_option("dns")
        await expect(page.get_by_text("No attempt is like this.")).to_be_visible()
        await page.get_by_label("Why it failed").select_option("status_5xx")
        await failed.get_by_role("button", name="Open").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("POST /webhook HTTP/1.1")
        await expect(dialog).to_contain_text('"text": "Try me"')
        await expect(dialog).to_contain_text("HTTP 503")
        await expect(dialog.locator("dt", has_text="Took").locator("+ dd")).to_have_text(re.compile(r"\d (ms|s)$"))
        assert await serious_findings(page) == []
        await keep_picture(page, "attempt light")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()

        receiver.answer = accept
        await page.goto(f"{console.url}/console/deliveries?subscription={id_}&outcome=delivered")
        await page.locator("tbody tr", has_text="HTTP 200").first.get_by_role("button", name="Open").click()
        before = receiver.count
        await dialog.get_by_role("button", name="Send again").click()
        replayed = (await receiver.wait_for(before + 1, timeout=30))[-1]
        assert "bellwire-replay" in replayed.headers
        assert replayed.json()["body"]["text"] == "Try me"
        await expect(page.locator("tbody tr", has_text="the event at").first).to_contain_text("Done")

        await page.get_by_role("link", name="Replay a range").click()
        await page.get_by_label("Subscription").last.select_option(id_)
        for since, until, said in (
            ("2026-03-02T14:30:00", "2026-03-02T14:30:00", "“From” has to be before “To”."),
            ("2999-01-01T00:00:00", "", "“From” is in the future"),
        ):
            await page.get_by_label("From").fill(since)
            await page.get_by_label("To", exact=True).fill(until)
            await page.get_by_role("button", name="Replay what matches").click()
            await expect(page.get_by_role("status")).to_contain_text(said)
        await page.get_by_label("From").fill("")
        await page.get_by_role("button", name="Replay what matches").click()
        await receiver.wait_for(before + 2, timeout=30)
        ranged = page.locator("tbody tr", has_text="the oldest kept to").first
        await expect(ranged).to_contain_text("Done")
        await expect(ranged.get_by_role("link", name=receiver.url)).to_be_visible()
        await expect(page.get_by_role("status")).not_to_contain_text("in the future")


async def test_an_event_who_got_it_and_who_did_not_and_why(console: Console, receiver: WebhookReceiver) -> None:
    await console.subscribe(receiver.url, f"{A2P}?to=+16505550102")
    await console.subscribe(receiver.url + "/other", f"{A2P}?to=+16505550103&direction=Inbound")
    await console.subscribe(receiver.url + "/many", *(f"{A2P}?to=+1650555{4000 + number}" for number in range(20)))
    await console.publish(*(message(501, to="+16505550102", text=text) for text in ("Who else", "Who gets me")))
    async with console.page("/events") as page:
        sought = page.locator("tbody tr", has_text="Who gets me")
        await page.get_by_label("Event family").select_option("presence")
        await expect(page.get_by_text("No event is like this.")).to_be_visible()
        await page.get_by_label("Event family").select_option("a2p_message")
        await expect(sought).to_be_visible()
        await page.get_by_label("To", exact=True).fill("2020-01-01T00:00:00")
        await expect(page.get_by_text("No event is like this.")).to_be_visible()
        await page.get_by_label("To", exact=True).fill("")
        await sought.get_by_role("link").click()
        await expect(page.get_by_role("heading", name=re.compile("a2p_message at"))).to_be_visible()
        await expect(page.locator(".tree")).to_contain_text("“Who gets me”")
        uuid = await page.locator("dt", has_text="uuid").locator("+ dd").inner_text()
        got = page.locator(".panel", has_text="Who got it").locator("tbody tr", has_text=receiver.url).first
        await expect(got).to_contain_text("Delivered")
        missed = page.locator("tbody tr", has_text="/other")
        await expect(missed).to_contain_text("to: the filter wants +16505550103; the event has +16505550102")
        many = page.locator("tbody tr", has_text="/many")
        await expect(many.get_by_text("the filter wants +16505554019")).to_be_hidden()
        await many.get_by_text("and 14 more").click()
        await expect(many.get_by_text("the filter wants +16505554019")).to_be_visible()
        assert await serious_findings(page) == []
        await keep_picture(page, "event light")

        await page.goto(f"{console.url}/console/events")
        await page.get_by_label("uuid").fill(uuid)
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(sought).to_be_visible()
        await page.get_by_label("From").fill("2026-03-02T14:30:00")
        await page.get_by_label("To", exact=True).fill("2026-03-02T14:30:00")
        await expect(page.get_by_role("alert")).to_have_text("“From” has to be before “To”.")


async def test_operating_a_subscription(console: Console, receiver: WebhookReceiver) -> None:
    id_ = await console.subscribe(receiver.url, f"{A2P}?to=+16505550104")
    async with console.page(f"/subscriptions/{id_}") as page:
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("h1 + .state")).to_have_text("Paused")
        await console.publish(message(601, to="+16505550104", text="Later"))
        await expect(page.get_by_text("1 notification waits.")).to_be_visible()
        await page.get_by_role("button", name="Go on").click()
        await expect(page.locator("h1 + .state")).to_have_text("Delivering")
        assert [one.json()["body"]["text"] for one in await receiver.wait_for(1, timeout=30)] == ["Later"]

        await page.get_by_role("button", name="Send a test event").click()
        await expect(page.get_by_role("status")).to_contain_text("The test event was taken: HTTP 200")
        assert receiver.notifications[-1].headers["bellwire-test"] == "true"
        path, headers = f"/restapi/v1.0/subscription/{id_}", await console.bearer()
        before = (await console.http.get(path, headers=headers)).json()["expirationTime"]
        await page.get_by_role("button", name="Renew").click()
        await expect(page.get_by_role("status")).to_contain_text("Renewed until")
        assert (await console.http.get(path, headers=headers)).json()["expirationTime"] > before

        await page.get_by_role("button", name="Delete …").click()
        await expect(page.get_by_role("dialog")).to_contain_text("Delete this subscription?")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Delete …").click()
        await page.get_by_role("button", name="Delete it").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Subscriptions")
    answer = await console.http.get(f"/restapi/v1.0/subscription/{id_}", headers=await console.bearer())
    assert answer.status_code == 404


async def test_stop_on_a_handset_of_the_sms_lab_brings_an_opt_out_event(
    console: Console, receiver: WebhookReceiver
) -> None:
    await console.subscribe(receiver.url, "/restapi/v1.0/account/~/a2p-sms/opt-outs")
    async with console.page("/sms-lab") as page:
        await page.get_by_label("To", exact=True).fill("+12015550141 +12015550142")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_text(re.compile(r"Batch \w+ is accepted: 2 messages"))).to_be_visible()
        await expect(page.get_by_role("region", name="Batches")).to_contain_text("2 of 2")
        handset = page.get_by_role("region", name="Handset +12015550142")
        await expect(handset.get_by_role("log")).to_contain_text("Your table is booked")

        await handset.get_by_label("Text from +12015550142").fill("stop")
        await page.keyboard.press("Enter")
        await expect(handset).to_contain_text("Opted out")
        await expect(page.get_by_role("region", name="Events that arrive")).to_contain_text("a2p_opt_out")
        assert await serious_findings(page) == []
        await keep_picture(page, "sms lab light")
        await page.emulate_media(color_scheme="dark")
        await page.evaluate("document.documentElement.dataset.theme = 'dark'")
        assert await serious_findings(page, only="color-contrast") == []
        await keep_picture(page, "sms lab dark")

        await page.get_by_label("To", exact=True).fill("+12015550142")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(handset.get_by_role("log")).to_contain_text(f"{ErrorCode.RC_413.sentence} (SMS-RC-413)")
        await page.get_by_label("To", exact=True).fill("12 +12015550141")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_role("status").get_by_text("1 message, 1 rejected")).to_be_visible()
        await page.get_by_label("To", exact=True).fill("+442071838750 12 12 12 12 12 12")
        await page.get_by_role("button", name="Send", exact=True).click()
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("there is nobody to send it to, 7 rejected")
        await expect(alert.get_by_role("listitem").first).to_contain_text(
            re.compile(r"\+442071838750: .+ \(SMS-RC-410\)")
        )
        await expect(alert.get_by_role("listitem").last).to_have_text("and 2 more")
        await page.get_by_label("To", exact=True).fill(" ")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(alert).to_have_text("To is empty: write at least one number, such as +12015550141.")
    [opt_out] = await receiver.wait_for(1, timeout=30)
    assert opt_out.json()["body"]["from"] == "+16505550180"
    assert opt_out.json()["body"]["to"] == "+12015550142"


async def test_charts_of_the_last_minutes(console: Console, receiver: WebhookReceiver) -> None:
    receiver.answer = lambda _request: BUSY
    await console.subscribe(receiver.url, f"{A2P}?to=+16505550106")
    await console.publish(message(701, to="+16505550106"))
    async with console.page("/charts") as page:
        backlog = page.locator(".figure", has_text="in the backlog").locator("b")
        await expect(backlog).to_have_text(re.compile(r"^[1-9]"))
        await expect(page.get_by_role("img", name=re.compile("^Line chart: "))).to_have_count(4)
        drawn = page.get_by_role("img", name=re.compile(r"in the backlog. Now: Waiting [1-9][\d,]*\.$"))
        await expect(drawn).to_be_visible()
        flow = page.get_by_role("img", name=re.compile(r"Now: Published [\d.,]+, Delivered [\d.,]+, Failed [\d.,]+\.$"))
        await expect(flow).to_be_visible()
        await expect(page.get_by_text("times are UTC")).to_have_count(4)
        await page.wait_for_function(HAS_LINE, arg="#2f7fd8")
        await keep_picture(page, "charts")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/events/nothing", "There is no such event."),
        ("/events/nothing", "It may be older than what is kept. Search the events."),
        ("/subscriptions/nothing", "There is no such subscription."),
        ("/nothing", "The console has no page /nothing."),
        (
            "/deliveries?event=nothing",
            "Resource for parameter [event] is not found. Leave the field empty to look at all.",
        ),
    ],
)
async def test_what_is_not_there_is_said_with_a_way_on(console: Console, path: str, said: str) -> None:
    async with console.page(path) as page:
        await expect(page.get_by_text(said).first).to_be_visible()
        await expect(page.get_by_role("navigation", name="Pages")).to_be_visible()


async def test_the_keyboard_is_enough(console: Console) -> None:
    async with console.page("/events") as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
        await page.keyboard.press("/")
        await expect(page.get_by_label("Topic")).to_be_focused()
        await page.keyboard.type("/restapi")
        await expect(page.get_by_role("alert")).to_contain_text("it is a topic of no event family")


async def test_the_focus_outlives_live_updates_and_dialogs(console: Console, receiver: WebhookReceiver) -> None:
    id_ = await console.subscribe(receiver.url, f"{A2P}?to=+16505550105")
    await console.publish(*(message(650 + number, to="+16505550105") for number in range(2)))
    await receiver.wait_for(2, timeout=30)
    async with console.page(f"/deliveries?subscription={id_}") as page:
        rows, opener = page.locator("tbody tr[id^=attempt-]"), page.locator(":focus")
        await expect(rows).to_have_count(2)
        await rows.last.get_by_role("button", name="Open").focus()
        opened = await opener.get_attribute("data-id")
        assert opened
        await console.publish(message(652, to="+16505550105"))
        await expect(rows).to_have_count(3)
        await expect(opener).to_have_attribute("data-id", opened)

        dialog = page.get_by_role("dialog")
        for number in (653, 654):  # the second time it is the same dialog
            await page.keyboard.press("Enter")
            await expect(dialog).to_be_visible()
            before = await rows.count()
            await console.publish(message(number, to="+16505550105"))
            await expect(rows).to_have_count(before + 1)
            await page.keyboard.press("Escape")
            await expect(dialog).to_be_hidden()
            await expect(opener).to_have_attribute("data-id", opened)

        await page.goto(f"{console.url}/console/subscriptions/{id_}")
        await page.get_by_role("button", name="Pause").press("Enter")
        await expect(page.get_by_role("button", name="Go on")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Pause")).to_be_focused()
        await page.get_by_role("button", name="Delete …").press("Enter")
        await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
        receiver.answer = lambda _request: BUSY
        await console.publish(message(655, to="+16505550105"))
        await expect(page.locator("h1 + .state")).to_have_text("Failing")
        await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Delete …")).to_be_focused()


async def test_the_theme_can_be_changed_and_is_remembered(console: Console) -> None:
    async with console.page("/events") as page:
        await expect(page.locator("html")).to_have_attribute("data-theme", "light")
        await page.get_by_role("button", name="Use the dark theme").click()
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize(
    ("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"]
)
async def test_every_page_passes_axe_fits_and_has_a_picture(
    console: Console, receiver: WebhookReceiver, dark: bool, phone: bool
) -> None:
    id_ = await console.subscribe(receiver.url, A2P, f"{A2P}?direction=Outbound&to=+16505550102")
    await console.publish(*(message(900 + number, text=f"Number {number}") for number in range(3)))
    await receiver.wait_for(3, timeout=30)
    look = f"{'dark' if dark else 'light'}{' phone' if phone else ''}"
    ready = {
        "/": "events a second",
        "/subscriptions": receiver.url,
        "/subscriptions/new": "Nothing to try yet.",
        f"/subscriptions/{id_}": "Delivering",
        "/deliveries": "HTTP 200",
        "/events": "Number 2",
        "/charts": "published a second",
    }
    async with console.page("/", dark=dark, phone=phone) as page:
        for path, text in ready.items():
            await page.goto(f"{console.url}/console{path}")
            if path == "/":
                await console.publish(message(990, text="Now"))
                text = "Now"  # noqa: PLW2901 - once rows are there
            await expect(page.get_by_text(text).first).to_be_visible()
            await expect(page.locator("html")).to_have_attribute("lang", "en-US")
            if not phone:
                # The dark theme differs in its colours alone.
                assert await serious_findings(page, only="color-contrast" if dark else None) == [], path
            wide = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
            assert not wide, f"{path} is wider than the window"
            await keep_picture(page, f"{path.replace(id_, 'one').strip('/') or 'live'} {look}")


async def test_nothing_was_asked_of_another_host_and_no_script_failed(console: Console) -> None:
    """Of all that the tests before did."""
    assert console.requested
    assert console.foreign() == []
    assert any(url.startswith("ws://") for url in console.requested)
    assert not [url for url in console.requested if "transport=polling" in url], "WebSockets work at once"
    meant = ("/console/sign-in", "/console/nothing")  # a wrong key, and a page that is not there
    assert [complaint for complaint in console.complaints if not complaint.endswith(meant)] == []


async def test_a_page_whose_server_is_gone_says_what_to_do(console: Console) -> None:
    """That the browser is offline looks to the page as if the server were gone; others go on using the server."""
    async with console.page("/subscriptions") as page:
        note = page.get_by_text("The server does not answer. If it was stopped, start it again")
        await expect(note).not_to_be_visible()
        await page.wait_for_function(CONNECTED)
        await page.context.set_offline(True)
        await page.evaluate(LOSE_CONNECTION)
        await expect(note).to_be_visible()
        await page.context.set_offline(False)
        await expect(note).not_to_be_visible()


async def test_a_page_whose_session_is_gone_with_its_server_leads_to_the_sign_in(console: Console) -> None:
    """As after a restart: the socket is refused from then on."""
    async with console.page("/subscriptions") as page:
        await page.wait_for_function(CONNECTED)
        await page.context.clear_cookies()
        await page.evaluate(LOSE_CONNECTION)
        await expect(page.get_by_label("Admin key")).to_be_visible()
        await page.get_by_label("Admin key").fill(console.env["BELLWIRE_ADMIN_KEY"])
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Subscriptions")
