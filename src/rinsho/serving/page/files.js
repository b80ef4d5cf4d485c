// Files of notes, as people have them: a .txt is one note, a .jsonl has one a line.

/** What is wrong with a file; `key` names the text that says so, `place` the file and line. */
export class FileProblem extends Error {
  constructor(key, place) {
    super(key);
    Object.assign(this, { key, place });
  }
}

/** Return the text of a file in UTF-8 or, as older systems write, in Shift_JIS (CP932). */
async function decoded(file) {
  const bytes = await file.arrayBuffer().catch(() => { // gone or changed since it was chosen
    throw new FileProblem("fileGone", file.name);
  });
  for (const encoding of ["utf-8", "shift_jis"]) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
      if (!text.includes("\0")) return text;
    } catch {
      continue;
    }
  }
  throw new FileProblem("fileNotText", file.name);
}

function parsed(line, place) {
  try {
    const record = JSON.parse(line);
    if (typeof record?.text === "string") return record;
  } catch {
    throw new FileProblem("fileBroken", place);
  }
  throw new FileProblem("fileNoText", place);
}

/** Return the notes of files: { text, id, group }; throws FileProblem where one cannot be read. */
export async function notesOf(files) {
  const notes = [];
  for (const file of files) {
    const text = await decoded(file);
    const found = file.name.toLowerCase().endsWith(".jsonl")
      ? text.split("\n").map((line, at) => line.trim() && parsed(line, `${file.name}:${at + 1}`))
        .filter(Boolean)
      : [{ text, id: file.name }];
    for (const { text: words, id, group } of found) {
      notes.push({ text: words, id: String(id ?? notes.length + 1).slice(0, 200), group });
    }
  }
  if (notes.length === 0 && files.length > 0) throw new FileProblem("fileEmpty");
  return notes;
}
