"""Tables of an experiment: numbers by hand, and text that no name can break."""

import csv
import io
import re
from pathlib import Path

import pytest

from napari_necroseg.core.study.record import without_paths
from napari_necroseg.core.study.report.findings import find
from napari_necroseg.core.study.report.page import TEMPLATES
from napari_necroseg.core.study.report.tables import (
    TextTable,
    as_latex,
    as_markdown,
    cases_table,
    csv_of,
    papers_table,
    table_1,
    table_2,
)
from napari_necroseg.core.templates import render
from written_studies import make_record, make_scores, nothing, result, write_dice, write_study

ONE, TWO = "2d:ceT1", "2d:ceT1+T2"


def cells_of(table: TextTable) -> dict[tuple[str, str], tuple[str, ...]]:
    return {row[:2]: row[2:] for row in table.rows}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    dice = {ONE: {0: {"a": 0.5, "b": 0.7, "c": 0.9}}, TWO: {0: {"a": 0.6, "b": 0.0, "c": 0.9}}}
    return write_dice(tmp_path / "my cohort", dice)


def test_table_1_by_hand(study) -> None:
    table = table_1(find(study))
    cells = cells_of(table)
    assert table.columns[2:] == ("2D ceT1", "2D ceT1+T2")
    # Folds: a and c, then b. (0.5 + 0.9) / 2 and 0.7; (0.6 + 0.9) / 2 and 0.
    assert cells["Dice, %", "mean of fold means"] == ("70.0", "37.5")
    assert cells["Dice, %", "median"] == ("70.0", "60.0")
    # Deviations of 50, 70, 90 and of 60, 0, 90 from their means, over 2.
    assert cells["Dice, %", "standard deviation"] == ("20.0", "45.8")
    assert cells["Dice, %", "mean"] == ("70.0", "50.0")
    assert cells["Dice, %", "95 % interval"] == ("50.0 to 90.0", "0.0 to 90.0")
    assert cells["Counted", "patients"] == ("3", "3")
    assert "3 cases of my cohort" in table.title


def test_infinite_distances_leave_a_median(study) -> None:
    cells = cells_of(table_2(find(study)))
    # HD95 is 10 x (1 - Dice) here: 5, 3, 1 and 4, infinite, 1.
    assert cells["HD95, mm", "mean"] == ("3.00", "∞")
    assert cells["HD95, mm", "95 % interval"] == ("1.00 to 5.00", "-")
    assert cells["HD95, mm", "median"] == ("3.00", "4.00")
    assert cells["HD95, mm", "quartiles"] == ("2.00 to 4.00", "4.00 to ∞")
    assert cells["HD95, mm", "standard deviation"] == ("2.00", "-")
    assert cells["Missed", "predictions"] == ("0 of 3", "1 of 3")
    assert cells["Absolute volume difference, mL", "mean"] == ("0.00", "0.67")
    assert cells["Volume difference, mL", "mean"] == ("0.00", "−0.67")


def test_the_paper_stands_apart_with_a_dash_where_it_cannot_be_read(study) -> None:
    table = papers_table(find(study))
    cells = cells_of(table)
    assert cells["Dice, %", "mean"] == ("76.7", "77.2")
    assert cells["Sensitivity, %", "mean"] == ("-", "-")
    assert "Paper: 26 spine patients; ours: 3 cases of my cohort." in table.notes[0]


def test_the_csv_has_the_numbers_of_both(study) -> None:
    rows = {
        (row["source"], row["score"], row["statistic"]): row
        for row in csv.DictReader(io.StringIO(csv_of(find(study))))
    }
    assert float(rows["this study", "dice", "mean"][TWO]) == pytest.approx(50.0)
    assert rows["this study", "hd95_mm", "mean"][TWO] == "inf"
    assert rows["this study", "hd95_mm", "std"][TWO] == ""
    assert rows["this study", "missed", "predictions"][TWO] == "1"
    assert rows["paper", "sensitivity", "mean"][TWO] == ""
    assert float(rows["paper", "dice", "median"][ONE]) == 83.5


