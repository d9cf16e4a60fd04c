// What was dropped: files, and all that is in folders, with their paths.
"use strict";

const read = (reader) => new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
const fileOf = (entry) => new Promise((resolve, reject) => { entry.file(resolve, reject); });

const below = async (entry, front) => {
  const path = front + entry.name;
  if (entry.isFile) return [{ file: await fileOf(entry), path }];
  const found = [];
  const reader = entry.createReader();
  // A browser gives a hundred at a time, and an empty answer at the end.
  for (let some = await read(reader); some.length; some = await read(reader)) {
    for (const each of some) found.push(...await below(each, `${path}/`));
  }
  return found;
};

export const walk = async (dropped) => {
  // Taken at once: after the first wait the browser has emptied the list.
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.length) return [...dropped.files].map((file) => ({ file, path: file.name }));
  const found = [];
  for (const entry of entries) found.push(...await below(entry, ""));
  return found;
};
