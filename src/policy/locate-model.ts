import { pathFault } from './bundle-file-set.js';
import type { BundleFiles } from './compiled-bundle.js';

/** A model's text and the path that its faults are told under. */
export interface LocatedModel {
  readonly file: string;
  readonly text: string;
}

/** Whether `bundle.yaml` names its model by name, not by path. */
export function isModelName(model: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(model);
}

/** Where a bundle keeps the model that it names. */
export function modelPath(model: string): string {
  return isModelName(model) ? `models/${model}.conf` : model;
}

/**
 * Finds the model that `bundle.yaml` names: by path in the bundle; by name as `models/NAME.conf` in
 * the bundle, then among those that ship with the server. `message` says why there is none.
 */
export function locateModel(
  files: BundleFiles,
  model: string,
  shippedModels: ReadonlyMap<string, string>,
): LocatedModel | { readonly message: string } {
  const file = modelPath(model);
  if (!isModelName(model)) {
    const message = modelPathFault(model);
    if (message !== undefined) return { message };
  }
  const text = files.get(file) ?? shippedModels.get(model);
  if (text !== undefined) return { file, text };
  if (!isModelName(model)) return { message: `there is no file \`${model}\` in the bundle` };
  const names = [...shippedModels.keys()].sort().map((name) => `\`${name}\``);
  const shipped =
    names.length === 0 ? '' : `, or use one that ships with the server: ${names.join(', ')}`;
  return { message: `there is no model \`${model}\`; add \`${file}\`${shipped}` };
}

function modelPathFault(path: string): string | undefined {
  const beside = /^\.\.\/models\/([A-Za-z0-9][A-Za-z0-9_-]*)\.conf$/.exec(path);
  if (beside)
    return `the path leaves the bundle; write \`model: ${beside[1]}\`, which finds it too`;
  const fault = pathFault(path);
  if (fault !== undefined) return fault;
  return path.endsWith('.conf')
    ? undefined
    : 'expected the name of a model, or a path that ends in `.conf`';
}
