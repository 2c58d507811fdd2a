"""Three outcomes: data, "no report", or a failure in one sentence; never a silent hole."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Response

from sandbox import make_csv, make_zip
from sandbox.faults import REPORT_NOT_AVAILABLE, cut_short, drop
from tap_amazon_appstore.months import add_months
from tests.data import EARNINGS, MONTH, NEXT_MONTH, publish, sale, sales

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Account, Request
    from sandbox.calls import Call, Service
    from sandbox.faults import Answer, Behaviour
    from tests.conftest import Run, Tap

# Requests are counted: none is to be made again because it came too fast.
pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("sales_alone")]

FEBRUARY = date(2024, 2, 1)
JANUARY = date(2024, 1, 1)
DECEMBER = date(2023, 12, 1)

DEBUG = {"LOGLEVEL": "DEBUG"}
FROM_FEBRUARY: dict[str, Any] = {"start_date": "2024-02-01"}

UNKNOWN_ROUTE = json.dumps(
    {"Message": "Unable to fetch the request scope for uri = /api/x and verb = GET"}
)


def end_early(call: Call, answer: Answer) -> Response:
    """End an answer early that does not say how long it would have been."""
    response = cut_short(call, answer)
    del response.headers["Content-Length"]
    response.headers["Connection"] = "close"
    return response


def reworded(reword: Callable[[str], str]) -> Behaviour:
    """Wrap the presigned URL in other text."""
    return lambda _, answer: Response(reword(answer().get_data(as_text=True)))


def json_response(status: int = 200, **content: Any) -> Response:  # noqa: ANN401
    return Response(json.dumps(content), status, content_type="application/json")


def requests_for(account: Account, service: Service, month: date | None = None) -> list[Request]:
    """Return the requests to a service, for a month's report or in all."""
    return [r for r in account.requests if r.service == service and month in (None, r.month)]


def months_read(run: Run) -> dict[str, int]:
    """Return how many different line items of each month's report were read."""
    keys = [(record["report_month"], record["line_id"]) for record in run.records()]
    assert len(set(keys)) == len(keys), "something was emitted twice"
    return Counter(month for month, _ in keys)


def sentence(run: Run) -> str:
    """Return the one sentence with which a run failed; nothing else looks like a failure."""
    assert run.code == 1, run.stderr
    assert all(
        re.match(r"[-:,\d ]{23} \| (DEBUG|INFO|WARNING|ERROR) ", line)
        for line in run.stderr.splitlines()
    )
    assert not re.search(r"Traceback|X-Amz-|Atc\||oa2-cs", run.stderr), "secrets or noise"
    errors = run.log("ERROR")
    assert len(errors) == 1, errors
    return errors[0]


def fail_at_march(tap: Tap, *words: str) -> Run:
    """Run into a failure at March's report; what was read before it has to stay valid.

    The sentence has to hold `words`.
    """
    publish(tap.account, FEBRUARY)

    failed = tap.run(env=DEBUG, **FROM_FEBRUARY)

    said = sentence(failed)
    assert said.startswith("The sales report of 2024-03 could not be read: ")
    assert [word for word in words if word not in said] == [], said
    assert months_read(failed)["2024-02-01"] == 3
    assert failed.bookmark() == "2024-02-01"
    assert list(failed.state["bookmarks"]["sales"]["files"]) == ["2024-02-01"]
    return failed


def go_on(tap: Tap, failed: Run) -> None:
    """Mend what was wrong; a second run goes on where the first one stopped."""
    tap.account.clear_faults()
    publish(tap.account, MONTH)

    resumed = tap.read(state=failed.state, **FROM_FEBRUARY)

    assert months_read(resumed) == {"2024-03-01": 3}
    assert resumed.bookmark() == "2024-03-01"


