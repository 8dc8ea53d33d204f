/**
 * A value that is here, or on its way. Most checks are decided from memory alone: what asks no store
 * answers at once, so that nobody waits for a turn of the event loop, or pays for a promise.
 */
export type Eventual<Value> = Value | Promise<Value>;

/** Goes on with a value as soon as it is here: at once where it is already. */
export function whenHere<Value, Result>(
  value: Eventual<Value>,
  goOn: (value: Value) => Eventual<Result>,
): Eventual<Result> {
  return value instanceof Promise ? value.then(goOn) : goOn(value);
}
