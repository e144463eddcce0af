"""A commit and one patch restore the code of a run; where they do not, git.json says why."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking.provenance.code import Code, current_code, read_code
from tracking.provenance.git import Git, GitError, remote_url
from tracking.provenance.untracked import addition

Git_ = Callable[..., str]
pytestmark = pytest.mark.usefixtures("plain_git")


def given_back(git: Git_, repo: Path, code: Code, target: Path) -> dict[str, tuple[bytes, bool]]:
    """The files of a fresh copy of the commit with the patch applied: content, and whether it can be executed."""
    git("clone", "-q", str(repo), str(target), cwd=repo)
    git("checkout", "-q", str(code.commit), cwd=target)
    if code.patch:
        (target.parent / "git.patch").write_bytes(code.patch)
        git("apply", "--whitespace=nowarn", str(target.parent / "git.patch"), cwd=target)
    return files_of(target)


def files_of(folder: Path) -> dict[str, tuple[bytes, bool]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), os.access(path, os.X_OK))
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def test_a_clean_tree_is_its_commit(repo: Path, git: Git_) -> None:
    (repo / "data.csv").write_text("1,2\n")  # not tracked and no source: not the code's
    code = read_code(repo, repo)
    assert (code.commit, code.branch) == (git("rev-parse", "HEAD"), "main")
    assert (code.dirty, code.patch, code.why_not, code.folder) == (False, None, [], ".")
    assert code.content()["reproducible"]


def test_a_dirty_tree_comes_back_from_commit_and_patch(repo: Path, git: Git_, tmp_path: Path) -> None:
    (repo / "train.py").write_text("print(2)")
    (repo / "weights.bin").write_bytes(bytes(range(256)))
    (repo / "staged.py").write_text("staged = 1\n")
    git("add", "staged.py")
    package = repo / "new" / "inner"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "ü model.py").write_bytes("é = 1\r\nlast = 2".encode())
    (package / "run.sh").write_text("echo\n")
    (package / "run.sh").chmod(0o755)
    code = read_code(repo, package)
    assert code.dirty
    assert code.why_not == []
    assert code.folder == "new/inner"
    assert sorted(code.changed) == ["staged.py", "train.py", "weights.bin"]
    assert code.untracked == ["new/inner/__init__.py", "new/inner/run.sh", "new/inner/ü model.py"]
    assert given_back(git, repo, code, tmp_path / "copy") == files_of(repo)


def test_settings_of_the_user_do_not_change_the_patch(repo: Path, git: Git_, tmp_path: Path) -> None:
    for name, value in (("diff.noprefix", "true"), ("diff.external", "false"), ("color.ui", "always")):
        git("config", name, value)
    git("config", "diff.renames", "copies")
    git("config", "diff.context", "0")
    git("mv", "train.py", "moved.py")
    code = read_code(repo, repo)
    assert code.changed == ["moved.py"]
    assert given_back(git, repo, code, tmp_path / "copy") == files_of(repo)


@pytest.mark.parametrize(
    "name", ["a\nb.py", 'say "hi".py', "tab\t.py", "back\\slash.py", "-dash.py", " lead.py"]
)
def test_unusual_names_come_back(repo: Path, git: Git_, tmp_path: Path, name: str) -> None:
    (repo / name).write_text("x = 1\n")
    code = read_code(repo, repo)
    assert code.untracked == [name]
    assert given_back(git, repo, code, tmp_path / "copy") == files_of(repo)


LINE = st.text("ab\r\t -+@\\", max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINE, max_size=5), ends=st.booleans())
def test_any_text_comes_back_from_an_addition(
    repo: Path, tmp_path_factory: pytest.TempPathFactory, git: Git_, lines: list[str], ends: bool
) -> None:
    content = ("\n".join(lines) + ("\n" if ends and lines else "")).encode()
    folder = tmp_path_factory.mktemp("addition")
    (folder / "git.patch").write_bytes(addition("a.py", content))
    git("apply", "--whitespace=nowarn", "git.patch", cwd=folder)
    assert (folder / "a.py").read_bytes() == content


def test_files_that_are_too_big_or_look_secret_are_left_out_and_named(repo: Path) -> None:
    (repo / "big.py").write_bytes(b"#" * (256 * 1024 + 1))
    (repo / "secrets.yaml").write_text("a: hunter2\n")
    (repo / "not_text.py").write_bytes(b"\0")
    (repo / "fine.py").write_text("x = 1\n")
    code = read_code(repo, repo)
    assert code.untracked == ["fine.py"]
    assert code.left_out == {
        "big.py": "it has more than 262,144 bytes",
        "not_text.py": "it is not text",
        "secrets.yaml": "its name looks secret",
    }
    assert "big.py is not kept: it has more than 262,144 bytes" in code.why_not
    assert b"hunter2" not in (code.patch or b"")


def test_new_files_have_a_limit_together(repo: Path) -> None:
    for number in range(6):
        (repo / f"module_{number}.py").write_bytes(b"#" * (200 * 1024))
    code = read_code(repo, repo)
    assert len(code.untracked) == 5
    assert code.left_out == {"module_5.py": "new files have more than 1,048,576 bytes together"}


def test_a_patch_beyond_the_limit_is_not_kept_and_the_run_says_so(repo: Path, git: Git_) -> None:
    (repo / "weights.bin").write_bytes(os.urandom(2 << 20))
    code = read_code(repo, repo)
    assert (code.commit, code.patch) == (git("rev-parse", "HEAD"), None)
    (why,) = code.why_not
    assert why == "the changes of tracked files are not kept: git wrote more than 1,048,576 bytes"


def test_folders_that_are_no_source_are_not_walked(repo: Path, git: Git_) -> None:
    for folder, sign in {
        "store": "metadata.json",
        "env": "pyvenv.cfg",
        "node_modules": "x",
        ".cache": "x",
        "new/outputs": "x",
    }.items():
        (repo / folder).mkdir(parents=True)
        (repo / folder / sign).touch()
        (repo / folder / "a.py").touch()
    (repo / "results").symlink_to("store")
    (repo / ".gitignore").write_text("ignored.py\n")
    (repo / "ignored.py").touch()
    code = read_code(repo, repo)
    assert (code.untracked, code.left_out, code.dirty) == ([], {}, False)


def test_a_repository_within_and_a_link_out_of_it_are_named(repo: Path, git: Git_, tmp_path: Path) -> None:
    for folder in ("other", "new/inner"):
        (repo / folder).mkdir(parents=True)
        git("init", "-q", folder)
        (repo / folder / "a.py").touch()
    (repo / "link.py").symlink_to("/etc/passwd")
    (repo / "package").symlink_to(tmp_path)
    (repo / "train_too.py").symlink_to(repo / "train.py")
    code = read_code(repo, repo)
    assert code.untracked == []
    assert code.left_out == {
        "link.py": "it is a link that is absolute or leads out of the repository",
        "new/inner/": "it is a repository of its own",
        "other/": "it is a repository of its own",
        "package": "it is a link that is absolute or leads out of the repository",
        "train_too.py": "it is a link that is absolute or leads out of the repository",
    }
    assert not code.content()["reproducible"]


def test_links_templates_and_build_files_come_back(repo: Path, git: Git_, tmp_path: Path) -> None:
    (repo / "new").mkdir()
    (repo / "new" / "link.py").symlink_to("../train.py")
    (repo / "new" / "folder").symlink_to("..")
    (repo / "Makefile").write_text("all:\n\ttrue\n")
    (repo / "model.json").write_text('{"max_tokens": 5}')
    (repo / "report.html.jinja").write_text("{{ a }}\n")
    code = read_code(repo, repo)
    assert code.untracked == ["Makefile", "model.json", "new/folder", "new/link.py", "report.html.jinja"]
    assert code.why_not == []
    copy = tmp_path / "copy"
    assert given_back(git, repo, code, copy) == files_of(repo)
    assert (copy / "new" / "link.py").readlink() == Path("../train.py")
    assert (copy / "new" / "folder").readlink() == Path("..")


@pytest.mark.parametrize("text", ['{"db": {"password": "hunter2"}}', '{"a":' * 2000 + "1" + "}" * 2000])
def test_a_new_json_file_that_holds_a_secret_is_not_copied(repo: Path, text: str) -> None:
    (repo / "account.json").write_text(text)
    code = read_code(repo, repo)
    assert (code.patch, code.left_out) == (None, {"account.json": "it holds what looks secret"})


def test_a_folder_of_very_many_files_is_left_out(repo: Path) -> None:
    (repo / "data").mkdir()
    for number in range(2100):
        (repo / "data" / f"{number}.txt").touch()
    code = read_code(repo, repo)
    assert code.left_out == {"data/": "more than 2,000 files are not tracked"}


def test_a_repository_without_a_commit_says_so(tmp_path: Path, git: Git_) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "-q", "-b", "trunk")
    (folder / "train.py").write_text("x = 1\n")
    code = read_code(folder, folder)
    assert (code.commit, code.branch, code.untracked) == (None, "trunk", ["train.py"])
    assert code.why_not == ["the repository has no commit yet"]


def test_a_detached_head_has_no_branch(repo: Path, git: Git_) -> None:
    git("checkout", "-q", "--detach")
    code = read_code(repo, repo)
    assert (code.branch, code.commit) == (None, git("rev-parse", "HEAD"))
    assert code.why_not == []


def test_changes_inside_a_submodule_are_named(repo: Path, git: Git_, tmp_path: Path) -> None:
    git("clone", "-q", str(repo), str(tmp_path / "lib"))
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "lib"), "lib")
    git("commit", "-q", "-m", "with lib")
    assert read_code(repo, repo).why_not == []
    (repo / "lib" / "train.py").write_text("print(3)\n")
    assert read_code(repo, repo).why_not == ["the submodule lib has changes of its own"]
    inside = read_code(repo / "lib", repo / "lib")
    assert inside.remote == str(tmp_path / "lib")
    assert inside.changed == ["train.py"]


def test_a_merge_conflict_is_named(repo: Path, git: Git_) -> None:
    git("checkout", "-q", "-b", "side")
    (repo / "train.py").write_text("print('side')\n")
    git("commit", "-qam", "side")
    git("checkout", "-q", "main")
    (repo / "train.py").write_text("print('main')\n")
    git("commit", "-qam", "main")
    subprocess.run(["git", "merge", "side"], cwd=repo, capture_output=True)
    assert read_code(repo, repo).why_not == ["train.py has a merge conflict"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter2@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://hunter2@github.com/a/b.git", "https://github.com/a/b.git"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("/srv/git/b.git", "/srv/git/b.git"),
    ],
)
def test_the_address_of_the_remote_has_no_credentials(repo: Path, git: Git_, url: str, shown: str) -> None:
    git("remote", "add", "backup", "/elsewhere")
    git("remote", "add", "origin", url)
    assert remote_url(Git(repo), None) == shown
    assert remote_url(Git(repo), "backup") == "/elsewhere"
    git("worktree", "add", "-q", "../tree")
    assert read_code(repo.parent / "tree", repo.parent / "tree").remote == shown


def test_outside_a_repository_no_program_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", None, raising=False)
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert current_code() == Code(why_not=["the working folder is in no git repository"])


@pytest.mark.parametrize("has_main_file", [True, False], ids=["script", "job"])
def test_the_repository_of_the_script_counts_outside_of_any_other(
    repo: Path, git: Git_, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_main_file: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    script = str(repo / "train.py")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", script if has_main_file else None, raising=False)
    monkeypatch.setattr(sys, "argv", [script])
    assert current_code().commit == git("rev-parse", "HEAD")


def test_a_deleted_working_folder_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert current_code().why_not == ["the working folder no longer exists"]


def test_git_is_asked_once_per_process(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo)
    first = current_code()
    (repo / "train.py").write_text("print('edited while the first run went on')\n")
    monkeypatch.setattr(subprocess, "Popen", None)
    assert current_code() is first


def test_without_git_the_run_says_so(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert read_code(repo, repo).why_not == ["git could not be started"]


def fake_git(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_git_that_hangs_is_killed_with_all_its_children(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    fake_git(tmp_path / "bin", f"exec 9>{alive}\nsleep 300 &\nsleep 300", monkeypatch)
    code = read_code(repo, repo, timeout_s=0.3)
    assert code.why_not == ["git did not answer within 0.3 s"]
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # an end of file: nobody holds the other end any more
    os.close(reader)


def test_a_git_that_refuses_is_quoted(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_git(tmp_path / "bin", "echo 'fatal: detected dubious ownership' >&2; exit 128", monkeypatch)
    assert read_code(repo, repo).why_not == ["git refused: fatal: detected dubious ownership"]


def test_a_git_that_writes_without_end_is_killed(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_git(tmp_path / "bin", "yes", monkeypatch)
    with pytest.raises(GitError, match="git wrote more than 100,000 bytes"):
        Git(repo, timeout_s=200).ask("status", limit_bytes=100_000)


def test_asking_does_not_touch_the_repository(repo: Path) -> None:
    os.utime(repo / "train.py", (1, 1))  # git would like to refresh its index
    before = (repo / ".git" / "index").read_bytes()
    read_code(repo, repo)
    assert (repo / ".git" / "index").read_bytes() == before


def test_a_patch_has_context_whatever_the_user_sets(repo: Path, git: Git_, tmp_path: Path) -> None:
    git("config", "diff.context", "0")
    (repo / "train.py").write_text("print(1)\nprint(2)\n")
    assert given_back(git, repo, read_code(repo, repo), tmp_path / "copy") == files_of(repo)
