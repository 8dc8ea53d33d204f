import type { TObject } from '@sinclair/typebox';
import { InvalidRequest } from '../errors.js';
import { holdsControl } from './fields.js';
import type { Route } from './route.js';

const WHOLE_NUMBER = /^(?:0|[1-9]\d{0,15})$/;

/**
 * The parameters of a query, each given at most once, numbers and booleans as such where the schema
 * of the route wants them. Throws `InvalidRequest` with every fault; paths are the parameters' names.
 */
export function parseQuery(url: string, route: Pick<Route, 'query' | 'queryFaults'>): unknown {
  const mark = url.indexOf('?');
  if (mark === -1 || mark === url.length - 1) return checked({}, route);
  const query: Record<string, unknown> = Object.create(null);
  for (const pair of url.slice(mark + 1).split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = decode(equals === -1 ? '' : pair.slice(equals + 1));
    if (name in query) throw fault(name, 'may be given once only');
    query[name] = typed(value, name, route.query);
  }
  return checked({ ...query }, route);
}

function checked(query: object, { queryFaults }: Pick<Route, 'queryFaults'>): unknown {
  const faults = queryFaults(query);
  if (faults.length > 0) throw new InvalidRequest('the query is not valid', faults);
  return query;
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new InvalidRequest('the query is not valid percent-encoded UTF-8');
  }
  if (holdsControl(decoded)) throw new InvalidRequest('the query holds a control character');
  return decoded;
}

function typed(value: string, name: string, schema: TObject): unknown {
  const type = Object.hasOwn(schema.properties, name) ? schema.properties[name]?.type : undefined;
  if (type === 'integer' && WHOLE_NUMBER.test(value)) return Number(value);
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}

function fault(name: string, message: string): InvalidRequest {
  return new InvalidRequest('the query is not valid', [{ path: `/${name}`, message }]);
}
