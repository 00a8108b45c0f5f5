"""What is wrong with how a page is laid out, as a browser measures it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # playwright may not be there
    from playwright.sync_api import Page

BLOCKS = (
    "h1, h2, h3, p, .scroll, figure, figcaption, .variant, .files, .chip, .switch, button, "
    "summary, nav li, dt, dd, aside"
)

_OVERLAPPING = """(selector) => {
  const clipped = (element) => {
    const own = element.getBoundingClientRect();
    let [left, top, right, bottom] = [own.left, own.top, own.right, own.bottom];
    for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
      if (getComputedStyle(up).overflowX === "visible") continue;
      const box = up.getBoundingClientRect();
      left = Math.max(left, box.left); top = Math.max(top, box.top);
      right = Math.min(right, box.right); bottom = Math.min(bottom, box.bottom);
    }
    return { element, left, top, right, bottom };
  };
  const boxes = [...document.querySelectorAll(selector)]
    .filter((one) => one.checkVisibility() && getComputedStyle(one).display !== "inline")
    .map(clipped)
    .filter((box) => box.right - box.left > 1 && box.bottom - box.top > 1)
    .sort((a, b) => a.top - b.top);
  const named = ({ element }) => `${element.tagName} ${element.className}: `
    + element.textContent.trim().slice(0, 40);
  const found = [];
  boxes.forEach((a, index) => {
    for (const b of boxes.slice(index + 1)) {
      if (b.top > a.bottom - 1) break;
      if (a.element.contains(b.element) || b.element.contains(a.element)) continue;
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 1 && height > 1) found.push(`${named(a)} / ${named(b)}`);
    }
  });
  return found;
}"""

_SPILLING = """() => [...document.querySelectorAll("th, td, .chip, button, figcaption, h1, h2, p")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).display !== "inline"
    && getComputedStyle(one).overflowX === "visible" && one.scrollWidth > one.clientWidth + 1)
  .map((one) => `${one.tagName}: ${one.textContent.trim().slice(0, 60)}`)"""


def flaws(page: "Page") -> list[str]:
    """What overlaps, spills out of its box, or makes the page scroll sideways."""
    sideways: bool = page.evaluate("document.scrollingElement.scrollWidth > innerWidth")
    return [
        *(["the page scrolls sideways"] if sideways else []),
        *page.evaluate(_OVERLAPPING, BLOCKS),
        *page.evaluate(_SPILLING),
    ]
