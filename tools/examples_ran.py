"""Fail unless a pytest run ran the examples: tools/examples_ran.py REPORT (a JUnit file).

A skipped test does not fail pytest, and an example that was skipped or left out proves nothing.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree

MODULE = "tests.pages.test_examples"
EXAMPLE = "test_example["


def main(report: str) -> int:
    """Count, and say what was found."""
    if not Path(report).exists():
        print(f"{report} is not there: pytest did not run.", file=sys.stderr)
        return 1
    root = ElementTree.parse(report).getroot()  # noqa: S314  (pytest wrote it a moment ago)
    tests = [case for case in root.iter("testcase") if case.get("classname") == MODULE]
    examples = [case for case in tests if str(case.get("name")).startswith(EXAMPLE)]
    verdicts = {"skipped", "failure", "error"}
    wrong = [case for case in tests if verdicts & {child.tag for child in case}]
    for case in wrong:
        print(f"Did not pass: {case.get('name')}.", file=sys.stderr)
    noted = {each.get("name"): each.get("value") for each in root.iter("property")}
    if wrong or not examples or str(len(examples)) != noted.get("examples"):
        total = noted.get("examples", "some")
        print(f"{len(examples)} of {total} examples were run, or not all passed.", file=sys.stderr)
        return 1
    print(f"Examples that ran on Linux {noted['kernel']}: {len(examples)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
