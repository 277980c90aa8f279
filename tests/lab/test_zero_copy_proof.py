from kfast.lab.experiment import Options
from kfast.lab.experiment_findings import report_lines
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.zero_copy_proof import NEW_BYTES, ZERO_COPY_PROOF, proof_arms, verdict
from kfast.transfer.modes import CPU_COPIES


def test_every_mode_sends_what_it_claims_every_time():
    run = ExperimentRun(ZERO_COPY_PROOF, Options(block_count=3))
    result = run.result([one for block in run.blocks() for one in block])
    expected = {mode: 0.0 if copies else 100.0 for mode, copies in CPU_COPIES.items()} | {"tls": 0.0}
    for arm in proof_arms():
        values = result.values(arm, NEW_BYTES)
        assert values == [expected[arm["copy_mode"]]] * 3 or arm in dict(result.skipped), arm


def test_a_report_without_comparisons_has_its_table():
    run = ExperimentRun(ZERO_COPY_PROOF, Options(is_smoke=True))
    lines = report_lines(ZERO_COPY_PROOF, run.result([one for block in run.blocks() for one in block]))
    assert any(line.startswith("sendfile, chunks of 64 KiB") for line in lines)
    assert "read+send, chunks of 4 KiB: 0 to 0 of 100 bytes were written after the send, in 2 runs." in lines
    assert "sendfile sent references in all of its 6 runs." in lines


def test_one_run_of_sendfile_that_is_different_is_said_plainly():
    assert verdict([100.0, 100.0, 100.0]) == "sendfile sent references in all of its 3 runs."
    assert verdict([0.0, 0.0]) == "FALSIFIED HERE: sendfile sent copies in all of its 2 runs."
    assert verdict([100.0, 25.5, 100.0]) == (
        "FALSIFIED HERE: in its 3 runs sendfile sent 25.5 to 100 of 100 bytes by reference, not all."
    )
    assert verdict([]) == "sendfile could not be asked here."
