/** What one process tells the others: that a revision was committed, and who says so. */
export interface ChangeMessage {
  readonly revision: number;
  /** The process that made the change; not known of what Postgres itself tells. */
  readonly origin?: string;
}

/** Characters of a message at most; ours have some 75. */
const MAX_LENGTH = 200;

const REVISION = /^[1-9]\d{0,15}$/;
const ORIGIN = /^[\w-]{1,64}$/;

/** Writes a message for `readMessage`. */
export function writeMessage({ revision, origin }: ChangeMessage): string {
  return JSON.stringify(origin === undefined ? revision : { revision, origin });
}

/**
 * Reads `{"revision": 42, "origin": "…"}`, or a revision alone. Whoever reaches a channel can write
 * to it: anything else is `undefined`, and what is read is a hint at best.
 */
export function readMessage(text: string): ChangeMessage | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  if (REVISION.test(text)) return checked({ revision: Number(text) });
  try {
    return checked(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function checked(message: unknown): ChangeMessage | undefined {
  if (typeof message !== 'object' || message === null || !('revision' in message)) return undefined;
  const { revision, origin, ...others } = message as Record<string, unknown>;
  if (typeof revision !== 'number' || !Number.isSafeInteger(revision) || revision < 1) {
    return undefined;
  }
  if (Object.keys(others).length > 0) return undefined;
  if (origin === undefined) return { revision };
  return typeof origin === 'string' && ORIGIN.test(origin) ? { revision, origin } : undefined;
}