class TestNoReport:
    """Exactly the answers that say so count as "no report for this month"."""

    def test_answers_that_say_so(self, tap: Tap) -> None:
        answers = [
            Response("Report not found", 400),
            json_response(400, Message="Report not found"),
            Response(REPORT_NOT_AVAILABLE, 403),
            json_response(400, message=REPORT_NOT_AVAILABLE),
        ]
        months = [add_months(JANUARY, number) for number in range(4)]
        publish(tap.account, *months)
        for month, answer in zip(months, answers, strict=True):
            tap.account.inject_fault("api", answer, times=None, month=month)

        run = tap.read(start_date="2024-01-01", end_date="2024-04-01")

        assert run.records() == []
        assert len(requests_for(tap.account, "api")) == 4  # nothing is asked for twice
        assert [text for text in run.log("INFO") if "no report" in text] == [
            f"sales 2024-0{number} (month {number} of 4): no report" for number in (1, 2, 3, 4)
        ]
        assert run.log("WARNING") == []

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (Response(UNKNOWN_ROUTE, 400), ["refused the request (400)", "check api_url"]),
            (Response("Report not found in your dreams", 400), ["refused the request (400)"]),
            (Response("Report not found", 200), ["without the URL of a file", "check api_url"]),
            (Response("<html>Report not found</html>", 200), ["without the URL of a file"]),
            (Response("http://203.0.113.1/plain.zip", 200), ["without the URL of a file"]),
            (Response("https://[", 200), ["without the URL of a file"]),
            (
                Response("https://localhost:port/", 200),
                ["localhost could not be asked", "check api_url"],
            ),
        ],
        ids=[
            "unknown route",
            "other words",
            "not found, but OK",
            "a page",
            "a URL without TLS",
            "half a URL",
            "an impossible URL",
        ],
    )
    def test_near_misses_fail_at_once(self, tap: Tap, answer: Response, words: list[str]) -> None:
        publish(tap.account, MONTH)
        tap.account.inject_fault("api", answer, times=None, month=MONTH)

        fail_at_march(tap, *words)

        assert len(requests_for(tap.account, "api", MONTH)) == 1

    def test_a_server_that_is_down_knows_of_no_report(self, tap: Tap) -> None:
        publish(tap.account, MONTH)
        tap.account.inject_fault("api", Response("Report not found", 404), times=None, month=MONTH)

        fail_at_march(tap, "answered 404", "the last of 5 tries", "run the tap again later")

    def test_a_gap_between_reports_warns_once(self, tap: Tap) -> None:
        publish(tap.account, JANUARY, MONTH)

        run = tap.read(start_date="2023-12-01", end_date="2024-04-01")

        assert run.log("WARNING") == [
            "The sales report of 2024-02: has no report, though months before and after it have one"
        ]
        assert [text.split()[1] for text in run.log("INFO") if "no report" in text] == [
            "2023-12",
            "2024-02",
            "2024-04",
        ]

    def test_a_gap_that_only_the_next_run_can_see_warns_once(self, tap: Tap) -> None:
        publish(tap.account, JANUARY)
        first = tap.read(start_date="2024-01-01", end_date="2024-02-01")
        publish(tap.account, MONTH)

        second = tap.read(start_date="2024-01-01", state=first.state)

        assert first.log("WARNING") == []
        assert [text[:28] for text in second.log("WARNING")] == ["The sales report of 2024-02:"]


