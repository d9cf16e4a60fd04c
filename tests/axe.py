"""What every page of the portal has to be: usable for everybody, quiet, and at home."""

from axe_playwright_python.base import AXE_SCRIPT

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
BROKEN_RULES = """rules => axe
  .run({runOnly: rules, resultTypes: ["violations"]})
  .then(found => found.violations)"""


class Watched:
    """A page in a browser of which nothing goes unseen: no error, no request to elsewhere."""

    def __init__(self, chromium, factory, **about):
        self.factory = factory
        self.context = chromium.new_context(
            base_url=factory.url,
            locale="nl-NL",
            viewport=WIDE,
            reduced_motion="reduce",  # colours are judged when they have settled
            **about,
        )
        self.context.set_default_timeout(60_000)  # only a test that fails waits so long
        self.complaints = []
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.on("request", self._follow)
        self.page = self.context.new_page()

    def __enter__(self):
        return self

    def __exit__(self, *_problem):
        self.context.close()

    def look(self, phone=False):
        """Check the page that stands here; the failure names page, rule and node."""
        self._check("wide")
        if phone:
            self.page.set_viewport_size(PHONE)
            assert self.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
            self._check("phone")
            self.page.set_viewport_size(WIDE)
        assert self.complaints == [], "\n".join(self.complaints)

    def go(self, path, phone=False):
        self.page.goto(path)
        self.look(phone)

    def _check(self, where):
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate(BROKEN_RULES, RULES)
        problems = [
            f"{self.page.url} ({where}) {rule['id']}: {node['html']} {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
        ]
        assert problems == [], "\n".join(problems)

    def _hear(self, message):
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _follow(self, request):
        if not request.url.startswith((self.factory.url, "data:")):
            self.complaints.append(f"{self.page.url} asks {request.url}")
