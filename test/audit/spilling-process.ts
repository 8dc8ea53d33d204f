/**
 * Records decisions while Postgres is away, until it is killed: its arguments are the folder of the
 * spill and how many decisions. It says `kept` once all of them are on disk.
 */
import { createAuditRecorder } from '../../src/audit/recorder.js';
import { Spill } from '../../src/audit/spill.js';
import { systemClock } from '../../src/platform/clock.js';
import { connectDatabase } from '../../src/platform/database.js';

const [folder = '', count = '0'] = process.argv.slice(2);
const log = { warn: () => {}, error: () => {} };
const { database } = connectDatabase('postgresql://postgres@127.0.0.1:1/nowhere');
const spill = new Spill({ folder, maxBytes: 1024 ** 3, log, clock: systemClock });
const audit = createAuditRecorder({ database, mode: 'buffered', log, clock: systemClock, spill });

for (let number = 0; number < Number(count); number++) {
  const event = {
    id: `dec_${number}`,
    kind: 'decision',
    actor: 'key:1',
    subject: `user-${number}`,
  };
  await audit.record(event);
}
while (audit.pending > 0) await new Promise((resolve) => setImmediate(resolve));
process.stdout.write('kept\n');
