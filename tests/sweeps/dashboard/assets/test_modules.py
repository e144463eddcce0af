"""The modules of the pages: what they may do, how they name each other, and that they ask no other host."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import sweeps.dashboard

ASSETS = Path(sweeps.dashboard.__file__).parent / "assets"
MODULES = sorted(ASSETS.glob("*.js"))
STYLES = sorted(ASSETS.glob("*.css"))
LONGEST = 400  # lines, as of the modules of Python

# Text becomes an element only as text, and is never run.
FORBIDDEN = {
    "markup from text": r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|srcdoc)\b(?!\$)",
    "a document written to": r"\bdocument\s*\.\s*write",
    "text that is run": r"\beval\s*\(|\bnew\s+Function\b|\bsetTimeout\s*\(\s*[\"'`]|\bsetInterval\s*\(\s*[\"'`]",
    "a style attribute, which the policy refuses": r"setAttribute\(\s*[\"']style[\"']|\bcssText\b",
    "an event handler as text": r"setAttribute\(\s*[\"']on",
    "a debugging left-over": r"\bconsole\.(?:log|debug)\b|\bdebugger\b",
}
IMPORT = re.compile(r'import \{ ((?:[A-Za-z_$][\w$]*(?:, )?)+) \} from "\./([a-z_]+\.js)";')
EXPORT = re.compile(r"export (?:async function|function|const|class) ([A-Za-z_$][\w$]*)")
ALLOWED_HOSTS = {"www.w3.org"}  # namespaces, which nobody asks for


HOST = re.compile(r"(?:\b(?:https?|wss?):|[\"'`(])//([a-z0-9-]+(?:\.[a-z0-9-]+)+)")


def code(path: Path) -> str:
    """Return a module without its comments."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    return re.sub(r"(?m)(?:^|\s)//\s.*$", "", text)


CODE = {path.name: code(path) for path in MODULES}


def test_there_are_modules() -> None:
    assert {"dom.js", "api.js", "live.js", "table.js", "main.js"} <= CODE.keys()


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_module_makes_markup_or_code_of_text(what: str) -> None:
    found = [
        (name, line)
        for name, text in CODE.items()
        for line in text.splitlines()
        if re.search(FORBIDDEN[what], line) and "/i.test(name)) throw" not in line  # the guard itself
    ]
    assert found == []


def test_imports_and_exports_have_the_one_form_that_the_report_can_join() -> None:
    lines = [line for text in CODE.values() for line in text.splitlines()]
    imports = [line for line in lines if re.match(r"\s*import\b(?!\()", line)]
    exports = [line for line in lines if re.match(r"\s*export\b", line)]
    assert imports
    assert [line for line in imports if not IMPORT.fullmatch(line)] == []
    assert exports
    assert [line for line in exports if not EXPORT.match(line)] == []


def test_what_a_module_imports_is_there_and_is_used() -> None:
    exported = {name: set(EXPORT.findall(text)) for name, text in CODE.items()}
    for module, text in CODE.items():
        spread = text.replace("...", " ")
        for names, source in IMPORT.findall(text):
            for name in names.split(", "):
                assert name in exported[source], f"{module}: {source} has no {name}"
                uses = re.findall(rf"(?<![\w$.]){re.escape(name)}(?![\w$])", spread)
                assert len(uses) > 1, f"{module}: {name} is not used"


def test_no_two_modules_import_each_other() -> None:
    needs = {name: {source for _, source in IMPORT.findall(text)} for name, text in CODE.items()}
    done: set[str] = set()
    while ready := {name for name in needs.keys() - done if needs[name] <= done}:
        done |= ready
    assert needs.keys() - done == set()


def test_no_file_names_another_host() -> None:
    for path in [*MODULES, *STYLES, ASSETS / "index.html"]:
        text = path.read_text()
        assert set(HOST.findall(text)) <= ALLOWED_HOSTS, path.name
        assert not re.search(r"@import|url\(\s*[\"']?(?!data:)[a-z]*:?//", text), path.name


def test_modules_fit_in_the_head_and_say_what_they_are_for() -> None:
    for path in MODULES:
        lines = path.read_text().splitlines()
        assert len(lines) <= LONGEST, path.name
        assert lines[0].startswith(("/**", "// ")), path.name


class Tags(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_has_no_script_or_style_of_its_own_and_names_only_files_that_are_there() -> None:
    tags = Tags()
    tags.feed((ASSETS / "index.html").read_text())
    for tag, attributes in tags.tags:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not {name for name in attributes if name == "style" or name.startswith("on")}
        for name in ("src", "href"):
            address = attributes.get(name)
            if address is not None and not address.startswith("#"):
                assert (ASSETS / address.removeprefix("assets/")).is_file(), address
                assert address.startswith("assets/")


def test_dark_is_the_same_chosen_and_by_the_system() -> None:
    blocks = re.findall(r"color-scheme: dark;(.*?)\}", (ASSETS / "styles.css").read_text(), re.DOTALL)
    chosen, systems = (re.findall(r"--[\w-]+: [^;]+;", block) for block in blocks)
    assert chosen == systems
    assert len(chosen) > 10
