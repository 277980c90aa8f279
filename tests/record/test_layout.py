from kfast.record import layout


def test_positions_are_those_of_kafkas_format() -> None:
    positions = {
        name.removesuffix("_POSITION"): value for name, value in vars(layout).items() if name.endswith("_POSITION")
    }
    assert positions == {
        "BASE_OFFSET": 0,
        "LENGTH": 8,
        "LEADER_EPOCH": 12,
        "MAGIC": 16,
        "CRC": 17,
        "ATTRIBUTES": 21,
        "LAST_OFFSET_DELTA": 23,
        "BASE_TIMESTAMP": 27,
        "MAX_TIMESTAMP": 35,
        "PRODUCER_ID": 43,
        "PRODUCER_EPOCH": 51,
        "BASE_SEQUENCE": 53,
        "COUNT": 57,
    }
    assert layout.HEADER_SIZE == 61


def test_timestamp_types_are_spelled_as_in_kafkas_configuration() -> None:
    assert [kind.text for kind in layout.TimestampType] == ["CreateTime", "LogAppendTime"]
