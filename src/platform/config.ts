import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { envSchema } from 'env-schema';
import { SettingsError } from '../errors.js';
import { parseDuration } from './duration.js';
import type { LogLevel } from './log.js';
import {
  fileKeyOf,
  SETTING_FORMATS,
  SETTINGS,
  type SettingName,
  type Settings,
  settingOf,
  settingNames,
} from './settings.js';
import { readTlsFiles } from './redis-tls.js';
import { parseRedisUrl } from './redis-url.js';
import { parseSize } from './size.js';
import { parseYaml, pointerTo } from './yaml.js';

/** The file that may give the settings, in the working directory. */
export const CONFIG_FILE = 'countersign.config.yaml';

/** What a server needs to know to start. Folders are absolute. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly databaseUrl?: string;
  readonly redisUrl?: string;
  readonly dataDir: string;
  readonly policyDir: string;
  readonly rootKey?: string;
  readonly audit: 'strict' | 'buffered' | 'off';
  /** Bytes that decisions may take on disk while Postgres is away. */
  readonly auditSpillMax: number;
  /** Milliseconds that the listener stays open after SIGTERM. */
  readonly drainMs: number;
  readonly publicUrl?: string;
  readonly logLevel: LogLevel;
  readonly workers: number | 'auto';
  /** What becomes of rate limits while Redis does not answer. */
  readonly limitsOnRedisLoss: 'local' | 'deny' | 'allow';
  /** Milliseconds that checks are answered by a policy that was not confirmed. */
  readonly maxStalenessMs: number;
  /** Milliseconds between two looks for changes that no message told of. */
  readonly pollMs: number;
  readonly metricsPublic: boolean;
}

/** The values that one source gives, as text, and what is wrong with that source. */
interface Source {
  readonly values: Partial<Record<SettingName, string>>;
  readonly faults: readonly string[];
}

const ajv = new Ajv({ allErrors: true, useDefaults: true, formats: SETTING_FORMATS });
ajv.addVocabulary(['expected', 'otherwise', 'secret']);

/** Variables that the command line reads by itself. */
const COMMAND_LINE_VARIABLES = new Set(['COUNTERSIGN_URL', 'COUNTERSIGN_KEY']);

/**
 * Reads the settings from the environment and from `countersign.config.yaml` in `cwd`, where there
 * is one; the environment wins. An empty variable counts as absent.
 *
 * @throws SettingsError with every fault of both; none shows a secret
 */
export function loadConfig(env: NodeJS.ProcessEnv, cwd: string): Config {
  const file = readSettingsFile(join(cwd, CONFIG_FILE));
  const environment = readEnvironment(env);
  const given = { ...file.values, ...environment.values };
  const faults = [...environment.faults, ...file.faults, ...missingSettings(given)];
  if (faults.length > 0) throw new SettingsError(faults);
  const config = configOf(complete(given), cwd);
  const unfit = unfitSettings(config);
  if (unfit.length > 0) throw new SettingsError(unfit);
  return config;
}

/**
 * Names of `COUNTERSIGN_…` variables that nothing reads: misspelt ones, most likely. Not a fault,
 * since the environment may belong to a later version or to another program.
 */
export function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith('COUNTERSIGN_') && !(name in SETTINGS.properties))
    .filter((name) => !COMMAND_LINE_VARIABLES.has(name))
    .sort();
}

function readEnvironment(env: NodeJS.ProcessEnv): Source {
  const values: Partial<Record<SettingName, string>> = {};
  for (const name of settingNames()) if (env[name]) values[name] = env[name];
  return { values, faults: wrongSettings(values).map((name) => faultOf(name, name, values[name])) };
}

function readSettingsFile(path: string): Source {
  const text = textOf(path);
  if (text === undefined || text.trim() === '') return { values: {}, faults: [] };
  const { document, faults: flaws } = parseYaml(text);
  const faults: { line: number; column: number; message: string }[] = [...flaws];
  const value = document?.value;
  // A file of comments alone gives nothing.
  if (document === undefined || value === undefined || value === null)
    return { values: {}, faults: faults.map((fault) => inFile(fault, fault.message)) };
  if (typeof value !== 'object' || Array.isArray(value)) {
    faults.push({ ...document.at(''), message: 'give settings as `name: value`' });
    return { values: {}, faults: faults.map((fault) => inFile(fault, fault.message)) };
  }

  const values: Partial<Record<SettingName, string>> = {};
  const found = new Map<SettingName, Member>();
  for (const member of membersOf(value)) {
    const { pointer, spelling } = member;
    const place = document.keyAt(pointer);
    const name = settingNamed(spelling);
    const other = name && found.get(name);
    if (name === undefined) faults.push({ ...place, message: unknownSetting(spelling) });
    else if (other !== undefined) {
      faults.push({
        ...place,
        message: `\`${spelling}\` and \`${other.spelling}\` are the same setting; keep one`,
      });
    } else if (document.isFlawed(pointer)) {
      found.set(name, member);
    } else if (isScalar(member.value)) {
      found.set(name, member);
      values[name] = String(member.value);
    } else faults.push({ ...place, message: faultOf(name, spelling) });
  }
  for (const name of wrongSettings(values)) {
    const { pointer, spelling } = found.get(name) ?? { pointer: '', spelling: name };
    faults.push({ ...document.at(pointer), message: faultOf(name, spelling, values[name]) });
  }
  faults.sort((a, b) => a.line - b.line || a.column - b.column);
  return { values, faults: faults.map((fault) => inFile(fault, fault.message)) };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new SettingsError([`${CONFIG_FILE}: cannot be read (\`${code}\`)`]);
  }
}

