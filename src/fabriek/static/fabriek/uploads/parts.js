// One large file in parts (tus 1.0.0), each with its proof. Where it stands is asked of the portal; what
// this browser remembers is only under which address the file of this name, size and date was begun.
"use strict";
import { base64, once, Refusal, sha256, untilThrough } from "./sending.js";

const PART_BYTES = 8 * 2 ** 20;
const TUS = { "Tus-Resumable": "1.0.0" };
const PREFIX = "fabriek upload";

const keyOf = (api, path, file) => `${PREFIX} ${api} ${file.size} ${file.lastModified} ${path}`;

// What was begun here and not finished: {key, path, address}.
export const unfinished = (api) => {
  const found = [];
  for (let at = 0; at < localStorage.length; at += 1) {
    const key = localStorage.key(at);
    if (!key.startsWith(`${PREFIX} ${api} `)) continue;
    const path = key.slice(`${PREFIX} ${api} `.length).split(" ").slice(2).join(" ");
    found.push({ key, path, address: localStorage.getItem(key) });
  }
  return found;
};

export const forget = async ({ key, address }, { csrf, signal }) => {
  localStorage.removeItem(key);
  await once({ method: "DELETE", url: address, headers: TUS, csrf, signal }).catch(() => {});
};

export class LargeFile {
  constructor(file, path, { api, csrf }) {
    Object.assign(this, { file, path, api, csrf, key: keyOf(api, path, file), at: 0 });
  }

  // Send what is not there yet; gives the SHA-256 that the portal found.
  async send({ signal, placed, told, waiting }) {
    let proof = await untilThrough(() => this.place(signal), { signal, waiting });
    placed(this.at);
    while (this.at < this.file.size || !proof) {
      told(this.at);
      proof = await untilThrough(() => this.part(signal, told), { signal, waiting });
    }
    told(this.file.size);
    localStorage.removeItem(this.key);
    return proof;
  }

  async forget(signal) {
    const address = localStorage.getItem(this.key);
    if (address) await forget({ key: this.key, address }, { csrf: this.csrf, signal });
  }

  // Find the upload that was begun before, or begin one; sets how far it is.
  async place(signal) {
    this.address = localStorage.getItem(this.key);
    if (this.address) {
      const answer = await once({ method: "HEAD", url: this.address, headers: TUS, csrf: this.csrf, signal });
      if (answer.ok) {
        this.at = Number(answer.header("Upload-Offset"));
        return answer.header("Fabriek-SHA256");
      }
      if (answer.status !== 404) throw new Refusal({ ...answer.json, status: answer.status });
    }
    const name = base64(new TextEncoder().encode(this.path));
    const headers = { ...TUS, "Upload-Length": String(this.file.size), "Upload-Metadata": `path ${name}` };
    const begun = await once({ method: "POST", url: `${this.api}uploads/`, headers, csrf: this.csrf, signal });
    if (!begun.ok) throw new Refusal({ ...begun.json, status: begun.status });
    this.address = begun.header("Location");
    this.at = 0;
    localStorage.setItem(this.key, this.address);
    return null;
  }

  async part(signal, told) {
    const content = await this.file.slice(this.at, this.at + PART_BYTES).arrayBuffer();
    const digest = await sha256(content);
    const headers = { ...TUS, "Upload-Offset": String(this.at), "Content-Type": "application/offset+octet-stream" };
    if (digest) headers["Upload-Checksum"] = `sha256 ${base64(digest)}`;
    const from = this.at;
    let answer;
    try {
      answer = await once({
        method: "PATCH", url: this.address, headers, body: content, csrf: this.csrf, signal, told: (sent) => told(from + sent),
      });
    } catch (trouble) {
      if (trouble instanceof TypeError) await this.place(signal);
      throw trouble;
    }
    if (answer.status === 404) localStorage.removeItem(this.key);
    if ([404, 409].includes(answer.status)) {
      const proof = await this.place(signal);
      if (proof) return proof;
    }
    if (!answer.ok) throw new Refusal({ ...answer.json, status: answer.status === 404 ? 409 : answer.status });
    this.at = Number(answer.header("Upload-Offset"));
    return answer.header("Fabriek-SHA256");
  }
}
