// The face of the package.

export { connect, type ConnectOptions, getConnection, hasActiveConnection } from './connect.ts';
export type { Connection, Latency, Mode, Notices, Stats, Token, Warning } from './connection.ts';
export type {
  ConnectionRecord,
  ErrorCode,
  State,
  Status,
  StopReason,
  StreamError,
  StreamEvent,
  TokenReason,
} from './protocol.ts';
