"""Many incidents in a minute for the same few people: nobody late, nothing lost, at Slack's own pace."""

from __future__ import annotations

import pytest

from benchmarks.storm import A_MINUTE, LATE_SECONDS, Storm, play
from playbooks.institution import Institution


def kept(played: Storm) -> None:
    assert {state.split()[1] for state in played.rows if state.startswith("page")} == {"sent"}
    assert max(played.late) <= LATE_SECONDS
    assert played.most_a_second == 1, "one a second to each conversation"
    assert played.most_a_minute <= A_MINUTE


async def test_forty_incidents_in_a_minute(bank: Institution) -> None:
    played = await play(bank, 40, minutes=2, levels=False)
    kept(played)
    assert played.rows["page sent"] >= 40
    assert max(played.late) <= 5


@pytest.mark.slow
async def test_five_hundred_incidents_in_a_minute_and_nobody_answers(bank: Institution) -> None:
    played = await play(bank, 500, minutes=8, levels=True)
    kept(played)
    assert played.rows["page sent"] >= 1_000, "the first level and the second of each"
