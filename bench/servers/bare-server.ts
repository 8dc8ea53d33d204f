/**
 * The least that any HTTP service in Node does: `node:http`, nothing else. It reads the body, parses
 * it as JSON, and writes the answer that it was given, with the headers that it was given. Started by
 * `bare.ts`, which sends both.
 */
import cluster from 'node:cluster';
import { createServer } from 'node:http';

/** What it answers to everything. */
export interface BareAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const answer = JSON.parse(process.env['BARE_ANSWER'] ?? '') as BareAnswer;

const workers = Number(process.env['BARE_WORKERS'] ?? 1);

if (workers > 1 && cluster.isPrimary) for (let made = 0; made < workers; made += 1) cluster.fork();
else serve();

function serve(): void {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
      response.writeHead(typeof body === 'object' ? 200 : 400, {
        'Content-Length': Buffer.byteLength(answer.text),
        ...answer.headers,
      });
      response.end(answer.text);
    });
  });

  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
  });
}

process.once('SIGTERM', () => process.exit(0));
