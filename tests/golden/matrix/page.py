#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""page.py FILE - is the page of `zonewall show -o html` whole?

Every element is closed in its order, ids are there once, each link leads to one of them; nothing is loaded and no script
runs; and each row of a table has as many cells as its head.
"""

import html.parser
import sys

VOID = {"meta", "br"}
KNOWN = VOID | {"html", "head", "title", "style", "body", "h1", "h2", "h3", "p", "div", "span", "small", "table", "thead",
                "tbody", "tr", "th", "td", "a", "ul", "li", "code", "details", "summary"}
ATTRIBUTES = {"lang", "charset", "name", "content", "class", "id", "href", "title", "scope"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.problems, self.columns, self.cells = [], set(), set(), [], 0, 0

    def complain(self, what):
        self.problems.append(f"line {self.getpos()[0]}: {what}")

    def handle_starttag(self, tag, attrs):
        if tag not in KNOWN:
            self.complain(f"<{tag}>")
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.complain(f"<{tag} {name}>")
            if name == "id" and value in self.ids:
                self.complain(f"id {value} again")
            if name == "id":
                self.ids.add(value)
            if name == "href" and not value.startswith("#"):
                self.complain(f"a link out: {value}")
            if name == "href":
                self.links.add(value[1:])
        if tag == "table":
            self.columns = 0
        if tag == "tr":
            self.cells = 0
        if tag in ("td", "th"):
            self.cells += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.complain(f"</{tag}> closes something else")
        if tag == "tr" and self.cells != (self.columns or self.cells):
            self.complain(f"{self.cells} cells under {self.columns}")
        if tag == "thead":
            self.columns = self.cells

    def handle_data(self, data):
        if self.open and self.open[-1] == "style" and any(word in data for word in ("url(", "@import", "</")):
            self.complain("the style loads something")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    page = Page()
    page.feed(text)
    page.close()
    problems = page.problems + [f"no place for the link to #{link}" for link in sorted(page.links - page.ids)]
    problems += [f"<{tag}> is not closed" for tag in page.open]
    problems += [] if text.startswith("<!DOCTYPE html>\n") and page.links else ["no page"]
    for problem in problems:
        print(problem)
    return len(problems) > 0


if __name__ == "__main__":
    sys.exit(main())
