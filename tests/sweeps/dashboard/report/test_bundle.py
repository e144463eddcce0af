"""The modules of the pages as one classic script."""

from pathlib import Path

import pytest
from chromium import browser, needs_browser

from sweeps.dashboard.report.bundle import ASSETS, BundleError, bundle


def written(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def run(folder: Path, entry: str = "main.js") -> str:
    """Return what a script writes into the title of a page."""
    (folder / "page.html").write_text(f"<script>{bundle(entry, folder)}</script>")
    with browser() as chromium:
        page = chromium.new_page()
        page.goto((folder / "page.html").as_uri())
        title: str = page.title()
        return title


@needs_browser
def test_modules_run_once_each_in_the_order_of_their_imports_with_names_of_their_own(tmp_path: Path) -> None:
    count = 'export const seen = [];\nexport function note(name) {\n  seen.push(name);\n}\nnote("count");\n'
    module = 'import { note } from "./count.js";\nconst name = "%s";\nnote(name);\nexport class %s {\n  get name() {\n    return name;\n  }\n}\n'
    main = (
        'import { seen, note } from "./count.js";\nimport { Two } from "./two.js";\nimport { One } from "./one.js";\n'
        'note("main");\ndocument.title = `${seen.join(" ")} ${new One().name} ${new Two().name}`;\n'
    )
    folder = written(
        tmp_path, count=count, one=module % ("one", "One"), two=module % ("two", "Two"), main=main
    )
    assert run(folder) == "count two one main one two"


@needs_browser
def test_async_functions_and_texts_over_several_lines_stay_as_they_are(tmp_path: Path) -> None:
    text = "export async function later() {\n  return 1;\n}\nexport const words = `a\n  b`;\n"
    main = 'import { later, words } from "./text.js";\ndocument.title = `${words.length} ${later instanceof Function}`;\n'
    assert run(written(tmp_path, text=text, main=main)) == "5 true"


@needs_browser
def test_all_modules_of_the_pages_parse_as_one_script(tmp_path: Path) -> None:
    script = bundle("report_main.js")
    (tmp_path / "page.html").write_text(f"<script>new Function({script!r})</script>")
    (tmp_path / "script.js").write_text(script)
    with browser() as chromium:
        page = chromium.new_page()
        page.goto("about:blank")
        parsed = page.evaluate("(text) => { new Function(text); return true; }", script)
    assert parsed


def test_modules_in_a_circle_are_refused(tmp_path: Path) -> None:
    written(
        tmp_path,
        a='import { b } from "./b.js";\nexport const a = 1;\n',
        b='import { a } from "./a.js";\nexport const b = 1;\n',
    )
    with pytest.raises(BundleError, match=r"a\.js -> b\.js -> a\.js"):
        bundle("a.js", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        'import * as all from "./b.js";',
        'import b from "./b.js";',
        'import { a as b } from "./b.js";',
        'import "./b.js";',
        "export default 3;",
        "export { a };",
        "export let a = 1;",
        'import { a } from "https://elsewhere.example/b.js";',
        'import { a } from "../b.js";',
    ],
)
def test_any_other_form_of_import_or_export_is_refused(tmp_path: Path, text: str) -> None:
    written(tmp_path, main=f"{text}\n", b="export const a = 1;\n")
    with pytest.raises(BundleError):
        bundle("main.js", tmp_path)


@pytest.mark.parametrize("text", ['const x = "</script>";', "<!-- x", '"</SCRIPT "'])
def test_a_module_that_would_end_the_script_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BundleError, match="end the script"):
        bundle("main.js", written(tmp_path, main=text))


def test_a_module_that_is_not_there_is_named_with_who_imports_it(tmp_path: Path) -> None:
    written(tmp_path, main='import { a } from "./gone.js";\n')
    with pytest.raises(BundleError, match=r"main\.js imports gone\.js"):
        bundle("main.js", tmp_path)


def test_every_module_of_the_pages_has_the_forms_that_can_be_joined() -> None:
    for path in sorted(ASSETS.glob("*.js")):
        bundle(path.name)
