"""Hide a page from its user, and show it again: what a browser does with a tab in the background."""

#: `page.evaluate(HIDE, True)`
HIDE = """hidden => {
    Object.defineProperty(document, "visibilityState", {configurable: true, value: hidden ? "hidden" : "visible"});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
