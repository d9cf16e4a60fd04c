// Many small files in one request, as `tar` writes them.
"use strict";
import { hex, once, Refusal, sha256, untilThrough } from "./sending.js";

export const SMALL_BYTES = 2 ** 20;
const BUNDLE_BYTES = 16 * 2 ** 20;
const BUNDLE_FILES = 1000;
const BLOCK = 512;

// Part small files in bundles.
export const bundles = (items) => {
  const all = [];
  let size = Infinity;
  for (const item of items) {
    if (size + item.file.size > BUNDLE_BYTES || all.at(-1).length >= BUNDLE_FILES) { all.push([]); size = 0; }
    all.at(-1).push(item);
    size += item.file.size;
  }
  return all;
};

const bytes = (text) => new TextEncoder().encode(text);

const header = (name, size, kind) => {
  const block = new Uint8Array(BLOCK);
  const put = (at, text) => block.set(bytes(text), at);
  block.set(name.slice(0, 100), 0);
  put(100, "0000644\0"); put(108, "0000000\0"); put(116, "0000000\0");
  put(124, `${size.toString(8).padStart(11, "0")}\0`); put(136, "00000000000\0");
  put(148, "        "); put(156, kind); put(257, "ustar\u000000");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
};

// A record of the newer format says its own length, which counts itself.
const record = (name) => {
  const rest = bytes(" path=").length + name.length + 1;
  let length = rest;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  const found = new Uint8Array(length);
  found.set(bytes(`${length} path=`), 0);
  found.set(name, length - name.length - 1);
  found[length - 1] = 10;
  return found;
};

const padding = (size) => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

const entry = (path, content) => {
  const name = bytes(path);
  const isPlain = name.length <= 100 && name.length === path.length;
  const named = record(name);
  const before = isPlain ? [] : [header(bytes("name"), named.length, "x"), named, padding(named.length)];
  return [...before, header(isPlain ? name : bytes("file"), content.byteLength, "0"), content, padding(content.byteLength)];
};

// Send them, and see that each arrived as what it was; gives {path: SHA-256}.
export const sendBundle = async (items, { api, csrf }, { signal, told, waiting }) => {
  const contents = await Promise.all(items.map((item) => item.file.arrayBuffer()));
  const tar = new Blob([...items.flatMap((item, at) => entry(item.path, contents[at])), new Uint8Array(2 * BLOCK)]);
  const answer = await untilThrough(
    () => once({ method: "POST", url: `${api}bundle`, headers: { "Content-Type": "application/x-tar" }, body: tar, csrf, signal, told }),
    { signal, waiting },
  );
  if (!answer.ok) throw new Refusal({ ...answer.json, status: answer.status });
  const arrived = answer.json.files;
  const found = {};
  for (const [at, item] of items.entries()) {
    const digest = await sha256(contents[at]);
    found[item.path] = arrived[item.path.normalize("NFC")];
    if (!found[item.path] || (digest && hex(digest) !== found[item.path])) throw new Refusal({ status: 460, code: "other_checksum" });
  }
  return found;
};
