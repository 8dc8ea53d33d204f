import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { RedisTarget } from './redis-url.js';

/** What the files that an address names hold: who is trusted, and who we are. */
export type TlsFiles = Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>;

/** What each file is, and the word of the address that names it. */
const FILES = { ca: 'tls_ca', cert: 'tls_cert', key: 'tls_key' } as const;

/**
 * Reads the files that an address names for TLS, and sees that they can be used together.
 *
 * @throws Error with a sentence for people, which names the file and never shows what it holds
 */
export function readTlsFiles({ tlsFiles = {} }: RedisTarget): TlsFiles {
  if ((tlsFiles.cert === undefined) !== (tlsFiles.key === undefined)) {
    throw new Error('`tls_cert` and `tls_key` go together: give both or neither');
  }
  const held: { -readonly [File in keyof typeof FILES]?: Buffer } = {};
  for (const file of Object.keys(FILES) as (keyof typeof FILES)[]) {
    const path = tlsFiles[file];
    if (path !== undefined) held[file] = contentOf(path, FILES[file]);
  }
  const { ca } = held;
  if (ca !== undefined)
    tryOut(() => readCertificates(ca), `\`tls_ca\` (${tlsFiles.ca}) must hold certificates in PEM`);
  const { cert, key } = held;
  if (cert !== undefined && key !== undefined) {
    const names = `\`tls_cert\` (${tlsFiles.cert}) and \`tls_key\` (${tlsFiles.key})`;
    const use = () => createSecureContext({ cert, key });
    tryOut(use, `${names} must hold a certificate and its key in PEM, without a passphrase`);
  }
  return held;
}

function contentOf(path: string, word: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`\`${word}\` (${path}) cannot be read (\`${code}\`)`, { cause: error });
  }
}

/** TLS passes over, without a word, what it cannot read of authorities. */
function readCertificates(pem: Buffer): X509Certificate[] {
  const blocks = pem.toString('latin1').match(CERTIFICATE);
  if (blocks === null) throw new Error('there is no certificate');
  return blocks.map((block) => new X509Certificate(block));
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^]*?(?:-----END CERTIFICATE-----|$)/g;

function tryOut(use: () => unknown, expected: string): void {
  try {
    use();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(code === undefined ? expected : `${expected} (\`${code}\`)`, { cause: error });
  }
}
