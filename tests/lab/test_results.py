from kfast.lab.canary import CanaryResult
from kfast.lab.results import as_json
from kfast.lab.unavailable import Unavailable


def test_objects_become_json():
    value = {"runs": (CanaryResult("splice", 3, 1, 2),), "device": Unavailable("none"), "is_smoke": True}
    assert as_json(value) == {
        "runs": [{"copy_mode": "splice", "size_bytes": 3, "old_bytes": 1, "new_bytes": 2}],
        "device": "unavailable: none",
        "is_smoke": True,
    }
