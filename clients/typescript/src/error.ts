/** What went wrong, as the server tells it (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  /** The parameter or member that was wrong. */
  parameter?: string;
  /** The character of the query at which it stops making sense. */
  position?: number;
  /** What to write instead. */
  hint?: string;
}

/** A question that was not answered. */
export class AuditTrailError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.hint === undefined ? problem.detail : `${problem.detail} (${problem.hint})`);
    this.name = "AuditTrailError";
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }
}
