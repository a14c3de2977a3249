"""What the documents say of files is so."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = {"models/mine"}
DOCUMENTS = [
    ROOT / name
    for name in ("README.md", "CONTRIBUTING.md", *(f"docs/{n}.md" for n in ("architecture", "glossary")))
]
NAMED = re.compile(
    r"`((?:core|adapters|runtime|training|config|cli|ports|tests|deploy|docs|rules|models|vser_stream)/[\w./-]*[\w/])`"
)


def missing(text: str) -> list[str]:
    """Files and folders that are named and do not exist."""
    named = sorted(set(NAMED.findall(text)))
    return [
        one
        for one in named
        if one not in EXAMPLES and not ((ROOT / one).exists() or (ROOT / "vser_stream" / one).exists())
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_a_document_names_exists(document: Path) -> None:
    assert NAMED.search(document.read_text())
    assert missing(document.read_text()) == []


def test_a_file_that_moved_is_found() -> None:
    assert missing("The alarm is in `core/alarm/votes.py` and `core/alarm/cusum.py`.") == [
        "core/alarm/votes.py"
    ]


def test_everyone_who_is_cited_is_in_the_references() -> None:
    references = (ROOT / "docs/references.md").read_text()
    cited = set()
    sources = [*(ROOT / "vser_stream").rglob("*.py"), *(ROOT / "rules").glob("*.toml"), ROOT / "README.md"]
    for path in sources:
        for names, year in re.findall(
            r"([A-Z]\w+(?: and (?:Ni )?[A-Z]\w+| et al\.)) \(?(\d{4})", path.read_text()
        ):
            cited.add((names.replace("Ni Chasaide", "Ní Chasaide"), year))
    assert ("Nguyen et al.", "2026") in cited
    assert [one for one in sorted(cited) if " ".join(one) not in references] == []