/** What the file gives under one name. */
interface Member {
  readonly pointer: string;
  /** `limits_on_redis_loss`, or `limits.on_redis_loss` where it stands below `limits`. */
  readonly spelling: string;
  readonly value: unknown;
}

/** The members of the file, and those of a member that settings may stand below. */
function* membersOf(file: object): Generator<Member> {
  for (const [key, value] of Object.entries(file)) {
    const pointer = pointerTo('', key);
    if (!isGroup(key, value)) {
      yield { pointer, spelling: key, value };
      continue;
    }
    for (const [name, inner] of Object.entries(value)) {
      yield { pointer: pointerTo(pointer, name), spelling: `${key}.${name}`, value: inner };
    }
  }
}

function isGroup(key: string, value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return (
    Object.keys(value).length > 0 &&
    settingNames().some((name) => fileKeyOf(name).startsWith(`${key}_`))
  );
}

function settingNamed(spelling: string): SettingName | undefined {
  const key = spelling.replace('.', '_');
  return settingNames().find((name) => spelling === name || key === fileKeyOf(name));
}

function unknownSetting(key: string): string {
  const known = settingNames().map((name) => `\`${fileKeyOf(name)}\``);
  return `unknown setting \`${key}\`; there are ${known.join(', ')}`;
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function inFile({ line, column }: { line: number; column: number }, message: string): string {
  return `${CONFIG_FILE}:${line}:${column}: ${message}`;
}

/** What a setting must be, and what it is where that is no secret. */
function faultOf(name: SettingName, spelling: string, value?: string): string {
  const { expected, secret } = settingOf(name);
  const given = value === undefined || secret ? '' : `, not \`${value.slice(0, 100)}\``;
  return `\`${spelling}\` must be ${expected}${given}`;
}

function missingSettings(given: Source['values']): string[] {
  if (given.DATABASE_URL === undefined || given.COUNTERSIGN_ROOT_KEY !== undefined) return [];
  return [
    '`COUNTERSIGN_ROOT_KEY` is required where `DATABASE_URL` is set: give 32 characters or more',
  ];
}

/** What is wrong with settings that are right by themselves: with one another, or with their files. */
function unfitSettings({ maxStalenessMs, pollMs, redisUrl }: Config): string[] {
  const faults: string[] = [];
  if (maxStalenessMs < 2 * pollMs) {
    faults.push(
      '`COUNTERSIGN_POLICY_MAX_STALENESS` must be at least twice `COUNTERSIGN_POLICY_POLL`: between two looks for changes no policy is confirmed',
    );
  }
  const redis = redisUrl === undefined ? undefined : parseRedisUrl(redisUrl);
  try {
    if (redis !== undefined) readTlsFiles(redis);
  } catch (error) {
    faults.push(`\`REDIS_URL\`: ${(error as Error).message}`);
  }
  return faults;
}

/** The settings with their defaults. */
function complete(given: Source['values']): Settings {
  return envSchema<Settings>({ schema: SETTINGS, data: given, env: false, ajv });
}

function wrongSettings(values: Source['values']): SettingName[] {
  try {
    complete(values);
    return [];
  } catch (error) {
    const { errors = [] } = error as { errors?: { instancePath: string }[] };
    if (errors.length === 0) throw error;
    const wrong = new Set(errors.map(({ instancePath }) => instancePath.slice(1)));
    return settingNames().filter((name) => wrong.has(name));
  }
}

function configOf(settings: Settings, cwd: string): Config {
  const { DATABASE_URL, REDIS_URL, COUNTERSIGN_ROOT_KEY, COUNTERSIGN_PUBLIC_URL } = settings;
  const workers = settings.COUNTERSIGN_WORKERS;
  return {
    host: settings.HOST,
    port: Number(settings.PORT),
    ...(DATABASE_URL === undefined ? {} : { databaseUrl: DATABASE_URL }),
    ...(REDIS_URL === undefined ? {} : { redisUrl: REDIS_URL }),
    dataDir: resolve(cwd, settings.COUNTERSIGN_DATA_DIR),
    policyDir: resolve(cwd, settings.COUNTERSIGN_POLICY_DIR),
    ...(COUNTERSIGN_ROOT_KEY === undefined ? {} : { rootKey: COUNTERSIGN_ROOT_KEY }),
    audit: settings.COUNTERSIGN_AUDIT,
    auditSpillMax: parseSize(settings.COUNTERSIGN_AUDIT_SPILL_MAX) ?? 0,
    drainMs: parseDuration(settings.COUNTERSIGN_DRAIN) ?? 0,
    ...(COUNTERSIGN_PUBLIC_URL === undefined
      ? {}
      : { publicUrl: COUNTERSIGN_PUBLIC_URL.replace(/\/+$/, '') }),
    logLevel: settings.COUNTERSIGN_LOG_LEVEL,
    workers: workers === 'auto' ? 'auto' : Number(workers),
    limitsOnRedisLoss: settings.COUNTERSIGN_LIMITS_ON_REDIS_LOSS,
    maxStalenessMs: parseDuration(settings.COUNTERSIGN_POLICY_MAX_STALENESS) ?? 0,
    pollMs: parseDuration(settings.COUNTERSIGN_POLICY_POLL) ?? 0,
    metricsPublic: settings.COUNTERSIGN_METRICS_PUBLIC === 'true',
  };
}