class TestLoginWithAmazon:
    """Without a token nothing can be read, and the sentence says what to check."""

    def test_a_wrong_secret(self, tap: Tap) -> None:
        said = sentence(tap.run(client_secret=tap.account.client_secret[:-1]))

        assert "sales report of 2024-03" in said
        assert "(invalid_client); check client_id and client_secret" in said

    def test_a_profile_that_is_not_attached(self, tap: Tap) -> None:
        tap.account.attached = False

        said = sentence(tap.run())

        assert "(invalid_scope); the profile is not attached" in said
        assert "Developer Console under Settings > API Access > Reporting API > Attach" in said

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (json_response(400, error="invalid_request"), "(invalid_request); check client_id"),
            (json_response(400, error="a\nb"), "answered 400 and no token"),
            (Response("<html>Sign in</html>"), "answered 200 and no token"),
            (Response('{"access_token": 7}'), "answered 200 and no token"),
            (Response('{"access_token": "Atc|a\\nb"}'), "answered 200 and no token"),
            (Response('{"access_token": "Atc|\u2603"}'), "answered 200 and no token"),
        ],
        ids=[
            "another error",
            "an error of two lines",
            "a page",
            "a number for a token",
            "a token of two lines",
            "a token with a snowman",
        ],
    )
    def test_refusals_and_nonsense_fail_at_once(
        self, tap: Tap, answer: Response, words: str
    ) -> None:
        tap.account.inject_fault("lwa", answer, times=None)

        run = tap.run(env=DEBUG)

        said = sentence(run)
        assert "sales report of 2024-03" in said
        assert words in said
        assert "auth_url" in said
        assert (run.records(), run.states) == ([], [])

    def test_down_for_a_while(self, tap: Tap) -> None:
        publish(tap.account, MONTH)
        tap.account.fail("lwa-503")
        tap.account.inject_fault("lwa", drop)
        tap.account.inject_fault("lwa", cut_short)

        assert months_read(tap.read()) == {"2024-03-01": 3}
        assert len(requests_for(tap.account, "lwa")) == 4

    def test_down_for_good(self, tap: Tap) -> None:
        publish(tap.account, MONTH)
        tap.account.fail("lwa-503", None)

        said = sentence(tap.run())

        assert "Login with Amazon answered 503, the last of 5 tries" in said
        assert "run the tap again later" in said
        assert len(requests_for(tap.account, "lwa")) == 5

    @pytest.mark.parametrize("expires_in", ['"soon"', "1e999", "1" + 30 * "0"])
    def test_a_life_that_makes_no_sense_is_not_believed(self, tap: Tap, expires_in: str) -> None:
        publish(tap.account, MONTH)
        token, _ = tap.account.issue_token()
        answer = Response(f'{{"access_token": "{token}", "expires_in": {expires_in}}}')
        tap.account.inject_fault("lwa", answer, times=None)

        assert months_read(tap.read()) == {"2024-03-01": 3}
        assert len(requests_for(tap.account, "lwa")) == 1

    def test_certificates_that_are_missing(self, tap: Tap, tmp_path: Path) -> None:
        nowhere = str(tmp_path / "nowhere.pem")

        run = tap.run(env={"REQUESTS_CA_BUNDLE": nowhere}, auth_url="https://127.0.0.1:1/token")

        assert "sales report of 2024-03 could not be read: 127.0.0.1 could not be" in sentence(run)


class TestNotAuthorized:
    """A refused token gets one fresh one; then the account may not read the report."""

    def test_a_revoked_token_is_renewed_once_for_all_threads(self, tap: Tap) -> None:
        publish(tap.account, JANUARY, FEBRUARY, MONTH)

        def revoke(_: Call, answer: Answer) -> Response:
            tap.account.revoke_tokens()
            return answer()

        tap.account.inject_fault("api", revoke, month=JANUARY)

        run = tap.read(start_date="2024-01-01")

        assert months_read(run) == {"2024-01-01": 3, "2024-02-01": 3, "2024-03-01": 3}
        assert len(requests_for(tap.account, "lwa")) == 2
        january = requests_for(tap.account, "api", JANUARY)
        assert [request.status for request in january] == [403, 200]
        assert len({request.headers["Authorization"] for request in january}) == 2

    def test_for_good(self, tap: Tap) -> None:
        publish(tap.account, MONTH)
        tap.account.fail("api-403", None, "sales", MONTH)

        failed = fail_at_march(tap, "403 not authorized", "attached to the Reporting API")
        go_on(tap, failed)

        march = requests_for(tap.account, "api", MONTH)
        assert [request.status for request in march] == [403, 403, 200]
        assert len({request.headers["Authorization"] for request in march}) == 3


