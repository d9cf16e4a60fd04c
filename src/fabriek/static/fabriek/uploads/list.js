// The list of files on their way, and how far all of them are together.
"use strict";

const DRAWN = 100;

export class List {
  constructor(root, items) {
    this.root = root;
    this.items = items;
    this.words = root.dataset;
    this.rows = new Map();
    this.onRemove = () => {};
    this.number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
  }

  part(name) { return this.root.querySelector(`[data-part="${name}"]`); }

  size(bytes) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    const at = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
    return `${this.number.format(bytes / 1000 ** at)} ${units[at]}`;
  }

  draw() {
    const shown = [...this.items.values()].slice(0, DRAWN);
    this.rows = new Map(shown.map((item) => [item.path, this.row(item)]));
    this.part("list").replaceChildren(...this.rows.values());
    const more = this.items.size - shown.length;
    this.part("more").hidden = more <= 0;
    this.part("more").textContent = this.words.more.replace("{count}", this.number.format(more));
    this.update(shown);
  }

  // The button in the row at this place, or in the last one; nothing where there are no rows.
  button(at) {
    const rows = [...this.rows.values()];
    return rows[Math.min(at, rows.length - 1)]?.querySelector("button:not([hidden])");
  }

  row(item) {
    const row = this.part("row").content.firstElementChild.cloneNode(true);
    row.querySelector("[data-is=name]").textContent = item.path;
    row.querySelector("[data-is=size]").textContent = this.size(item.file.size);
    const bar = row.querySelector("progress");
    bar.max = Math.max(1, item.file.size);
    bar.setAttribute("aria-label", item.path);
    const remove = row.querySelector("button");
    remove.setAttribute("aria-label", `${remove.textContent}: ${item.path}`);
    remove.addEventListener("click", () => this.onRemove(item.path));
    return row;
  }

  update(items) {
    for (const item of items) {
      const row = this.rows.get(item.path);
      if (!row) continue;
      row.dataset.state = item.state;
      row.querySelector("progress").value = item.sent;
      row.querySelector("[data-is=state]").textContent = item.problem || this.words[item.state];
      row.querySelector("button").hidden = item.state === "sending" || item.state === "offline";
    }
  }

  total() {
    const all = [...this.items.values()];
    const total = all.reduce((sum, item) => sum + item.file.size, 0);
    const sent = all.reduce((sum, item) => sum + item.sent, 0);
    const bar = this.part("bar");
    bar.max = Math.max(1, total);
    bar.value = sent;
    const said = this.words.far
      .replace("{done}", this.number.format(all.filter((item) => item.state === "done").length))
      .replace("{count}", this.number.format(all.length))
      .replace("{sent}", this.size(sent))
      .replace("{total}", this.size(total));
    if (this.part("far").textContent !== said) this.part("far").textContent = said;
  }
}
