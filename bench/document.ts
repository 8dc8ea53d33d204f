import { readFile, writeFile } from 'node:fs/promises';

const DOCUMENT = new URL('../docs/performance.md', import.meta.url);

/**
 * Replaces parts of docs/performance.md: what stands between `<!-- NAME -->` and `<!-- /NAME -->`.
 * Throws where the document has no place of that name.
 */
export async function writeParts(parts: ReadonlyMap<string, string>): Promise<void> {
  let text = await readFile(DOCUMENT, 'utf8');
  for (const [name, part] of parts) {
    text = replacePart(text, name, part);
  }
  await writeFile(DOCUMENT, text);
}

function replacePart(text: string, name: string, part: string): string {
  const [opening, closing] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = text.indexOf(opening);
  const end = text.indexOf(closing);
  if (start === -1 || end < start) throw new Error(`docs/performance.md has no place for ${name}`);
  return `${text.slice(0, start + opening.length)}\n\n${part}\n\n${text.slice(end)}`;
}