class TestWaiting:
    """What can pass is waited for: a few tries, further and further apart."""

    def test_faults_that_pass_leave_no_trace_in_the_data(self, tap: Tap) -> None:
        gzip = Response("no gzip", headers={"Content-Encoding": "gzip"})
        passing: list[tuple[Service, str | Behaviour | Response]] = [
            ("api", "api-404"),
            ("api", Response(status=408)),
            ("api", Response("Too Many Requests", 429)),
            ("api", Response(REPORT_NOT_AVAILABLE, 500)),
            ("api", "api-503"),
            ("api", "api-drop"),
            ("api", cut_short),
            ("api", gzip),
            ("bucket", "bucket-404"),
            ("bucket", "bucket-503"),
            ("bucket", drop),
            ("bucket", "bucket-drop"),
            ("bucket", end_early),
            ("bucket", gzip),
            ("bucket", "bucket-bad-crc"),
            ("bucket", "bucket-not-a-zip"),
            ("bucket", "bucket-403"),
            ("bucket", Response(status=307, headers={"Location": "https://203.0.113.1/"})),
            ("api", "url-expired"),
        ]
        months = [add_months(JANUARY, number) for number in range(len(passing))]
        publish(tap.account, *months)
        for month, (service, fault) in zip(months, passing, strict=True):
            if isinstance(fault, str):
                tap.account.fail(fault, 1, "sales", month)
            else:
                tap.account.inject_fault(service, fault, month=month)

        run = tap.read(start_date=str(months[0]), end_date=str(months[-1]))

        assert months_read(run) == {str(month): 3 for month in months}
        assert list(months_read(run)) == [str(month) for month in months]
        assert [state["bookmarks"]["sales"]["replication_key_value"] for state in run.states] == [
            str(month) for month in months
        ]
        for month, (service, fault) in zip(months, passing, strict=True):
            # Whatever it was, the API is asked again: a presigned URL lives for minutes only.
            assert len(requests_for(tap.account, "api", month)) >= 2, fault
            downloads = requests_for(tap.account, "bucket", month)
            assert len(downloads) == (1 if service == "api" and fault != "url-expired" else 2), (
                fault
            )

    def test_the_server_says_how_long(self, tap: Tap) -> None:
        publish(tap.account, JANUARY, FEBRUARY, MONTH, NEXT_MONTH)

        def in_five_seconds(_: Call, __: Answer) -> Response:
            then = datetime.now(timezone.utc) + timedelta(seconds=5)
            return Response(status=503, headers={"Retry-After": format_datetime(then, usegmt=True)})

        def says(value: str) -> Response:
            return Response(status=429, headers={"Retry-After": value})

        tap.account.inject_fault("api", says("3"), month=JANUARY)
        tap.account.inject_fault("api", in_five_seconds, month=FEBRUARY)
        tap.account.inject_fault("bucket", says("4"), month=MONTH)
        tap.account.inject_fault("api", says("in a while"), month=NEXT_MONTH)

        run = tap.read(start_date="2024-01-01", end_date="2024-04-01")

        def waited(service: Service, month: date) -> float:
            first, second = requests_for(tap.account, service, month)
            return second.time - first.time

        assert sum(months_read(run).values()) == 12
        assert 3 <= waited("api", JANUARY) < 9
        assert 4 <= waited("api", FEBRUARY) < 9  # 5, but a date has whole seconds
        assert 4 <= waited("bucket", MONTH) < 9
        assert waited("api", NEXT_MONTH) < 9

    def test_a_wait_too_long_is_a_refusal(self, tap: Tap) -> None:
        publish(tap.account, MONTH)
        tap.account.inject_fault(
            "api", Response(status=429, headers={"Retry-After": "3600"}), times=None, month=MONTH
        )

        fail_at_march(tap, "answered 429", "3600 seconds", "run the tap again after that")

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ("api-drop", ["127.0.0.1 did not answer", "run the tap again later"]),
            ("bucket-403", ["refused the presigned URL (403)"]),
            ("bucket-drop", ["cut short"]),
            ("bucket-bad-crc", ["not a whole ZIP", "CRC", "sales-2024-03-00000.csv"]),
            ("bucket-not-a-zip", ["not a whole ZIP"]),
        ],
    )
    def test_what_does_not_pass_fails_after_a_few_tries(
        self, tap: Tap, fault: str, words: list[str]
    ) -> None:
        publish(tap.account, MONTH)
        tap.account.fail(fault, None, "sales", MONTH)

        failed = fail_at_march(tap, "the last of 5 tries", *words)

        assert months_read(failed) == {"2024-02-01": 3}  # and nothing of March
        asked = requests_for(tap.account, "api", MONTH)
        assert len(asked) == 5
        go_on(tap, failed)


