// Files of notes, as people have them: a .txt is one note, a .jsonl has one a line.

/** Return the notes of files: { text, id, group }; throws SyntaxError where a line is not JSON. */
export async function notesOf(files) {
  const notes = [];
  for (const file of files) {
    const text = await file.text();
    const found = file.name.endsWith(".jsonl")
      ? text.split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line))
      : [{ text, id: file.name }];
    for (const { text: words, id, group } of found) {
      notes.push({ text: words, id: String(id ?? notes.length + 1).slice(0, 200), group });
    }
  }
  return notes;
}
