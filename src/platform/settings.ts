import { type Static, Type } from '@sinclair/typebox';
import { parseDuration } from './duration.js';
import { LOG_LEVELS } from './log.js';
import { parseRedisUrl } from './redis-url.js';
import { parseSize } from './size.js';

/** What is known of one setting beside its type; the documentation is written from it. */
export interface Setting {
  /** What it is for; the documentation's text, Markdown. */
  readonly description: string;
  /** Ends the sentence "`NAME` must be …". */
  readonly expected: string;
  /** How a value must be written; any text will do where it is left out. */
  readonly format?: keyof typeof SETTING_FORMATS;
  readonly default?: string;
  /** What holds where nothing is given and no plain default can say it; Markdown. */
  readonly otherwise?: string;
  /** Its value may carry a credential: no message shows it. */
  readonly secret?: boolean;
}

/** Twice the time between two looks for changes, by default, in milliseconds: no sign of an outage. */
const LEAST_STALENESS = 10_000;

/** Milliseconds between two looks for changes, at least and at most. */
const POLLS = { least: 1_000, most: 60_000 };

/** How a value must be written, by the name of its format. */
export const SETTING_FORMATS = {
  host: (text: string) => /^[A-Za-z0-9.:_%-]{1,253}$/.test(text),
  port: (text: string) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535,
  'postgres-url': (text: string) => /^postgres(?:ql)?:\/\/\S+$/.test(text),
  'redis-url': (text: string) => parseRedisUrl(text) !== undefined,
  'http-url': isPlainAddress,
  path: (text: string) => !text.includes('\0'),
  'root-key': (text: string) => text.length >= 32 && /^[^\p{Cc}\s]\P{Cc}*[^\p{Cc}\s]$/u.test(text),
  duration: (text: string) => parseDuration(text) !== undefined,
  size: (text: string) => parseSize(text) !== undefined,
  staleness: (text: string) => (parseDuration(text) ?? 0) >= LEAST_STALENESS,
  poll: (text: string) => {
    const poll = parseDuration(text) ?? 0;
    return poll >= POLLS.least && poll <= POLLS.most;
  },
  workers: (text: string) => text === 'auto' || /^[1-9]\d{0,2}$/.test(text),
};

