// Small conveniences; every page works without this file.
"use strict";
(() => {
  // A stylesheet that turns rows into cards takes the table's meaning away from screen readers: give it back.
  const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TFOOT: "rowgroup", TR: "row", TD: "cell" };
  const mark = (root) => {
    for (const table of root.querySelectorAll("table.table")) {
      for (const part of [table, ...table.querySelectorAll("thead,tbody,tfoot,tr,td,th")]) {
        const role = part.tagName === "TH" ? (part.scope === "row" ? "rowheader" : "columnheader") : roles[part.tagName];
        part.setAttribute("role", role);
      }
    }
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
  };

  const say = (form, key) => {
    const line = form.querySelector(".autosave");
    if (!line) return;
    const time = new Date().toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    line.textContent = (line.dataset[key] || "").replace("{time}", time);
    line.classList.toggle("autosave--failed", key === "failed");
  };

  // A menu that somebody left, by mouse or by key, would lie over what they went to.
  const leave = (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  };
  document.addEventListener("focusin", leave);
  document.addEventListener("click", (event) => {
    leave(event);
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const words = button.textContent;
    navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim()).then(() => {
      button.textContent = button.dataset.copied;
      setTimeout(() => { button.textContent = words; }, 2000);
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("submit", (event) => {
    const asker = event.submitter && event.submitter.dataset.confirm ? event.submitter : event.target;
    if (asker.dataset.confirm && !window.confirm(asker.dataset.confirm)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);

  const autosaved = (event) => event.target.closest && event.target.closest("form[data-autosave]");
  document.addEventListener("htmx:beforeRequest", (event) => { const form = autosaved(event); if (form) say(form, "saving"); });
  document.addEventListener("htmx:afterRequest", (event) => { const form = autosaved(event); if (form) say(form, event.detail.successful ? "saved" : "failed"); });
  // Sent while it is being saved, a form would meet its own save and be refused: let it wait for that.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-autosave].htmx-request")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    form.addEventListener("htmx:afterRequest", () => { setTimeout(() => form.requestSubmit(event.submitter), 0); }, { once: true });
  }, true);
  // What somebody opened stays open when that part of the page is shown anew.
  let opened = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    opened = [...event.detail.target.querySelectorAll("details[open][id]")].map((one) => one.id);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    for (const one of opened) document.getElementById(one)?.setAttribute("open", "");
    mark(event.target.parentElement || document);
    const summary = event.target.querySelector("[data-focus]");
    if (summary) summary.focus();
  });
  // Nobody presses a button twice because the first answer is slow.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || !event.submitter || event.target.method !== "post") return;
    const pressed = event.submitter;
    setTimeout(() => { pressed.setAttribute("aria-disabled", "true"); pressed.classList.add("htmx-request"); }, 0);
    setTimeout(() => { pressed.removeAttribute("aria-disabled"); pressed.classList.remove("htmx-request"); }, 8000);
  });
  mark(document);
  for (const summary of document.querySelectorAll("[data-focus]")) summary.focus();
})();
