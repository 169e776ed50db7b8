"""What the documentation site shows from outside docs/: the README as its entry, changes, examples, deploy/.

Such a file keeps its path of the repository on the site. Links are written for readers of the repository, so they are
rewritten here: `docs/sms.md` of the README, and `../examples/…` of a page in docs/.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/parcel_desk/README.md")
FILES = ("LICENSE", "examples/**/*.py", "examples/javascript/*.cjs", "examples/javascript/package.json", "deploy/*")

_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
_MARKER = re.compile(r"^<!-- tour: .*-->\n+", re.MULTILINE)


def on_files(files: Files, /, *, config: MkDocsConfig) -> Files:
    """Add the pages and files that lie outside docs/, under the paths that they have in the repository."""
    for path in (*PAGES, *(str(p.relative_to(ROOT)) for pattern in FILES for p in sorted(ROOT.glob(pattern)))):
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their targets are on the site, and take out what is for the tests alone."""
    path = page.file.src_uri
    in_repository = path if path in PAGES else f"docs/{path}"
    return _LINK.sub(lambda found: _on_site(found, in_repository, path), _MARKER.sub("", markdown))


def _on_site(found: re.Match[str], source: str, page: str) -> str:
    """A link as written in `source` (a path of the repository), for a page of the site."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["path"]))
    on_site = target.removeprefix("docs/")
    return posixpath.relpath(on_site, posixpath.dirname(page) or ".") + (found["anchor"] or "")
