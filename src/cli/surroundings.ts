/** What a command writes to. Process streams are that, and so is anything a test hands in. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** What `countersign serve` needs to know; `serve` in server.ts takes it. */
export interface ServeOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Apply the bundle directory again whenever a file in it changes. */
  readonly watch: boolean;
}

/** Everything outside that a command may touch, so that tests can hand in their own. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly fetch: typeof globalThis.fetch;
  /** Runs the server until it is told to stop; resolves to the exit code. */
  readonly serve: (options: ServeOptions) => Promise<number>;
}
