import type { TestServer } from './server.js';

/** What a server's metric says for exactly these labels; 0 where nothing was counted yet. */
export async function metricOf(
  { running }: Pick<TestServer, 'running'>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const metric = running.metrics.getSingleMetric(name);
  const { values = [] } = (await metric?.get()) ?? {};
  const found = values.find((value) =>
    Object.entries(labels).every(([label, word]) => Reflect.get(value.labels, label) === word),
  );
  return found?.value ?? 0;
}