def test_cases_are_sorted_by_the_best_configuration_and_say_what_became_of_them(tmp_path) -> None:
    cases = {"a": ("p", 1), "b": ("p", 1), "c": ("q", 2), "d": ("r", 2), "e": ("s", 2)}
    record = make_record(cases, configurations=(ONE, TWO), folds=2)
    results = [
        result(ONE, "a", make_scores(0.2)),
        result(TWO, "a", make_scores(0.6), seed=0),
        result(TWO, "a", make_scores(0.0), seed=1),
        result(TWO, "b", make_scores(0.8)),
        result(TWO, "c", nothing(), fold=2),
        result(TWO, "d", nothing(found_ml=1.0), fold=2),
    ]
    table = cases_table(find(write_study(tmp_path, record, results)))
    assert [row[0] for row in table.rows] == ["b", "a", "c", "d", "e"]
    assert [row[-1] for row in table.rows] == [
        "80.0",
        "30.0 (missed 1 of 2)",
        "nothing to find",
        "false alarm (1 of 1)",
        "-",
    ]
    assert [row[-2] for row in table.rows] == ["-", "20.0", "-", "-", "-"]
    assert table.rows[0][1:4] == ("p", "1", "2.00")


def test_a_configuration_that_lacks_the_hardest_case_is_not_called_the_best(tmp_path) -> None:
    dice = {ONE: {0: {"easy": 0.8}}, TWO: {0: {"easy": 0.9, "hard": 0.1}}}
    findings = find(write_dice(tmp_path, dice))
    # 80 % of one case, 50 % of both.
    assert findings.mean_dice == pytest.approx({ONE: 0.8, TWO: 0.5})
    assert (
        "2D ceT1+T2, which has the highest mean over the cases that all have" in cases_table(findings).title
    )
    assert cells_of(table_1(findings))["Counted", "cases"] == ("1 of 2", "2 of 2")


@pytest.mark.parametrize("mark", ["name", "readme"])
def test_phantoms_are_called_phantoms(mark, tmp_path) -> None:
    from napari_necroseg.core.phantom.phantom import README

    folder = write_dice(tmp_path / "s", {ONE: {0: {"phantom-01" if mark == "name" else "a": 0.5}}})
    if mark == "readme":
        assert "phantom" not in table_1(find(folder)).title
        (folder / "README.txt").write_text(README, encoding="utf-8")
    assert "numerical phantoms, not patients" in table_1(find(folder)).title


def test_special_characters_are_escaped_in_every_form() -> None:
    name = r"50 % & <b> a_b $x$ #1 {~^\} |"
    table = TextTable(title=name, columns=("", "∞"), rows=((name, "∞"),))
    latex = as_latex(table)
    assert (
        r"50 \% \& \textless{}b\textgreater{} a\_b \$x\$ \#1 "
        r"\{\textasciitilde{}\textasciicircum{}\textbackslash{}\} | & $\infty$ \\" in latex
    )
    assert r"\begin{tabular}{lr}" in latex
    markdown = as_markdown(table)
    assert r"\<b\>" in markdown
    assert r"\|" in markdown
    html = render(TEMPLATES, "table.html", table=table)
    assert "<b>" not in html
    assert html.count("&lt;b&gt;") == 2


def test_messages_lose_folders_and_addresses() -> None:
    text = "/home/jo/data/case-1/ceT1.nii.gz could not be read; tcp://host.lan:8786 and C:\\x\\y\\z.txt, 1/2."
    assert without_paths(text) == "ceT1.nii.gz could not be read; (address) and z.txt, 1/2."


def test_the_latex_of_every_table_has_as_many_cells_a_row_and_closes_what_it_opens(study) -> None:
    findings = find(study)
    for table in (table_1(findings), papers_table(findings), table_2(findings)):
        latex = as_latex(table)
        rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
        assert len(rows) == 1 + len(table.rows)
        assert {row.count(" & ") for row in rows} == {len(table.columns) - 1}
        assert "Table 1" not in latex.replace("the paper's Table 1", "")
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\begin") == latex.count(r"\end") == 2
        assert re.search(r"(?<!\\)%", latex) is None
