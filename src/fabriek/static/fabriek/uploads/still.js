// How long sending takes still: by how quick it was these last seconds, in round figures that stay
// until they are clearly wrong; said to a screen reader once a minute.
"use strict";

const LOOKED_BACK_S = 30;
const KNOWN_AFTER_S = 4;
// What a browser says to have sent at first only fills what lies between it and the line.
const FILLING_S = 2;
const SHOWN_EVERY_S = 5;
const SAID_EVERY_S = 60;
const [MINUTE_S, HOUR_S] = [60, 3600];

// What was sent when. What went before a pause tells nothing: begin a new one after it.
export class Pace {
  constructor() {
    this.seen = [];
    this.began = null;
  }

  // So many bytes turned out to be there already: they tell nothing of how quick the line is.
  jump(bytes) { for (const each of this.seen) each.sent += bytes; }

  // Give the seconds that `left` bytes take, or null while nobody can tell.
  seconds(now, sent, left) {
    const last = this.seen.at(-1);
    if (last && sent < last.sent) this.jump(sent - last.sent);
    this.began ??= now;
    if (now - this.began <= FILLING_S) this.seen = [];
    this.seen.push({ now, sent });
    while (this.seen.length > 2 && this.seen[1].now <= now - LOOKED_BACK_S) this.seen.shift();
    const [first] = this.seen;
    const moved = sent - first.sent;
    return now - first.now < KNOWN_AFTER_S || moved <= 0 ? null : (left / moved) * (now - first.now);
  }
}

// Put seconds into a round figure; the one that is shown stays while it is not far off.
export const figure = (seconds, shown = null) => {
  if (shown && shown.from <= seconds && seconds <= shown.to) return shown;
  if (seconds < 50) return { kind: "soon", count: 0, from: 0, to: MINUTE_S };
  const [unit, step] = seconds < 1.5 * HOUR_S ? [MINUTE_S, 1] : [HOUR_S, 0.5];
  const count = Math.max(step, Math.round(seconds / unit / step) * step);
  const kind = unit === HOUR_S ? "hours" : count === 1 ? "minute" : "minutes";
  const slack = 0.75 * step;
  return { kind, count, from: Math.max(40, (count - slack) * unit), to: (count + slack) * unit };
};

export class Still {
  constructor(root) {
    this.shown = root.querySelector("[data-part=still]");
    this.said = root.querySelector("[data-part=still-said]");
    this.words = root.dataset;
    this.number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
    this.saidAt = -Infinity;
    this.begin();
  }

  // Sending begins, or begins again; until it is known how quick that goes, nothing is shown.
  begin() {
    this.pace = new Pace();
    this.figure = null;
    this.shownAt = -Infinity;
    this.shown.textContent = "";
  }

  // To be called each second; `now` in seconds.
  tell(now, sent, left) {
    const seconds = this.pace.seconds(now, sent, left);
    if (now - this.shownAt < SHOWN_EVERY_S && this.figure) return;
    this.figure = seconds === null || !left ? null : figure(seconds, this.figure);
    this.shownAt = now;
    const text = this.text(this.figure);
    if (this.shown.textContent !== text) this.shown.textContent = text;
    if (text && this.said.textContent !== text && now - this.saidAt >= SAID_EVERY_S) {
      this.said.textContent = text;
      this.saidAt = now;
    }
  }

  text(chosen) {
    const words = { soon: this.words.leftSoon, minute: this.words.leftMinute, minutes: this.words.leftMinutes, hours: this.words.leftHours };
    return chosen ? words[chosen.kind].replace("{count}", this.number.format(chosen.count)) : "";
  }
}
