/** One address of a Redis. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** What a `REDIS_URL` says. */
export interface RedisTarget {
  readonly kind: 'single' | 'cluster' | 'sentinel';
  readonly tls: boolean;
  /** Paths of PEM files: an authority to trust, and no other; a certificate to show, and its key. */
  readonly tlsFiles?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly username?: string;
  readonly password?: string;
  readonly addresses: readonly [RedisAddress, ...RedisAddress[]];
  /** The group of Redis servers that Sentinel watches; for `sentinel` alone. */
  readonly master?: string;
  /** What the Sentinels themselves are asked with. */
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  readonly db: number;
}

const SHAPE =
  /^redis(?<tls>s)?(?:\+(?<kind>cluster|sentinel))?:\/\/(?:(?<user>[^:@/\s]*)(?::(?<password>[^@/\s]*))?@)?(?<hosts>[^@/?#\s]+)(?<path>\/[^?#\s]*)?(?:\?(?<query>[^#\s]*))?$/;

const HOST = /^(?<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>\d{1,5}))?$/;

/**
 * Reads `redis://user:password@host:6379/0`, the same with `rediss` for TLS,
 * `redis+cluster://host:6379,host:6379` and `redis+sentinel://host:26379,host:26379/NAME/0`.
 * What else there is follows as `?name=value&name=value`: of TLS the files `tls_ca`, `tls_cert` and
 * `tls_key`, of Sentinel its own `sentinel_username` and `sentinel_password`. Special characters of values,
 * users and passwords are percent-encoded.
 *
 * @returns `undefined` where it is none of these
 */
export function parseRedisUrl(url: string): RedisTarget | undefined {
  const parts = SHAPE.exec(url)?.groups;
  if (parts === undefined) return undefined;
  const kind = kindOf(parts['kind']);
  const [first, ...others] = addressesOf(parts['hosts'] ?? '', kind) ?? [];
  const place = placeOf(kind, parts['path'] ?? '');
  const username = decoded(parts['user']);
  const password = decoded(parts['password']);
  if (first === undefined || place === undefined || username === null || password === null)
    return undefined;
  if (kind === 'single' && others.length > 0) return undefined;
  const tls = parts['tls'] === 's';
  const words = wordsOf(parts['query'], { kind, tls });
  if (words === undefined) return undefined;
  return {
    kind,
    tls,
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    addresses: [first, ...others],
    ...place,
    ...words,
  };
}

/** Control characters: what is pasted in the place of a file's name has them. */
const NO_TEXT = /\p{Cc}/u;

/** What stands behind the `?`; undefined where that is anything else, or of no use to this Redis. */
function wordsOf(
  query: string | undefined,
  { kind, tls }: Pick<RedisTarget, 'kind' | 'tls'>,
): Pick<RedisTarget, 'tlsFiles' | 'sentinelUsername' | 'sentinelPassword'> | undefined {
  if (query === undefined) return {};
  const words = new Map<string, string>();
  for (const part of query.split('&')) {
    const [, name = '', value] = /^(\w+)=(.+)$/.exec(part) ?? [];
    const word = decoded(value);
    const isKnown =
      (kind === 'sentinel' && /^sentinel_(?:username|password)$/.test(name)) ||
      (tls && /^tls_(?:ca|cert|key)$/.test(name));
    if (!isKnown || !word || NO_TEXT.test(word) || words.has(name)) return undefined;
    words.set(name, word);
  }
  const word = <Member extends string>(name: string, member: Member) => {
    const value = words.get(name);
    return (value === undefined ? {} : { [member]: value }) as { readonly [M in Member]?: string };
  };
  const tlsFiles = {
    ...word('tls_ca', 'ca'),
    ...word('tls_cert', 'cert'),
    ...word('tls_key', 'key'),
  };
  return {
    ...word('sentinel_username', 'sentinelUsername'),
    ...word('sentinel_password', 'sentinelPassword'),
    ...(Object.keys(tlsFiles).length > 0 ? { tlsFiles } : {}),
  };
}

function kindOf(kind: string | undefined): RedisTarget['kind'] {
  return kind === 'cluster' || kind === 'sentinel' ? kind : 'single';
}

function addressesOf(hosts: string, kind: RedisTarget['kind']): RedisAddress[] | undefined {
  const addresses = hosts.split(',').map((text) => {
    const { host = '', port } = HOST.exec(text)?.groups ?? {};
    const number = port === undefined ? (kind === 'sentinel' ? 26_379 : 6_379) : Number(port);
    return { host: host.replace(/^\[|\]$/g, ''), port: number };
  });
  return addresses.every(({ host, port }) => host && port <= 65_535) ? addresses : undefined;
}

/** The path: a database's number, a cluster's nothing, Sentinel's name and number. */
function placeOf(
  kind: RedisTarget['kind'],
  path: string,
): { master?: string; db: number } | undefined {
  const [first = '', second = '', ...rest] = path.slice(1).split('/');
  const number = kind === 'sentinel' ? second : first;
  if (rest.length > 0 || !/^\d{0,4}$/.test(number)) return undefined;
  if (kind === 'sentinel') return first ? { master: first, db: Number(number) } : undefined;
  return second || (kind === 'cluster' && Number(number) > 0) ? undefined : { db: Number(number) };
}

/** Percent-decoded; `null` where that fails. */
function decoded(text: string | undefined): string | null | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return null;
  }
}
