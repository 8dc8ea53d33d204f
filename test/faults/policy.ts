import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Checks in a day that the resource of that name lets through, all servers together. */
export const LIMITS = { scarce: 1_000, shaky: 1_000, ample: 1_000_000 } as const;

/** Writes the bundle that every server starts with: one tenant, a member, an approver, two quotas. */
export async function writePolicy(folder: string, tenant: string): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    'bundle.yaml': 'name: faults\nmodel: rbac-tenant\n',
    'rules/members.csv': [
      `p, member, ${tenant}, quota:*, use, allow`,
      `p, member, ${tenant}, vault:*, open, allow`,
      `g, sam, member, ${tenant}`,
      `g, ann, approver, ${tenant}`,
      '',
    ].join('\n'),
    'governance/limits.yaml': `rules:
  - id: scarce
    kind: rate-limit
    match: {resources: ["quota:scarce"]}
    limits: [{per: day, count: ${LIMITS.scarce}}]
    key: resource
  - id: shaky
    kind: rate-limit
    match: {resources: ["quota:shaky"]}
    limits: [{per: day, count: ${LIMITS.shaky}}]
    key: resource
  - id: ample
    kind: rate-limit
    match: {resources: ["quota:ample"]}
    limits: [{per: day, count: ${LIMITS.ample}}]
    key: resource
  - id: two-keys
    kind: approval-required
    match: {resources: ["vault:*"]}
    approval: {stages: [{approvers: {roles: [approver]}, count: 1}]}
`,
  };
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, text);
  }
}
