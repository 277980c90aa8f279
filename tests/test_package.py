import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import kfast

HEAVY = ("kio", "crc32c", "cramjam", "numpy", "matplotlib", "ipywidgets", "asyncio", "confluent_kafka")


def imported_by(statement: str) -> set[str]:
    script = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(json.loads(output))


@pytest.mark.parametrize(
    "statement", ["import kfast", "import kfast.cli", "import kfast.broker.serve", "import kfast.lab"]
)
def test_what_costs_is_imported_when_it_is_used(statement: str) -> None:
    assert imported_by(statement).isdisjoint(HEAVY)


def test_what_the_package_offers_is_there() -> None:
    for name in kfast.__all__:
        assert getattr(kfast, name) is not None
    assert dir(kfast) == sorted(kfast.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Kafka'"):
        kfast.Kafka  # noqa: B018


def test_the_lab_offers_results_without_importing_them_first() -> None:
    from kfast.lab import load_results
    from kfast.lab.results import load_results as its_home

    assert load_results is its_home
    assert not any(name.startswith("kfast.lab.") for name in imported_by("import kfast.lab"))
    with pytest.raises(AttributeError, match="no attribute 'load_everything'"):
        kfast.lab.load_everything  # noqa: B018


def test_data_is_found_beside_the_package_in_a_checkout() -> None:
    assert kfast.data_path("data", "golden", "manifest.json").is_file()
    assert kfast.data_path("notebooks", "00_start_here.ipynb").is_file()


@pytest.mark.parametrize("name", ["notebooks", "data"])
def test_the_wheel_holds_notebooks_and_data(name: str) -> None:
    project = tomllib.loads(kfast.data_path("pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert name in wheel["only-include"]
    assert wheel["sources"][name] == f"kfast/{name}"
    assert any(kfast.data_path(name).iterdir())


def test_an_installed_package_finds_its_data_inside(tmp_path: Path) -> None:
    """The layout of the wheel: kfast/data inside the package and no pyproject.toml beside it."""
    package = tmp_path / "kfast"
    package.mkdir()
    source = Path(kfast.__file__).read_text()
    (package / "__init__.py").write_text(source)
    script = "import kfast; print(kfast.data_path('data', 'golden'))"
    output = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == str(package / "data" / "golden")
