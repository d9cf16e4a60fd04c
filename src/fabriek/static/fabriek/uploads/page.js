// The box on the page of a dataset: drop or choose files, see how far they are, pause, go on, save.
// Without this file the form below it does the same, without going on after a break.
"use strict";
import { bundles, sendBundle, SMALL_BYTES } from "./bundle.js";
import { forget, LargeFile, unfinished } from "./parts.js";
import { once, Refusal, Stopped } from "./sending.js";
import { walk } from "./folders.js";
import { List } from "./list.js";
import { Still } from "./still.js";

const SIDE_BY_SIDE = 2;
const isOfGit = (path) => path.toLowerCase().split("/").includes(".git");

class Box {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.words = root.dataset;
    this.to = { api: root.dataset.api, csrf: document.querySelector("[name=csrfmiddlewaretoken]").value };
    this.items = new Map();
    this.list = new List(root, this.items);
    this.still = new Still(root);
    this.going = null;
    document.querySelector(root.dataset.instead).hidden = true;
    root.hidden = false;
    this.listen();
    this.tellUnfinished();
  }

  listen() {
    for (const name of ["files", "folder"]) {
      const input = this.part(name);
      const take = () => {
        this.add([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
        input.value = "";
      };
      input.addEventListener("change", take);
      if (input.files.length) take(); // chosen before this ran, or put back by the browser
      // It looks like a button, and browsers open it by the space bar only.
      input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); event.target.click(); } });
    }
    const area = this.part("drop");
    for (const kind of ["dragenter", "dragover"]) area.addEventListener(kind, (event) => { event.preventDefault(); area.classList.add("drop--over"); });
    for (const kind of ["dragleave", "drop"]) area.addEventListener(kind, () => area.classList.remove("drop--over"));
    area.addEventListener("drop", async (event) => { event.preventDefault(); this.add(await walk(event.dataTransfer)); });
    this.part("send").addEventListener("click", () => this.send());
    this.part("pause").addEventListener("click", () => this.pause());
    this.part("cancel").addEventListener("click", () => this.cancel());
    this.part("forget").addEventListener("click", () => this.forgetUnfinished());
    this.list.onRemove = (path) => this.remove(path);
    window.addEventListener("beforeunload", (event) => { if (this.going) event.preventDefault(); });
  }

  add(found) {
    const folder = this.part("into").value.trim().replace(/^\/+|\/+$/g, "");
    const wanted = found.filter(({ path }) => !isOfGit(path));
    this.part("status").textContent = wanted.length < found.length ? this.words.git.replace("{count}", this.list.number.format(found.length - wanted.length)) : "";
    for (const { file, path } of wanted) {
      const name = folder ? `${folder}/${path}` : path;
      if (this.items.get(name)?.state === "sending") continue;
      const state = file.size ? "waiting" : "failed";
      this.items.set(name, { file, path: name, sent: 0, state, problem: file.size ? "" : this.words.empty, sha256: "" });
    }
    this.list.draw();
    this.show();
  }

  remove(path) {
    const item = this.items.get(path);
    const at = [...this.items.keys()].indexOf(path);
    if (item.large) item.large.forget(new AbortController().signal);
    this.items.delete(path);
    this.list.draw();
    this.show();
    (this.list.button(at) || this.part("files")).focus();
  }

  // --- sending -----------------------------------------------------------------------------
  async send() {
    if (this.going) return;
    this.going = new AbortController();
    this.part("status").textContent = "";
    this.show();
    this.still.begin();
    const clock = setInterval(() => this.tellStill(), 1000);
    try {
      await this.sendAll(this.going.signal);
      if ([...this.items.values()].every((item) => item.state === "done")) await this.save(this.going.signal);
      else this.part("status").textContent = this.words.unsaved;
    } catch (trouble) {
      if (!(trouble instanceof Stopped)) this.part("status").textContent = trouble instanceof Refusal ? trouble.message : this.words.away;
    } finally {
      clearInterval(clock);
      this.still.begin();
      this.going = null;
      this.show();
    }
  }

  async sendAll(signal) {
    const left = [...this.items.values()].filter((item) => item.state !== "done" && item.file.size);
    const works = [
      ...bundles(left.filter((item) => item.file.size < SMALL_BYTES)).map((some) => () => this.sendSmall(some, signal)),
      ...left.filter((item) => item.file.size >= SMALL_BYTES).map((item) => () => this.sendLarge(item, signal)),
    ];
    const worker = async () => { for (let work = works.shift(); work; work = works.shift()) await work(); };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  }

  async sendLarge(item, signal) {
    item.large ||= new LargeFile(item.file, item.path, this.to);
    await this.watch([item], signal, async () => {
      item.sha256 = await item.large.send({ signal, placed: (at) => this.placed(item, at), told: (sent) => this.told(item, sent), waiting: (is) => this.waiting([item], is) });
    });
  }

  async sendSmall(items, signal) {
    const total = items.reduce((sum, item) => sum + item.file.size, 0);
    const told = (sent) => { for (const item of items) item.sent = item.file.size * Math.min(1, sent / total); this.progress(items); };
    await this.watch(items, signal, async () => {
      const found = await sendBundle(items, this.to, { signal, told, waiting: (is) => this.waiting(items, is) });
      for (const item of items) item.sha256 = found[item.path];
    });
  }

  // A file that is refused does not stop the others; a pause does.
  async watch(items, signal, work) {
    this.set(items, "sending");
    try {
      await work();
      for (const item of items) item.sent = item.file.size;
      this.set(items, "done");
    } catch (trouble) {
      const isStopped = trouble instanceof Stopped || signal.aborted;
      this.set(items, isStopped ? "paused" : "failed", isStopped ? "" : trouble instanceof Refusal ? trouble.message : this.words.unreadable);
      if (isStopped) throw new Stopped();
    }
  }

  // So much was there from before: it says nothing of how quick it goes now.
  placed(item, at) {
    this.still.pace.jump(at - item.sent);
    this.told(item, at);
  }

  told(item, sent) { item.sent = sent; this.progress([item]); }

  waiting(items, is) { this.set(items, is ? "offline" : "sending"); }

  set(items, state, problem = "") {
    for (const item of items) Object.assign(item, { state, problem });
    this.progress(items);
  }

  async save(signal) {
    this.part("status").textContent = this.words.saving;
    const files = [...this.items.values()].map(({ path, sha256 }) => ({ path: path.normalize("NFC"), sha256 }));
    const body = JSON.stringify({ files, message: this.part("message").value });
    const answer = await once({ method: "POST", url: `${this.to.api}revisions`, headers: { "Content-Type": "application/json" }, body, signal, csrf: this.to.csrf });
    if (!answer.ok) throw new Refusal({ ...answer.json, status: answer.status });
    this.going = null;
    this.items.clear();
    window.location.assign(this.words.saved.replace("/0/", `/${answer.json.number}/`));
  }

  // --- stopping ----------------------------------------------------------------------------
  pause() { this.going?.abort(); }

  async cancel() {
    this.pause();
    const signal = new AbortController().signal;
    const large = [...this.items.values()].filter((item) => item.large && item.state !== "done");
    this.items.clear();
    this.list.draw();
    this.show();
    await Promise.all(large.map((item) => item.large.forget(signal)));
  }

  tellUnfinished() {
    this.left = unfinished(this.to.api);
    this.part("left").hidden = !this.left.length;
    this.part("left-names").textContent = this.left.map(({ path }) => path).join(", ");
  }

  async forgetUnfinished() {
    const signal = new AbortController().signal;
    for (const each of this.left) await forget(each, { csrf: this.to.csrf, signal });
    this.tellUnfinished();
    this.part("files").focus();
  }

  tellStill() {
    const all = [...this.items.values()];
    const left = all.filter((item) => ["waiting", "sending", "offline"].includes(item.state)).reduce((sum, item) => sum + item.file.size - item.sent, 0);
    const isAway = all.some((item) => item.state === "offline") && !all.some((item) => item.state === "sending");
    if (isAway) this.still.begin();
    else this.still.tell(performance.now() / 1000, all.reduce((sum, item) => sum + item.sent, 0), left);
  }

  // --- showing -------------------------------------------------------------------------------
  progress(items) {
    this.list.update(items);
    this.list.total();
  }

  show() {
    const buttons = ["send", "pause", "cancel"].map(this.part);
    const held = buttons.find((button) => button === document.activeElement);
    const states = [...this.items.values()].map((item) => item.state);
    const some = states.length > 0;
    this.part("whole").hidden = !some;
    this.part("send").hidden = !some || Boolean(this.going);
    this.part("send").textContent = states.includes("paused") ? this.words.goOn : this.words.send;
    this.part("pause").hidden = !this.going;
    this.part("cancel").hidden = !some;
    // Who works by keyboard stays here when the button that they pressed gives way to another.
    if (held?.hidden) (buttons.find((button) => !button.hidden) || this.part("files")).focus();
    this.list.total();
  }
}

for (const root of document.querySelectorAll("[data-uploads]")) new Box(root);
