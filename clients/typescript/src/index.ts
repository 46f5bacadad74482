/** Writes to a Sealtrail audit trail, and reads it over its query API. */

export { AuditLogger, canonical, promptHash, responseHash, type AuditLoggerConfig, type Call, type Client, type Writes } from "./audit.js";
export { FallbackFull } from "./fallback.js";
export { lifecycle, type Context } from "./skill.js";
export { AuditStore, type AuditStoreConfig, type Written } from "./store.js";
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
