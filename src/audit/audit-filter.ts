/** Which events to find; what is left out does not narrow. */
export interface AuditFilter {
  /** Callers that are bound to a tenant must give theirs. */
  readonly tenant?: string;
  readonly kind?: string;
  readonly subject?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly decision?: string;
  /** Events at or after this. */
  readonly from?: Date;
  /** Events before this. */
  readonly to?: Date;
  /** The `next` of the page before. */
  readonly after?: string;
  /** 1 to 200; 50 unless given. */
  readonly limit?: number;
}
