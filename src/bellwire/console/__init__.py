"""The web console: pages for operators at `/console`.

    browser ──▶ gate.py (sign-in, cookie, who may enter) ──▶ application.py (NiceGUI) ──▶ one file a page
                                                                                         └▶ facade.py ──▶ engine

What goes in before anyone has signed in is plain HTML and imports nothing heavy. NiceGUI, which takes over a second to
import, is loaded when the first operator enters. Pages hold no rules: they ask the façade, and write what it says.
"""
