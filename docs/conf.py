"""How `make docs` builds the guide and the API into build/docs; any warning, such as a dead link, fails."""

from importlib.metadata import version as version_of

project = "napari-necroseg"
author = "The napari-necroseg maintainers"
project_copyright = author
release = version = version_of(project)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
# The pages read well where they lie, too: what only Sphinx needs stands in a page of its own.
root_doc = "contents"
exclude_patterns = ["images", "templates"]
# Links to headings are made as on GitHub.
myst_heading_anchors = 4

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "model_config, event"}
napoleon_google_docstring = False
napoleon_use_rtype = False

templates_path = ["templates"]
html_theme = "furo"
html_title = f"napari-necroseg {release}"
html_copy_source = False
