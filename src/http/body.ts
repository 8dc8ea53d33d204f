import { isAscii, isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvalidRequest, PayloadTooLarge, Unavailable, UnsupportedMediaType } from '../errors.js';
import { parsePlainObject } from '../platform/json.js';
import type { JsonObject } from '../vocabulary.js';
import { type RoomFor, workAlone, workTogether } from './together.js';

/** Largest body of every path but those of bundles. */
export const BODY_LIMIT = 1024 * 1024;

/** How a route takes a body of many items. */
export interface ItemTerms {
  /** The member that holds them; the handler holds it to plain JSON itself, entry by entry. */
  readonly member: string;
  /** Asked before the body is parsed. */
  readonly room: RoomFor;
}

/** How a route takes its body. */
export interface BodyTerms {
  /** Bytes. */
  readonly limit: number;
  /** Whether a request without a body counts as `{}`. */
  readonly optional?: boolean;
  /** Whether it is handed on as the text that it is. */
  readonly asText?: boolean;
  /** For a body that is many requests in one. */
  readonly items?: ItemTerms | undefined;
  /** Bytes above which a body is handed on as it came; none unless given. */
  readonly largeAbove?: number | undefined;
}

/** Largest body of the bundle paths: 64 MiB of files, each byte of which JSON may escape. */
export const BUNDLE_BODY_LIMIT = 2 * 64 * 1024 * 1024;

const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*(?:"utf-8"|utf-8)\s*)?$/i;

/** Who waits for a body: told once, of the body or of why there is none. */
export interface BodyReader {
  read(body: JsonObject | string): void;
  /** Told of a large body, in pieces that are nobody else's. */
  readLarge(pieces: readonly Uint8Array<ArrayBuffer>[]): void;
  fail(error: unknown): void;
}

/**
 * Reads the body of a request as a plain JSON object, or as text. Where `optional`, a request without
 * a body counts as `{}`. Fails with `PayloadTooLarge`, `UnsupportedMediaType` or `InvalidRequest`; the limit
 * is held against the bytes that arrive, whatever the headers say. Without promises: a body comes
 * with its request, and every check waits for one.
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  { limit, optional = false, asText = false, items, largeAbove }: BodyTerms,
  reader: BodyReader,
): void {
  if (optional && !hasBody(request)) {
    reader.read(asText ? '' : {});
    return;
  }
  try {
    refuseOtherThanJson(request);
    refuseLong(request, limit);
  } catch (error) {
    reader.fail(error);
    return;
  }
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
  readBytes(request, { limit, isKept: largeAbove !== undefined, items }, (bytes) => {
    let body: JsonObject | string;
    try {
      const { pieces, size } = bytes();
      if (largeAbove !== undefined && size > largeAbove) {
        reader.readLarge(pieces);
        return;
      }
      const text = textOf(joined(pieces));
      if (asText) body = text;
      else body = optional && size === 0 ? {} : parsePlainObject(text, items?.member);
    } catch (error) {
      reader.fail(error);
      return;
    }
    reader.read(body);
  });
}

/** Whether the head of the request announces a body. */
export function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': chunked } = request.headers;
  return chunked !== undefined || (length !== undefined && length !== '0');
}

function refuseOtherThanJson({ headers }: IncomingMessage): void {
  const type = headers['content-type'];
  if (type !== 'application/json' && (type === undefined || !JSON_TYPE.test(type))) {
    throw new UnsupportedMediaType('send the body as `Content-Type: application/json`, in UTF-8');
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new UnsupportedMediaType('send the body without `Content-Encoding`');
  }
}

function refuseLong({ headers }: IncomingMessage, limit: number): void {
  if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
}

/** A body as it came. */
interface Bytes {
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  readonly size: number;
}

function joined(pieces: readonly Uint8Array[]): Buffer {
  const [only] = pieces;
  if (only === undefined || pieces.length > 1) return Buffer.concat(pieces);
  return Buffer.isBuffer(only) ? only : Buffer.from(only.buffer, only.byteOffset, only.byteLength);
}

/** How bytes are read. */
interface ReadTerms {
  readonly limit: number;
  /** Whether they may be handed over to a thread. */
  readonly isKept: boolean;
  readonly items: ItemTerms | undefined;
}

/**
 * `settle` is called once, in its turn, unless the caller has gone by then; what it is given answers the
 * bytes, or throws why there are none.
 */
function readBytes(
  request: IncomingMessage,
  { limit, isKept, items }: ReadTerms,
  settle: (bytes: () => Bytes) => void,
): void {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  let settled = false;
  const settleOnce = (bytes: () => Bytes): void => {
    if (settled) return;
    settled = true;
    const isWanted = (): boolean => !request.socket.destroyed;
    const work = (): void => settle(bytes);
    if (items === undefined) workTogether(work);
    else if (!workAlone({ size, room: items.room, isWanted, work })) settle(refuseWaiting);
  };
  // They are not taken off again: a request closes soon after it ends, and that is less work.
  request.on('data', (chunk: Buffer) => {
    if (settled) return;
    size += chunk.length;
    if (size <= limit) {
      // What goes over to a thread must share its memory with nothing else.
      pieces.push(isKept ? new Uint8Array(chunk) : (chunk as Buffer<ArrayBuffer>));
      return;
    }
    request.pause();
    settleOnce(() => {
      throw tooLarge(limit);
    });
  });
  request.on('end', () => {
    settleOnce(() => ({ pieces, size }));
  });
  request.on('close', () => {
    settleOnce(() => {
      throw new InvalidRequest('the body ended before it was complete');
    });
  });
}

function refuseWaiting(): never {
  throw new Unavailable('too many batches wait for their turn; try again');
}

function tooLarge(limit: number): PayloadTooLarge {
  return new PayloadTooLarge(`the body may be ${limit / 1024 / 1024} MiB at most here`);
}

/** Most bodies are ASCII alone, which is copied where UTF-8 would be decoded. @throws InvalidRequest */
export function textOf(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (!isUtf8(bytes)) throw new InvalidRequest('the body is not valid UTF-8');
  return bytes.toString('utf8');
}
