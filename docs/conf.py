"""How Sphinx builds these pages: `make docs`."""

import naga

project = "Naga"
author = "The Naga developers"
project_copyright = "The Naga developers"
version = release = naga.__version__

myst_enable_extensions = ["deflist"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Naga"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the numpy docstrings say them, for people
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = True
