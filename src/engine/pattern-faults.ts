import { isIPv4, isIPv6 } from 'node:net';

const MAX_GLOB_LENGTH = 256;
/** More wildcards in one segment make node-casbin's glob matching take more than quadratic time. */
const MAX_STARS = 2;
const MAX_GLOBSTARS = 2;

/** What is wrong with an address or CIDR range of `ipMatch`; undefined if nothing is. */
export function ipRangeFault(range: string): string | undefined {
  const [address = '', prefix, ...rest] = range.split('/');
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : undefined;
  if (bits === undefined || address.includes('%') || rest.length > 0) {
    return `\`${range}\` is no IP address or range; write it as \`10.0.0.0/8\``;
  }
  if (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)) {
    return `\`/${prefix}\` is no prefix length of \`${address}\`; it is at most ${bits}`;
  }
  return undefined;
}

/** What is wrong with a pattern of `globMatch`; undefined if nothing is. */
export function globFault(pattern: string): string | undefined {
  if (pattern.length > MAX_GLOB_LENGTH) {
    return `the pattern is longer than ${MAX_GLOB_LENGTH} characters`;
  }
  if (/[?*+@!]\(/.test(pattern) || /[{}]/.test(pattern)) {
    return `\`${pattern}\` uses braces or extended groups, which are not supported; write one rule for each`;
  }
  const segments = pattern.split('/');
  const globstars = segments.filter((segment) => segment === '**').length;
  const stars = segments.map((segment) => segment.replaceAll('**', '*').split('*').length - 1);
  if (globstars > MAX_GLOBSTARS || Math.max(...stars) > MAX_STARS) {
    return `\`${pattern}\` has too many wildcards; take at most ${MAX_STARS} \`*\` in a segment and ${MAX_GLOBSTARS} \`**\` in all`;
  }
  return undefined;
}
