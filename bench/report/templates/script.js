"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  /* Tables: a click on a header sorts ascending, descending, and as it was. */

  const FINITE = 0, TEXT = 1, MISS = 2, UNMEASURED = 3;
  const collator = new Intl.Collator(undefined, { numeric: true });
  const originals = new WeakMap();
  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  function original(body) {
    if (!originals.has(body)) originals.set(body, [...body.rows]);
    return originals.get(body);
  }

  function key(cell) {
    if (!cell) return { rank: UNMEASURED };
    const { value, key: text } = cell.dataset;
    if (value === undefined) return { rank: TEXT, text: text ?? cell.textContent.trim() };
    const number = Number(value);
    if (Number.isNaN(number)) return { rank: UNMEASURED };
    return Number.isFinite(number) ? { rank: FINITE, number } : { rank: MISS };
  }

  function sort(header) {
    const table = header.closest("table");
    const direction = NEXT[header.getAttribute("aria-sort") ?? "none"];
    const sign = direction === "descending" ? -1 : 1;
    const body = table.tBodies[0];
    let rows = original(body);
    if (direction !== "none") {
      const column = header.cellIndex;
      const keyed = rows.map((row) => ({ row, by: key(row.cells[column]) }));
      keyed.sort(({ by: a }, { by: b }) => {
        if (a.rank !== b.rank) return a.rank - b.rank;
        if (a.rank === FINITE) return sign * (a.number - b.number);
        return a.rank === TEXT ? sign * collator.compare(a.text, b.text) : 0;
      });
      rows = keyed.map(({ row }) => row);
    }
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    if (direction !== "none") header.setAttribute("aria-sort", direction);
    // emptied at once: to take rows out one by one takes seconds where there are thousands
    body.replaceChildren();
    const sorted = document.createDocumentFragment();
    for (const row of rows) sorted.append(row);
    body.append(sorted);
  }

  for (const name of all("thead th > span")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name.textContent;
    name.replaceWith(button);
  }

  /* Optimizers and single runs, shown or not. */

  function show(checkbox) {
    for (const one of all(`[data-series="${checkbox.dataset.shows}"]`)) {
      one.toggleAttribute("hidden", !checkbox.checked);
    }
  }

  function showAll(on) {
    for (const checkbox of all("[data-shows]")) checkbox.checked = on;
    for (const one of all("[data-series]")) one.toggleAttribute("hidden", !on);
  }

  /* Scales: of each figure the variant that is asked for, as far as there is one. */

  function choose() {
    const wanted = (axis) => {
      const box = document.querySelector(`[data-scale="${axis}"]`);
      return box && (box.checked ? "log" : "linear");
    };
    const x = wanted("x"), y = wanted("y");
    for (const figure of all("figure")) {
      const variants = all(".variant", figure);
      // A figure may lack a scale: then the other axis alone decides.
      const has = (axis, scale) => variants.some((one) => one.dataset[axis] === scale);
      const fits = (one) => (!has("x", x) || one.dataset.x === x)
        && (!has("y", y) || one.dataset.y === y);
      const chosen = variants.find(fits);
      if (chosen) for (const one of variants) one.hidden = one !== chosen;
    }
  }

  /* The runs behind a number. */

  const dialog = document.querySelector("dialog");
  let opener = null;

  function target(hash) {
    try {
      return document.getElementById(decodeURIComponent(hash.slice(1)));
    } catch {
      return null;
    }
  }

  function open(link, found) {
    const shown = found.cloneNode(true);
    const table = shown.querySelector("table");
    table.tBodies[0].replaceChildren();
    for (const row of original(found.querySelector("tbody"))) {
      table.tBodies[0].append(row.cloneNode(true));
    }
    for (const one of [shown, ...all("[id]", shown)]) one.removeAttribute("id");
    for (const row of all("tr[hidden]", shown)) row.hidden = false;
    for (const header of all("[aria-sort]", shown)) header.removeAttribute("aria-sort");
    const column = [...table.tHead.rows[0].cells].findIndex(
      (header) => header.textContent === link.dataset.quantity,
    );
    if (column >= 0) for (const row of table.rows) row.cells[column]?.classList.add("asked");
    dialog.querySelector("h2").textContent = table.caption.textContent;
    dialog.querySelector(".body").replaceChildren(shown);
    opener = link;
    dialog.showModal();
    table.querySelector("thead .asked")?.scrollIntoView({ block: "nearest", inline: "center" });
  }

  dialog.addEventListener("close", () => {
    dialog.querySelector(".body").replaceChildren();
    opener?.focus();
  });

  function unfold() {
    const found = location.hash && target(location.hash);
    if (!found) return;
    for (let fold = found.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
    found.scrollIntoView();
  }

  addEventListener("hashchange", unfold);
  unfold();

  /* Everything that is clicked or ticked. */

  document.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-closes]")) return dialog.close();
    const header = event.target.closest("thead button");
    if (header) return sort(header.closest("th"));
    const switcher = event.target.closest("[data-all]");
    if (switcher) return showAll(switcher.dataset.all === "on");
    const link = event.target.closest("a.runs");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || dialog.open) return;
    const found = target(link.hash);
    if (found?.querySelector("table")) {
      event.preventDefault();
      open(link, found);
    }
  });

  document.addEventListener("change", ({ target: box }) => {
    if (box.matches("[data-shows]")) show(box);
    if (box.matches("[data-scale]")) choose();
    if (box.matches("[data-single-runs]")) {
      document.documentElement.classList.toggle("single-runs", box.checked);
    }
  });

  /* Unveil what needs this script. */

  for (const one of all("[data-scripted]:not([data-copies])")) one.hidden = false;

  const copies = document.querySelector("[data-copies]");
  if (copies && navigator.clipboard) {
    copies.hidden = false;
    copies.addEventListener("click", () => {
      const text = copies.closest("p").querySelector("code").textContent;
      navigator.clipboard.writeText(text).then(() => { copies.textContent = "Copied"; }, () => {});
    });
  }

  /* Say of a table that is wider than its place that it scrolls. */

  const watched = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      target.toggleAttribute("data-wider", target.scrollWidth > target.clientWidth + 1);
    }
  });
  for (const one of all(".scroll")) watched.observe(one);

  const bar = document.querySelector(".controls");
  if (bar) {
    new ResizeObserver(() => {
      const height = getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
      document.documentElement.style.setProperty("--bar-height", `${height}px`);
    }).observe(bar);
  }
})();
