/** Reads a Sealtrail audit trail over its query API. */

export { AuditTrailClient, type AuditTrailConfig } from "./client.js";
export { AuditTrailError, type Problem } from "./error.js";
export type {
  Authority,
  Chain,
  Checkpoint,
  Custody,
  Event,
  ExecutionChain,
  Link,
  Match,
  Scalar,
  SearchAnswer,
  SearchRequest,
  Session,
  Step,
  Table,
  Touch,
  Values,
} from "./types.js";
export type { Query } from "./query.js";
