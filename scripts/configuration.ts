/**
 * Writes docs/configuration.md from the declaration of the settings:
 * `node --import tsx/esm scripts/configuration.ts`
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CONFIG_FILE } from '../src/platform/config.js';
import { fileKeyOf, type SettingName, settingNames, settingOf } from '../src/platform/settings.js';

/** The file that is written. */
export const CONFIGURATION_DOC = resolve(import.meta.dirname, '../docs/configuration.md');

const INTRODUCTION = `<!-- Written by scripts/configuration.ts from src/platform/settings.ts; do not edit. -->

# Configuration

Every setting is an environment variable. The file \`${CONFIG_FILE}\` in the working
directory may give the same settings; the environment wins, and an empty variable counts as absent.
The file spells a setting like its variable or short, as shown below; \`limits.on_redis_loss\`, and
\`on_redis_loss\` below \`limits\`, are \`limits_on_redis_loss\`. What the file names and the server does not
know is a fault.

Every fault of both is reported at once, by name, those of the file with line and column; the
process exits with 2. No message shows the value of a secret. A variable that begins with
\`COUNTERSIGN_\` and that nothing reads is warned of at start.

\`\`\`yaml
# ${CONFIG_FILE}
port: 8080
audit: strict
drain: 5s
limits:
  on_redis_loss: deny
\`\`\`
`;

const COMMAND_LINE = `## The command line

| variable | |
| --- | --- |
| \`COUNTERSIGN_URL\` | the server that commands talk to, where \`--server\` is not given |
| \`COUNTERSIGN_KEY\` | the credential that they show it, where \`--key\` is not given |

With neither, commands talk to the embedded server of the data directory, with its \`root.key\`.
`;

/** The documentation of all settings, as Markdown. */
export function configurationDoc(): string {
  return [
    INTRODUCTION,
    '## Settings\n',
    settingsTable(),
    '',
    ...settingNames().map(section),
    COMMAND_LINE,
  ].join('\n');
}

function settingsTable(): string {
  const rows = settingNames().map(
    (name) =>
      `| [\`${name}\`](#${name.toLowerCase()}) | \`${fileKeyOf(name)}\` | ${defaultOf(name)} |`,
  );
  return ['| variable | in the file | default |', '| --- | --- | --- |', ...rows].join('\n');
}

function section(name: SettingName): string {
  const { description, expected } = settingOf(name);
  return `### \`${name}\`\n\n${description}\n\nMust be ${expected}. Default: ${defaultOf(name)}.\n`;
}

function defaultOf(name: SettingName): string {
  const { default: value, otherwise } = settingOf(name);
  return value === undefined ? (otherwise ?? 'none') : `\`${value}\``;
}

if (process.argv[1] === import.meta.filename) writeFileSync(CONFIGURATION_DOC, configurationDoc());
