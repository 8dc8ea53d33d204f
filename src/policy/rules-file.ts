import type { BundleFault } from '../errors.js';
import { atOnce, type Work } from '../platform/turns.js';
import type { RuleLine } from '../vocabulary.js';
import type { BundleRule } from './compiled-bundle.js';

/** One field of a line, and the column (from 1) at which its value starts. */
interface Field {
  readonly value: string;
  readonly column: number;
}

type ParsedLine = { readonly fields: readonly Field[] } | { readonly fault: LineFault };

interface LineFault {
  readonly column: number;
  readonly message: string;
}

/** The rules of a file, and everything that is wrong with its text. */
export interface ParsedRules {
  readonly rules: readonly BundleRule[];
  readonly faults: readonly BundleFault[];
}

/** What is wrong with a rule whose line could be read; `field` counts from the type, which is 0. */
export interface RuleFault {
  readonly field?: number;
  readonly message: string;
}

/** What no value may hold: control characters (NUL among them) and lone surrogates. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u;

/** Blanks around values that do not belong to them; Casbin's own reader trims the same. */
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Reads Casbin lines as any Casbin editor writes them: `p, editor, acme, document:*, read, allow`.
 * Blank lines and lines that start with `#` are passed over. A value may stand in double quotes and
 * is then taken exactly, a quote in it written twice; other values are trimmed of blanks.
 *
 * @param faultOf judges each rule that could be read; its faults get their place in the text.
 */
export function parseRules(
  file: string,
  text: string,
  faultOf?: (rule: RuleLine) => RuleFault | undefined,
): ParsedRules {
  return atOnce(rulesParsing(file, text, faultOf));
}

/** `parseRules` as work of many turns: it pauses after each line. */
export function* rulesParsing(
  file: string,
  text: string,
  faultOf: (rule: RuleLine) => RuleFault | undefined = () => undefined,
): Work<ParsedRules> {
  const rules: BundleRule[] = [];
  const faults: BundleFault[] = [];
  let line = 0;
  for (const content of linesOf(text)) {
    yield;
    line += 1;
    const parsed = parseLine(content);
    if (parsed === undefined) continue;
    if ('fault' in parsed) {
      faults.push({ file, line, ...parsed.fault });
      continue;
    }
    const rule = valuesOf(parsed.fields);
    const fault = faultOf(rule);
    if (fault) {
      const column = columnOf(content, parsed.fields, fault.field ?? 0);
      faults.push({ file, line, column, message: fault.message });
    } else rules.push({ line: rule, source: { file, line } });
  }
  return { rules, faults };
}

/** Writes a rule so that `parseRules` reads exactly the same rule from it. */
export function printRule(rule: RuleLine): string {
  return rule.map(printValue).join(', ');
}

function printValue(value: string, index: number): string {
  const bare =
    value !== '' && value === trimBlanks(value) && !/[",]/.test(value) && !isComment(value, index);
  return bare ? value : `"${value.replaceAll('"', '""')}"`;
}

function isComment(value: string, index: number): boolean {
  return index === 0 && value.startsWith('#');
}

/** Where a field starts; where the line has no such field, where it would follow. */
function columnOf(content: string, fields: readonly Field[], index: number): number {
  return fields[index]?.column ?? trimBlanks(content).length + skipBlanks(content, 0) + 1;
}

function* linesOf(text: string): Generator<string> {
  let start = text.startsWith('\uFEFF') ? 1 : 0;
  while (start <= text.length) {
    const next = text.indexOf('\n', start);
    const end = next === -1 ? text.length : next;
    yield text.slice(start, text[end - 1] === '\r' && end > start ? end - 1 : end);
    start = end + 1;
  }
}

/** The fields of one line; undefined where it holds none. */
function parseLine(content: string): ParsedLine | undefined {
  const start = skipBlanks(content, 0);
  if (start === content.length || content[start] === '#') return undefined;
  const fields: Field[] = [];
  let at = 0;
  for (;;) {
    const read = readField(content, skipBlanks(content, at));
    if ('message' in read) return { fault: read };
    const fault = fieldFault(read.field);
    if (fault) return { fault };
    fields.push(read.field);
    if (read.end >= content.length) break;
    at = read.end + 1;
  }
  if (fields[0]?.value === '') {
    const message = 'the line has no type; start it with one, such as `p` or `g`';
    return { fault: { column: fields[0].column, message } };
  }
  return { fields };
}

/** Reads the field that starts at `start`, a character that is no blank; `end` is at its comma or the line's end. */
function readField(
  content: string,
  start: number,
): { readonly field: Field; readonly end: number } | LineFault {
  const column = start + 1;
  if (content[start] === '"') return readQuoted(content, start);
  const comma = content.indexOf(',', start);
  const end = comma === -1 ? content.length : comma;
  const value = trimBlanks(content.slice(start, end));
  const quote = value.indexOf('"');
  if (quote === -1) return { field: { value, column }, end };
  const message = 'a quote within a value; put the whole value in quotes and double those inside';
  return { column: column + quote, message };
}

function readQuoted(
  content: string,
  start: number,
): { readonly field: Field; readonly end: number } | LineFault {
  let value = '';
  let from = start + 1;
  for (;;) {
    const quote = content.indexOf('"', from);
    if (quote === -1) {
      return { column: start + 1, message: 'the quote is never closed; close it on the same line' };
    }
    value += content.slice(from, quote);
    if (content[quote + 1] !== '"') {
      const end = skipBlanks(content, quote + 1);
      if (end === content.length || content[end] === ',') {
        return { field: { value, column: start + 1 }, end };
      }
      return { column: end + 1, message: 'text after a closing quote; expected a comma' };
    }
    value += '"';
    from = quote + 2;
  }
}

function fieldFault({ value, column }: Field): LineFault | undefined {
  const found = UNPRINTABLE.exec(value);
  if (!found) return undefined;
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return { column: column + found.index, message: `remove the character \`U+${code}\`` };
}

function isBlank(content: string, at: number): boolean {
  const code = content.charCodeAt(at);
  return code === SPACE || code === TAB;
}

function skipBlanks(content: string, from: number): number {
  let at = from;
  while (isBlank(content, at)) at += 1;
  return at;
}

function trimBlanks(value: string): string {
  let end = value.length;
  while (end > 0 && isBlank(value, end - 1)) end -= 1;
  return value.slice(Math.min(skipBlanks(value, 0), end), end);
}

function valuesOf(fields: readonly Field[]): RuleLine {
  const [type, ...values] = fields;
  return [type?.value ?? '', ...values.map((field) => field.value)];
}
