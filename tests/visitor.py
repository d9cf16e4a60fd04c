"""Somebody without JavaScript: follows links, fills in the forms that pages really show."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

VOID = {"submit", "button", "image", "reset"}


class Form:
    """One form of a page, with the values it would send when nothing is changed."""

    def __init__(self, attributes):
        self.action = attributes.get("action") or ""
        self.is_multipart = "multipart" in (attributes.get("enctype") or "")
        self.values = {}
        self.choices = {}
        self.buttons = []
        self.files = []

    def takes(self, name):
        return name in self.values or name in self.choices or name in self.files


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms, self.links, self._form, self._area, self._select = [], [], None, None, None

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag == "form":
            self._form = Form(attributes)
            self.forms.append(self._form)
        elif self._form is not None:
            self._take(tag, attributes)

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data):
        if self._area and self._form:
            self._form.values[self._area] += data

    def _take(self, tag, attributes):
        name, kind = attributes.get("name"), attributes.get("type", "text")
        if tag == "textarea" and name:
            self._area, self._form.values[name] = name, ""
        elif tag == "select" and name:
            self._select = name
            self._form.choices[name] = []
        elif tag == "option" and self._select:
            self._option(attributes)
        elif tag == "button" and name:
            self._form.buttons.append((name, attributes.get("value", "")))
        elif tag == "input" and name:
            self._input(name, kind, attributes)

    def _option(self, attributes):
        value = attributes.get("value", "")
        self._form.choices[self._select].append(value)
        if "selected" in attributes or len(self._form.choices[self._select]) == 1:
            self._form.values[self._select] = value

    def _input(self, name, kind, attributes):
        value = attributes.get("value", "on" if kind == "checkbox" else "")
        if kind == "file":
            self._form.files.append(name)
        elif kind in {"radio", "checkbox"}:
            self._form.choices.setdefault(name, []).append(value)
            if "checked" in attributes:
                self._form.values[name] = value
        elif kind not in VOID:
            self._form.values[name] = value


class Visitor:
    def __init__(self, url, language="nl"):
        self.http = httpx.Client(
            base_url=url,
            follow_redirects=True,
            timeout=60,
            headers={"Accept-Language": language, "Referer": url},
        )
        self.page = None

    def go(self, path):
        self._arrive(self.http.get(path))
        return self

    def follow(self, part):
        """Follow the first link whose address holds `part`."""
        found = [link for link in self._read.links if part in link]
        assert found, f"no link with {part!r} on {self.page.url}"
        return self.go(urljoin(str(self.page.url), found[0]))

    def send(self, _to="", *, files=None, **values):
        """Fill in a form and send it: its action ends in `_to`, and it has these fields."""
        form = self._form(_to, {*values, *(files or {})})
        for name in values:
            assert form.takes(name), f"the form has no field {name}: {sorted(form.values)}"
        body = form.values | {name: str(value) for name, value in values.items()}
        target = urljoin(str(self.page.url), form.action)
        sent = [(name, file) for name, each in (files or {}).items() for file in each]
        self._arrive(self.http.post(target, data=body, files=sent or None))
        return self

    @property
    def path(self):
        return urlsplit(str(self.page.url)).path

    @property
    def text(self):
        return self.page.text

    def _form(self, to, names):
        fitting = [
            form
            for form in self._read.forms
            if form.action.rstrip("/").endswith(to.rstrip("/"))
            and all(form.takes(name) for name in names)
            and "language" not in form.action
            and ("logout" not in form.action or "logout" in to)
        ]
        actions = [form.action for form in self._read.forms]
        assert fitting, f"no form {to!r} with {names} on {self.page.url}; there are {actions}"
        return fitting[0]

    def _arrive(self, page):
        self.page = page
        self._read = _Reader()
        if "html" in page.headers.get("content-type", ""):
            self._read.feed(page.text)
