from __future__ import annotations

import pytest

from drivesync.testing.costs import Bucket, Costs, Meter, costs_from_json, unit_cost
from drivesync.testing.faults import (
    CorruptUpload,
    CutDownload,
    Delay,
    Effect,
    ErrorAnswer,
    ExpiredToken,
    Fault,
    Faults,
    LostAnswer,
    OmittedParent,
    fault_from_json,
    fault_to_json,
    parse_fault,
)
from drivesync.testing.wire import ApiError


def _strikes(fault: Fault, kinds: list[str]) -> list[bool]:
    faults = Faults()
    faults.inject(fault)
    return [faults.draw(kind, _any) is not None for kind in kinds]


def _any(_: Effect) -> bool:
    return True


@pytest.mark.parametrize(
    ("fault", "struck"),
    [
        pytest.param(Fault(LostAnswer()), [True, False, False, False], id="once by default"),
        pytest.param(Fault(LostAnswer(), times=2), [True, True, False, False], id="N times"),
        pytest.param(Fault(LostAnswer(), times=None), [True] * 4, id="for ever"),
        pytest.param(Fault(LostAnswer(), skip=2), [False, False, True, False], id="after the first few"),
        pytest.param(
            Fault(LostAnswer(), call="files.get"), [False, True, False, False], id="one kind of call"
        ),
        pytest.param(
            Fault(LostAnswer(), call="files.get*", times=9), [False, True, True, False], id="a family"
        ),
        pytest.param(Fault(LostAnswer(), probability=0.0, times=None), [False] * 4, id="never"),
    ],
)
def test_when_a_fault_strikes(fault: Fault, struck: list[bool]) -> None:
    assert _strikes(fault, ["files.list", "files.get", "files.get.media", "about.get"]) == struck


def test_chance_is_seeded_and_keeps_its_rate() -> None:
    fault = Fault(LostAnswer(), times=None, probability=0.05)
    first, second = (_strikes(fault, ["files.get"] * 4000) for _ in range(2))
    assert first == second
    assert 150 < sum(first) < 250


def test_the_first_that_applies_strikes_alone() -> None:
    faults = Faults()
    for effect in (CutDownload(), LostAnswer()):
        faults.inject(Fault(effect))
    assert faults.draw("files.get", lambda effect: not isinstance(effect, CutDownload)) == LostAnswer()
    assert [entry["struck"] for entry in faults.report()] == [0, 1]
    assert faults.draw("files.get", _any) == CutDownload()
    assert faults.draw("files.get", _any) is None


def test_delays_add_up() -> None:
    faults = Faults()
    for delay_s in (0.5, 1.5):
        faults.inject(Fault(Delay(delay_s), call="files.*"))
    assert [faults.draw_delay(kind) for kind in ("about.get", "files.get", "files.get")] == [0, 2.0, 0]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            Fault(ErrorAnswer(429, "rateLimitExceeded", "slow", 7), call="files.*", times=3), id="error"
        ),
        pytest.param(Fault(CutDownload(100), probability=0.5, times=None), id="cut"),
        pytest.param(Fault(OmittedParent("abc"), skip=1), id="omitted parent"),
        pytest.param(Fault(ExpiredToken()), id="no options"),
    ],
)
def test_faults_survive_json(fault: Fault) -> None:
    assert fault_from_json(fault_to_json(fault)) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("lost_answer", Fault(LostAnswer()), id="bare"),
        pytest.param(
            "error,status=503,reason=backendError,call=files.get*,times=3",
            Fault(ErrorAnswer(503, "backendError"), call="files.get*", times=3),
            id="error",
        ),
        pytest.param(
            "corrupt_upload,probability=0.05",
            Fault(CorruptUpload(), times=None, probability=0.05),
            id="chance",
        ),
        pytest.param("delay,delay_s=0.5,times=none", Fault(Delay(0.5), times=None), id="for ever"),
    ],
)
def test_command_line_form(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "text", ["", "explode", "error,status=often", "error,colour=red", "cut_upload,after_bytes=1.5"]
)
def test_bad_faults_are_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"effect must be|takes no"):
        parse_fault(text)


def test_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(rate_per_s=10, capacity=5, now_s=0)
    assert [bucket.take(1, 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.take(1, 0.05) is False
    assert bucket.take(1, 0.11) is True
    assert [bucket.take(1, 100.0) for _ in range(6)] == [True] * 5 + [False]


def test_quota_units_allow_what_drive_allows() -> None:
    """325,000 units a minute at 200 a download are 27 downloads a second, after a burst of one second's."""
    meter = Meter(Costs(units_per_minute=325_000, units_burst_s=1), now_s=0)
    served = sum(_is_served(meter, unit_cost("files.get.media"), tick / 1000) for tick in range(60_000))
    assert served == pytest.approx((325_000 + 325_000 / 60) / 200, abs=2)


def test_units_that_are_spent_are_refused_as_drive_does() -> None:
    meter = Meter(Costs(units_per_minute=200), now_s=0)
    meter.charge(200, 0)
    with pytest.raises(ApiError) as caught:
        meter.charge(5, 0)
    assert (caught.value.status, caught.value.reason) == (403, "userRateLimitExceeded")


def _is_served(meter: Meter, units: int, now_s: float) -> bool:
    try:
        meter.charge(units, now_s)
    except ApiError:
        return False
    return True


def test_requests_per_second() -> None:
    meter = Meter(Costs(requests_per_s=2), now_s=0)
    meter.charge(1, 0)
    meter.charge(1, 0)
    with pytest.raises(ApiError) as caught:
        meter.charge(1, 0)
    assert (caught.value.status, caught.value.reason, caught.value.domain) == (
        403,
        "rateLimitExceeded",
        "usageLimits",
    )
    meter.charge(1, 0.5)


@pytest.mark.parametrize(
    ("kind", "units"),
    [
        ("files.get", 5),
        ("files.get.media", 200),
        ("revisions.get.media", 200),
        ("files.export", 200),
        ("files.list", 100),
        ("changes.list", 100),
        ("changes.getStartPageToken", 5),
        ("about.get", 5),
        ("files.generateIds", 5),
        ("files.create", 50),
        ("files.create.media", 50),
        ("files.update.resumable", 50),
        ("files.copy", 50),
        ("files.delete", 50),
        ("upload.chunk", 5),
        ("upload.final", 5),
    ],
)
def test_unit_cost(kind: str, units: int) -> None:
    assert unit_cost(kind) == units


def test_costs_change_one_by_one() -> None:
    costs = costs_from_json(Costs(latency_s=1), {"requests_per_s": 5})
    assert costs == Costs(latency_s=1, requests_per_s=5)
    with pytest.raises(ValueError, match="Costs takes no"):
        costs_from_json(costs, {"latency": 1})
