// What a browser that may run scripts adds to the report: search, filter, sort. The page is whole
// without it. Filtering hides on screen only: paper always has everything.
"use strict";
(() => {
  const matrix = document.querySelector("#matrix table");
  if (!matrix) return;

  const WORST_FIRST = ["fail", "error", "inconclusive", "waived", "pass", "not_applicable", "not_evaluated", "not_selected", "excluded"];
  const kindOf = (cell) => (cell && /(?:^|\s)v-(\w+)/.exec(cell.className) || [])[1] || "";
  const make = (tag, fields, ...inside) => {
    const made = Object.assign(document.createElement(tag), fields);
    made.append(...inside);
    return made;
  };

  // The details of the host that a link names, where they are on this page.
  const sectionOf = (link) => (link && link.hash ? document.getElementById(decodeURIComponent(link.hash.slice(1))) : null);

  // A row of the matrix is a host, or hosts alike, whose names follow it.
  const groups = [...matrix.tBodies].map((body) => ({
    body,
    entries: [...body.rows].filter((row) => !row.matches(".group, .names")).map((row, place) => {
      const names = row.nextElementSibling && row.nextElementSibling.matches(".names") ? row.nextElementSibling : null;
      const cells = [...row.cells].slice(1);
      return {
        row, names, place,
        kinds: cells.map(kindOf),
        text: row.cells[0].textContent.toLowerCase(),
        links: names ? [...names.querySelectorAll("a, span")].map((link) => ({ link, text: link.textContent.toLowerCase(), section: sectionOf(link) })) : [],
        section: sectionOf(row.querySelector("th a")),
        fold: names && names.querySelector("details:not([open])"),
      };
    }),
  }));
  const entries = groups.flatMap((group) => group.entries);
  if (entries.length < 2 && !entries.some((entry) => entry.names)) return; // nothing to look for
  const findings = [...document.querySelectorAll(".finding")].map((article) => ({
    article, text: article.textContent.toLowerCase(),
    kind: (/(?:^|\s)c-(\w+)/.exec(article.className) || [])[1],
  }));

  const search = make("input", { type: "search", id: "tools-search", autocomplete: "off", spellcheck: false });
  const status = make("output", {});
  status.setAttribute("aria-live", "polite");
  status.setAttribute("for", "tools-search");
  const present = WORST_FIRST.filter((kind) => entries.some((entry) => entry.kinds.includes(kind)));
  const buttons = present.map((kind) => {
    const button = make("button", { type: "button", className: `v-${kind}`, value: kind });
    const sample = [...matrix.querySelectorAll(`td.v-${kind}`)].find((cell) => cell.querySelector("svg"));
    if (sample) button.append(sample.querySelector("svg").cloneNode(true));
    button.append(kind === "waived" ? "waived fail" : kind.replace("_", " "));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      apply();
      remember();
    });
    return button;
  });
  const tools = make("div", { className: "tools" },
    make("label", { htmlFor: "tools-search" }, "Find hosts"), search, ...buttons, status);
  tools.setAttribute("role", "search");
  matrix.closest(".scroll").before(tools);

  const show = (element, yes) => element && element.classList.toggle("filtered", !yes);
  function apply() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = buttons.filter((button) => button.getAttribute("aria-pressed") === "true").map((button) => button.value);
    const has = (text) => words.every((word) => text.includes(word));
    let shown = 0, all = 0;
    for (const group of groups) {
      let some = false;
      for (const entry of group.entries) {
        const kind = !wanted.length || entry.kinds.some((one) => wanted.includes(one));
        let hosts = kind && has(entry.text) ? 1 : 0;
        all += entry.names ? entry.links.length : 1;
        if (entry.names) {
          hosts = 0;
          for (const { link, text, section } of entry.links) {
            const yes = kind && has(text);
            show(link, yes);
            show(section, yes);
            hosts += yes;
          }
          show(entry.names, hosts);
          if (entry.fold) entry.fold.open = words.length > 0;
        }
        show(entry.row, hosts);
        show(entry.section, hosts);
        shown += hosts;
        some = some || hosts > 0;
      }
      show(group.body, some);
    }
    for (const { article, text, kind } of findings) show(article, has(text) && (!wanted.length || wanted.includes(kind)));
    const number = (count) => count.toLocaleString("en");
    status.value = words.length || wanted.length ? `${number(shown)} of ${number(all)} hosts` : "";
  }

  // The address keeps what is asked for: to come back to it, and to send it to somebody.
  function remember() {
    const asked = new URLSearchParams();
    const wanted = buttons.filter((button) => button.getAttribute("aria-pressed") === "true").map((button) => button.value);
    if (search.value) asked.set("find", search.value);
    if (wanted.length) asked.set("show", wanted.join(" "));
    const query = String(asked);
    try {
      history.replaceState(null, "", location.pathname + (query && `?${query}`) + location.hash);
    } catch { /* some browsers forbid it to a page that is opened as a file */ }
  }
  const kept = new URLSearchParams(location.search);
  search.value = kept.get("find") || "";
  const pressed = (kept.get("show") || "").split(" ");
  for (const button of buttons) if (pressed.includes(button.value)) button.setAttribute("aria-pressed", "true");
  if (location.search) apply();

  search.addEventListener("input", () => { apply(); remember(); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { search.value = ""; apply(); remember(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(input|textarea|select)$/i.test(event.target.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });

  // Whoever follows a link sees where it leads, filtered or not.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const hidden = target && target.closest(".filtered");
    if (hidden) { show(hidden, true); target.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);

  // Sorting stays within the groups; a third press gives the report's own order back.
  const heads = [...matrix.tHead.rows[0].cells];
  const rank = (entry, column) => {
    const place = WORST_FIRST.indexOf(entry.kinds[column - 1] || entry.kinds[0] || "");
    return place < 0 ? WORST_FIRST.length : place;
  };
  heads.forEach((head, column) => {
    const button = make("button", { type: "button", title: "Sort" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const way = { "": "descending", descending: "ascending", ascending: "" }[head.getAttribute("aria-sort") || ""];
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      if (way) head.setAttribute("aria-sort", way);
      const turn = way === "ascending" ? -1 : 1;
      for (const group of groups) {
        const ordered = [...group.entries].sort((one, other) => {
          const by = !way ? 0 : column === 0
            ? one.text.localeCompare(other.text, "en", { numeric: true })
            : rank(one, column) - rank(other, column);
          return turn * by || one.place - other.place;
        });
        for (const { row, names } of ordered) group.body.append(row, ...(names ? [names] : []));
      }
    });
  });
})();
