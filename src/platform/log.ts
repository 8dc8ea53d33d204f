import {
  type DestinationStream,
  type Logger as PinoLogger,
  destination as openFd,
  pino,
} from 'pino';

/** The log: one JSON line an event, on standard error. `info`, `warn` and the rest as pino has them. */
export type Logger = PinoLogger;

/** The levels that `COUNTERSIGN_LOG_LEVEL` knows, the chattiest first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const MASK = '[redacted]';

/** A member of a finished line whose value is text, or a list of texts. */
const TEXT_MEMBER = /"([\w-]+)":("(?:[^"\\]|\\.)*"|\[(?:"(?:[^"\\]|\\.)*",?)+\])/g;

/** Names of members that hold a credential, however spelt: `api_key`, `rootKey`, `set-cookie`. */
const SECRET_MEMBER = /(?:authorization|cookie|password|passwd|secret|token|(?:^|[_-])key)$/i;
const SECRET_CAMEL_MEMBER = /[a-z]Key$/;

/** A resource's key is its name, no credential. */
const HARMLESS_MEMBER = /^resource_?key$/i;

/** What a credential looks like inside running text: in a message, an address or a stack. */
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/(:\/\/[^\s:/?#"@]*:)[^\s"]+@/g, `$1${MASK}@`],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  [/\bcsk_[\w-]{16,}/g, MASK],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, MASK],
  [/([?&;](?:sentinel_)?(?:password|secret|token|key)=)[^\s"&;]+/gi, `$1${MASK}`],
];

/**
 * Opens the log. Whatever is handed to it, members named like a credential and text that looks like
 * one are masked before the line is written.
 *
 * @param destination where lines go; standard error unless given
 * @example createLogger('info').info({ revision: 42 }, 'the policy changed')
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorMembers },
      // The finished line, so that child loggers, serializers and errors are covered alike.
      hooks: { streamWrite: (line) => maskText(maskMembers(line)) },
    },
    destination ?? openFd({ dest: 2, sync: false }),
  );
}

/**
 * Without what the clients of stores hang on an error, or on one within it: node-postgres its whole self,
 * with what it connected by, ioredis what it had sent, which may be a password, and TLS a certificate with
 * all of its issuers, a page long.
 */
function errorMembers(error: Error): object {
  return withoutClients(pino.stdSerializers.err(error)) as object;
}

function withoutClients(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutClients);
  if (!isSerializedError(value)) return value;
  const { client: _client, cert: _cert, command, ...members } = value;
  const kept = Object.entries(members).map(([name, member]) => [name, withoutClients(member)]);
  const sent = isRecord(command) ? command['name'] : undefined;
  return { ...Object.fromEntries(kept), ...(typeof sent === 'string' && { command: sent }) };
}

function isSerializedError(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && typeof value['stack'] === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The text with every credential in it masked; for what is printed without the log. */
export function maskText(text: string): string {
  return SECRET_TEXT.reduce((masked, [pattern, mask]) => masked.replace(pattern, mask), text);
}

function maskMembers(line: string): string {
  return line.replace(TEXT_MEMBER, (member: string, name: string) =>
    isSecretMember(name) ? `"${name}":"${MASK}"` : member,
  );
}

function isSecretMember(name: string): boolean {
  const secret = SECRET_MEMBER.test(name) || SECRET_CAMEL_MEMBER.test(name);
  return secret && !HARMLESS_MEMBER.test(name);
}
