"""Opening an institution's directory: also when somebody has just broken one of its files."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from console.opening import open_house
from models.errors import BadConfiguration
from tests.conftest import EXAMPLE


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    folder = tmp_path / "bank"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("var"))
    return folder


def test_what_lies_in_the_data_folder_is_for_its_owner_alone(bank: Path) -> None:
    (bank / "var").mkdir(mode=0o755)
    open_house(bank).record.close()
    assert stat.S_IMODE((bank / "var").stat().st_mode) == 0o700


def test_a_broken_file_is_replaced_by_the_one_that_was_last_sound(bank: Path) -> None:
    open_house(bank).record.close()
    sound = (bank / "organisation.yaml").read_text(encoding="utf-8")
    (bank / "organisation.yaml").write_text(sound + "\nbroken: [1,\n", encoding="utf-8")
    house = open_house(bank)
    assert house.institution.organisation.people
    assert house.institution.directory == bank
    assert any("organisation.yaml" in one for one in house.defects)
    house.record.close()
    (bank / "organisation.yaml").write_text(sound, encoding="utf-8")
    mended = open_house(bank)
    assert mended.defects == ()
    mended.record.close()


def test_files_that_never_were_sound_open_nothing(bank: Path) -> None:
    (bank / "routes.yaml").write_text("routes: [", encoding="utf-8")
    with pytest.raises(BadConfiguration):
        open_house(bank)
    assert not (bank / "var" / "hikeshi.db").exists()