/** Every setting of the server, in the order of the documentation. Nothing else is read. */
export const SETTINGS = Type.Object({
  HOST: setting({
    description: 'Address that the server listens on. `0.0.0.0` or `::` for every interface.',
    expected: 'a host name or an address',
    format: 'host',
    default: '127.0.0.1',
  }),
  PORT: setting({
    description:
      'Port that the server listens on. `0` takes a free one; the line `listening on http://HOST:PORT` on standard output names it.',
    expected: 'a port from 0 to 65535',
    format: 'port',
    default: '7400',
  }),
  DATABASE_URL: optional({
    description:
      'Postgres 14 or later, as `postgresql://user:password@host:5432/database`. Where it is set, `COUNTERSIGN_ROOT_KEY` is required, and nothing is seeded.',
    expected: 'an address like `postgresql://user:password@host:5432/database`',
    format: 'postgres-url',
    otherwise: 'an embedded Postgres in the data directory',
    secret: true,
  }),
  REDIS_URL: optional({
    description:
      'Redis 6.2 or later, or Valkey: `redis://…`, with TLS `rediss://…`; a cluster as `redis+cluster://host:6379,host:6379`, Sentinel as `redis+sentinel://host:26379,host:26379/NAME`, with `?sentinel_password=…` where the Sentinels ask for one (with TLS `rediss+…`). With TLS, `?tls_ca=FILE` names an authority to trust, `?tls_cert=FILE&tls_key=FILE` the certificate to show. Counts rate limits, and tells servers of changes beside Postgres.',
    expected:
      'an address like `redis://host:6379`, `rediss://…`, `redis+cluster://…` or `redis+sentinel://host/NAME`, with nothing after `?` but `tls_ca`, `tls_cert` and `tls_key` of TLS, `sentinel_username` and `sentinel_password` of Sentinel',
    format: 'redis-url',
    otherwise:
      'counters in memory for a single process with the embedded database, else in Postgres; changes told by `LISTEN`/`NOTIFY` alone',
    secret: true,
  }),
  COUNTERSIGN_DATA_DIR: setting({
    description:
      'Folder of the embedded database, of the root key file `root.key` (mode 0600), and of the decisions that wait while Postgres is away (`audit-spill`).',
    expected: 'a folder',
    format: 'path',
    default: '.countersign',
  }),
  COUNTERSIGN_POLICY_DIR: setting({
    description:
      'Bundle that is applied at the first start, when the store holds none; with `--watch`, on every change.',
    expected: 'a folder',
    format: 'path',
    default: 'policies',
  }),
  COUNTERSIGN_ROOT_KEY: optional({
    description:
      'The first credential, with the role `platform_admin`: any text of 32 characters or more. The one given at start replaces the former.',
    expected: 'a text of 32 characters or more, without control characters or space at its ends',
    format: 'root-key',
    otherwise: 'made at the first start, kept in `root.key` in the data directory',
    secret: true,
  }),
  COUNTERSIGN_AUDIT: oneOf(['strict', 'buffered', 'off'], {
    description:
      '`strict`: no answer before its event is committed. `buffered`: committed within a second, flushed at shutdown; while Postgres is away, kept in files of the data directory. `off`: decisions are not stored. Approvals, changes and decisions that spend a grant are strict always.',
    default: 'buffered',
  }),
  COUNTERSIGN_AUDIT_SPILL_MAX: setting({
    description:
      'How much the decisions of `buffered` may take in `audit-spill` in the data directory, for all servers that share it. When it is full, checks get 503 until Postgres is back.',
    expected: 'a size like `512MiB` or `1GiB`',
    format: 'size',
    default: '1GiB',
  }),
  COUNTERSIGN_DRAIN: setting({
    description:
      'How long the listener stays open after SIGTERM, answering with `Connection: close`: a whole number and `s`, `m`, `h` or `d`.',
    expected: 'a duration like `2s` or `1m`',
    format: 'duration',
    default: '2s',
  }),
  COUNTERSIGN_PUBLIC_URL: optional({
    description: 'The address under which callers reach the server; what metadata and links name.',
    expected: 'an address like `https://authz.example.org`',
    format: 'http-url',
    otherwise: '`http://HOST:PORT`',
  }),
  COUNTERSIGN_LOG_LEVEL: oneOf(LOG_LEVELS, {
    description: `What is logged, as JSON lines on standard error: ${inWords(LOG_LEVELS)}.`,
    default: 'info',
  }),
  COUNTERSIGN_WORKERS: setting({
    description:
      'Processes that share the port, each with the whole policy in memory; `auto` for one a processor core. More than one count rate limits in Redis, else in Postgres.',
    expected: '`auto` or a number from 1 to 999',
    format: 'workers',
    default: '1',
  }),
  COUNTERSIGN_LIMITS_ON_REDIS_LOSS: oneOf(['local', 'deny', 'allow'], {
    description:
      'What becomes of checks with a `rate-limit` rule while the Redis of `REDIS_URL` is away. `local`: each server counts for itself, its share of what was left of each limit when Redis was last heard, and tells Redis when it is back; a count may be passed by what servers had not heard of each other. `deny`: they are answered with 503, so that none is passed unless Redis comes back without what it had counted. `allow`: they are not counted. While Redis is only late they are answered with 503, with `allow` not counted.',
    default: 'local',
  }),
  COUNTERSIGN_POLICY_MAX_STALENESS: setting({
    description:
      'How long checks are answered by a policy that Postgres has not confirmed: a whole number and `s`, `m`, `h` or `d`. Then they get 503, and the server is not ready.',
    expected: 'a duration of `10s` or more',
    format: 'staleness',
    default: '5m',
  }),
  COUNTERSIGN_POLICY_POLL: setting({
    description:
      'How often each server looks into Postgres for changes that no message told it of: a whole number and `s`, `m`, `h` or `d`; half of `COUNTERSIGN_POLICY_MAX_STALENESS` at most.',
    expected: 'a duration from `1s` to `1m`',
    format: 'poll',
    default: '5s',
  }),
  COUNTERSIGN_METRICS_PUBLIC: oneOf(['true', 'false'], {
    description:
      '`true`: `GET /metrics` needs no credential. Else it takes the permission `metrics:read`.',
    default: 'false',
  }),
});

/** A complete, valid set of settings, each as it was written. */
export type Settings = Static<typeof SETTINGS>;
export type SettingName = keyof Settings;

/** What is known of one setting. */
export function settingOf(name: SettingName): Setting {
  return SETTINGS.properties[name] as unknown as Setting;
}

/** The names of all settings, in the order of the documentation. */
export function settingNames(): SettingName[] {
  return Object.keys(SETTINGS.properties) as SettingName[];
}

/** How the settings file spells a setting: `DATABASE_URL` as `database_url`, `COUNTERSIGN_AUDIT` as `audit`. */
export function fileKeyOf(name: SettingName): string {
  return name.replace(/^COUNTERSIGN_/, '').toLowerCase();
}

function setting(options: Setting & { readonly default: string }) {
  return Type.String(options);
}

function oneOf<const Word extends string>(
  words: readonly Word[],
  options: Omit<Setting, 'expected'> & { readonly default: Word },
) {
  return Type.Unsafe<Word>(Type.String({ ...options, enum: words, expected: inWords(words) }));
}

function optional(options: Setting & { readonly otherwise: string }) {
  return Type.Optional(Type.String(options));
}

function isPlainAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => !part);
}

function inWords(words: readonly string[]): string {
  const quoted = words.map((word) => `\`${word}\``);
  return `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
