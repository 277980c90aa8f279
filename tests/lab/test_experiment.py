import pytest

from kfast.lab.experiment import BLOCK_COUNT, SMOKE_BLOCK_COUNT, Arm, Options, block_count


def test_an_arm_gives_its_factors_and_can_be_run_again():
    arm = Arm.of("4 KiB", chunk_size=4096, copy_mode="splice")
    assert (arm["chunk_size"], arm["copy_mode"]) == (4096, "splice")
    assert arm.again() != arm
    assert (str(arm), str(arm.again())) == ("4 KiB", "4 KiB again (A/A)")
    with pytest.raises(KeyError):
        arm["record_size"]


def test_how_many_blocks_there_are():
    assert block_count(Options()) == BLOCK_COUNT
    assert block_count(Options(is_smoke=True)) == SMOKE_BLOCK_COUNT
    assert block_count(Options(is_smoke=True, block_count=7)) == 7
    with pytest.raises(ValueError, match="at least 1 block, not 0"):
        block_count(Options(block_count=0))


def test_a_plan_says_how_long_it_takes(fake_experiment):
    assert fake_experiment().plan(Options()).estimated_text == "8 s"  # 3 arms, 4 blocks and a warm-up, half a second
    assert fake_experiment().plan(Options(block_count=400)).estimated_text == "10 min"
