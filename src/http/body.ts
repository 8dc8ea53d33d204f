import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvalidRequest, PayloadTooLarge, UnsupportedMediaType } from '../errors.js';
import { plainJsonFaults } from '../platform/json.js';
import type { JsonObject } from '../vocabulary.js';

/** Largest body of every path but those of bundles. */
export const BODY_LIMIT = 1024 * 1024;

/** How a route takes its body. */
export interface BodyTerms {
  /** Bytes. */
  readonly limit: number;
  /** Whether a request without a body counts as `{}`. */
  readonly optional?: boolean;
  /** A member whose value the handler holds to plain JSON itself, entry by entry. */
  readonly items?: string | undefined;
}

/** Largest body of the bundle paths: 64 MiB of files, each byte of which JSON may escape. */
export const BUNDLE_BODY_LIMIT = 2 * 64 * 1024 * 1024;

const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*(?:"utf-8"|utf-8)\s*)?$/i;

/**
 * Reads the body of a request as a plain JSON object. Where `optional`, a request without a body
 * counts as `{}`. Throws `PayloadTooLarge`, `UnsupportedMediaType` or `InvalidRequest`; the limit is
 * held against the bytes that arrive, whatever the headers say.
 */
export async function readJsonObject(
  request: IncomingMessage,
  response: ServerResponse,
  { limit, optional = false, items }: BodyTerms,
): Promise<JsonObject> {
  if (optional && !hasBody(request)) return {};
  refuseOtherThanJson(request);
  const bytes = await readBytes(request, response, limit);
  if (optional && bytes.length === 0) return {};
  return parseObject(bytes, items);
}

/** Whether the head of the request announces a body. */
export function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': chunked } = request.headers;
  return chunked !== undefined || (length !== undefined && length !== '0');
}

function refuseOtherThanJson({ headers }: IncomingMessage): void {
  const type = headers['content-type'];
  if (type === undefined || !JSON_TYPE.test(type)) {
    throw new UnsupportedMediaType('send the body as `Content-Type: application/json`, in UTF-8');
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new UnsupportedMediaType('send the body without `Content-Encoding`');
  }
}

async function readBytes(
  request: IncomingMessage,
  response: ServerResponse,
  limit: number,
): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limit) throw tooLarge(limit);
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (outcome: () => void): void => {
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      outcome();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      request.pause();
      settle(() => reject(tooLarge(limit)));
    };
    const onEnd = (): void => {
      const [only] = chunks;
      settle(() =>
        resolve(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks)),
      );
    };
    const onBroken = (): void => {
      settle(() => reject(new InvalidRequest('the body ended before it was complete')));
    };
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
}

function tooLarge(limit: number): PayloadTooLarge {
  return new PayloadTooLarge(`the body may be ${limit / 1024 / 1024} MiB at most here`);
}

function parseObject(bytes: Buffer, items: string | undefined): JsonObject {
  if (!isUtf8(bytes)) throw new InvalidRequest('the body is not valid UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new InvalidRequest('the body is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidRequest('the body must be a JSON object');
  }
  const faults = plainJsonFaults(items === undefined ? value : { ...value, [items]: null });
  if (faults.length > 0) throw new InvalidRequest('the body holds what is refused', faults);
  // The checks above are what makes this true.
  return value as JsonObject;
}
