// How bytes travel: one request with its progress, tried again while the network is away.
"use strict";

const PAUSES_S = [0.5, 1, 2, 4, 8, 15, 30];

export class Stopped extends Error {}
export class Refusal extends Error {
  constructor(answer) {
    super(answer.detail || `The portal answered ${answer.status}.`);
    this.status = answer.status;
    this.code = answer.code;
  }
}

export const hex = (digest) => [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const base64 = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));

// Browsers keep hashing for pages that nobody on the way can have changed: https, or this computer.
export const sha256 = async (buffer) => (crypto.subtle ? crypto.subtle.digest("SHA-256", buffer) : null);

const parsed = (text) => { try { return JSON.parse(text); } catch { return {}; } };

// One try. Rejects with a TypeError when nothing came back, as fetch does.
export const once = ({ method, url, headers = {}, body = null, told = () => {}, signal, csrf }) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  const stop = () => { request.abort(); reject(new Stopped()); };
  if (signal.aborted) { reject(new Stopped()); return; }
  signal.addEventListener("abort", stop, { once: true });
  request.open(method, url);
  for (const [name, value] of Object.entries({ ...headers, "X-CSRFToken": csrf })) request.setRequestHeader(name, value);
  request.upload.addEventListener("progress", (event) => told(event.loaded));
  request.addEventListener("load", () => resolve({
    status: request.status,
    ok: request.status >= 200 && request.status < 300,
    header: (name) => request.getResponseHeader(name),
    json: parsed(request.responseText),
  }));
  request.addEventListener("error", () => reject(new TypeError("network")));
  request.addEventListener("loadend", () => signal.removeEventListener("abort", stop));
  request.send(body);
});

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  const done = () => { clearTimeout(timer); window.removeEventListener("online", done); signal.removeEventListener("abort", stop); resolve(); };
  const stop = () => { clearTimeout(timer); window.removeEventListener("online", done); reject(new Stopped()); };
  const timer = setTimeout(done, seconds * 1000);
  window.addEventListener("online", done);
  signal.addEventListener("abort", stop, { once: true });
});

// Do `work` until it gets through; `waiting` is told that the network is away, and when it is back.
export const untilThrough = async (work, { signal, waiting }) => {
  for (let tries = 0; ; tries += 1) {
    try {
      const found = await work();
      waiting(false);
      return found;
    } catch (trouble) {
      const mayPass = trouble instanceof TypeError || (trouble instanceof Refusal && [409, 423, 460, 502, 503, 504].includes(trouble.status));
      if (!mayPass || (trouble instanceof Refusal && tries >= PAUSES_S.length)) throw trouble;
      waiting(true);
      await pause(PAUSES_S[Math.min(tries, PAUSES_S.length - 1)], signal);
    }
  }
};