class TestRedirects:
    """No redirect is followed, so neither token nor secret gets anywhere else."""

    def test_of_the_api(self, tap: Tap) -> None:
        publish(tap.account, MONTH)
        tap.account.fail("api-redirect", None, "sales", MONTH)

        fail_at_march(tap, "redirect (302)", "check api_url")

        assert "/ap/signin" not in {request.path for request in tap.account.requests}

    @pytest.mark.parametrize("status", [302, 307])
    def test_of_login_with_amazon(self, tap: Tap, status: int) -> None:
        elsewhere = {"Location": tap.account.sign_in_url}
        tap.account.inject_fault("lwa", Response(status=status, headers=elsewhere), times=None)

        assert "check auth_url" in sentence(tap.run())
        assert "/ap/signin" not in {request.path for request in tap.account.requests}


class TestPresignedUrl:
    """The answer is the URL as bare text, or nearly so."""

    def test_in_whatever_the_api_wraps_it(self, tap: Tap) -> None:
        wrappings: list[Behaviour] = [
            reworded(lambda url: f' "{url}"\r\n'),
            reworded(lambda url: f"'{url}'"),
            reworded(lambda url: f"\ufeff{url}\n"),
            reworded(lambda url: json.dumps({"url": url})),
            reworded(lambda url: json.dumps({"expires": 300, "note": "five minutes", "u": url})),
        ]
        months = [add_months(JANUARY, number) for number in range(len(wrappings))]
        publish(tap.account, *months)
        for month, wrapping in zip(months, wrappings, strict=True):
            tap.account.inject_fault("api", wrapping, times=None, month=month)

        run = tap.read(start_date=str(months[0]), end_date=str(months[-1]))

        assert months_read(run) == {str(month): 3 for month in months}


