from kfast.lab.experiment import Arm
from kfast.viz import style
from kfast.viz.arm_look import PLAIN, look_of, looks_of


def test_an_arm_looks_like_what_is_special_about_it():
    assert look_of(Arm.of("a", client="raw", copy_mode="splice")).color == style.MODE_STYLES["splice"].color
    assert look_of(Arm.of("b", client="confluent", compression="none")).label == "librdkafka"
    assert look_of(Arm.of("c", client="confluent", compression="zstd")).label == "zstd"
    assert look_of(Arm.of("d", partitions=3)) == PLAIN


def test_lines_that_mean_the_same_are_told_apart():
    looks = looks_of(Arm.of(str(size), client="raw", size=size) for size in range(9))
    assert [look.color for look in looks[:2]] == [style.BLUE] * 2
    assert [look.is_hollow for look in looks[:2]] == [False, True]
    assert len({(look.color, look.marker, look.linestyle) for look in looks}) == len(looks)