class TestFile:
    """A file that is whole but no report of this kind fails; an empty report is a report."""

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (make_zip({"readme.txt": "Hello"}), ["no CSV", "'readme.txt'"]),
            (make_zip({}), ["no CSV", "nothing"]),
            (make_csv([EARNINGS]), ["its header", "'Invoice Group ID'"]),
            ("just,a,few\r\n1,2,3\r\n", ["its header has 0 of", "'just', 'a', 'few'"]),
        ],
        ids=["no CSV", "no member", "another report", "another file"],
    )
    def test_foreign_ones_fail_at_once(
        self, tap: Tap, content: bytes | str, words: list[str]
    ) -> None:
        tap.account.put_report("sales", MONTH, content)

        failed = fail_at_march(tap, *words)

        assert months_read(failed) == {"2024-02-01": 3}
        assert len(requests_for(tap.account, "bucket", MONTH)) == 1

    def test_rows_before_a_broken_one_come_again_under_the_same_keys(self, tap: Tap) -> None:
        rows = make_csv(sale(Transaction_Id=f"{MONTH}-{number}") for number in (1, 2, 3))
        tap.account.put_report("sales", MONTH, rows + 'Amazon.com,"never closed\r\n')

        failed = fail_at_march(tap, "no valid CSV at line")
        publish(tap.account, MONTH)
        resumed = tap.read(state=failed.state, **FROM_FEBRUARY)

        before = {r["line_id"] for r in failed.records() if r["report_month"] == "2024-03-01"}
        after = {record["line_id"] for record in resumed.records()}
        assert before <= after
        assert len(after) == 3

    def test_empty_ones_are_reports_without_rows(self, tap: Tap) -> None:
        header = make_csv([sale()]).splitlines()[0]
        for month, content in (
            (DECEMBER, {"sales-2023-12-00000.csv": b""}),
            (JANUARY, {"sales-2024-01-00000.csv": header}),
            (FEBRUARY, {"sales-2024-02-00000.csv": f"\ufeff{header}\r\n"}),
            (MONTH, {"sales-2024-03-00000.csv": "\r\n"}),
        ):
            tap.account.put_report("sales", month, content)

        run = tap.read(start_date="2023-12-01")

        assert run.records() == []
        assert run.bookmark() == "2024-03-01"
        assert len([text for text in run.log("INFO") if ": 0 rows" in text]) == 4
        assert run.log("WARNING") == []

    def test_ragged_rows_are_kept(self, tap: Tap) -> None:
        header, row = make_csv(sales(1)).splitlines()
        rows = [header, row, row + ",more,,and more", *row.rsplit(",", 1)[:1]]
        tap.account.put_report("sales", MONTH, "\r\n".join(rows))

        run = tap.read()

        assert [record["device_type"] for record in run.records()] == ["Fire TV", "Fire TV", None]
        whole, long, short = (record["_rescued_data"] for record in run.records())
        assert (whole, short) == (None, None)
        assert json.loads(long) == {"column 24": "more", "column 26": "and more"}
        assert len(set(months_read(run))) == 1
        assert len(run.log("WARNING")) == 2

    def test_a_bucket_that_does_not_say_when_means_now(self, tap: Tap) -> None:
        def at(value: str | None) -> Behaviour:
            def other_time(_: Call, answer: Answer) -> Response:
                response = answer()
                del response.headers["Last-Modified"]
                if value:
                    response.headers["Last-Modified"] = value
                return response

            return other_time

        publish(tap.account, JANUARY, FEBRUARY, MONTH)
        tap.account.inject_fault("bucket", at(None), times=None, month=JANUARY)
        tap.account.inject_fault("bucket", at("yesterday"), times=None, month=FEBRUARY)
        tap.account.inject_fault(
            "bucket", at("Fri, 31 Dec 9999 23:59:59 -2300"), times=None, month=MONTH
        )
        started = datetime.now(timezone.utc) - timedelta(seconds=1)

        records = tap.read(start_date="2024-01-01").records()

        assert len(records) == 9
        for record in records:
            written = datetime.fromisoformat(record["report_last_modified"])
            assert started < written < started + timedelta(minutes=1)


def test_what_fails_late_costs_nothing_read_before(tap: Tap) -> None:
    """Also when later months were downloaded long before an early one failed."""
    months = [add_months(JANUARY, number) for number in range(6)]
    publish(tap.account, *months)
    tap.account.inject_fault("api", Response(status=418), times=None, month=MONTH)

    failed = tap.run(start_date="2024-01-01", end_date="2024-06-01")
    tap.account.clear_faults()
    resumed = tap.read(state=failed.state, start_date="2024-01-01", end_date="2024-06-01")

    assert "2024-03" in sentence(failed)
    assert months_read(failed) == {"2024-01-01": 3, "2024-02-01": 3}
    assert months_read(resumed) == {str(month): 3 for month in months[2:]}
